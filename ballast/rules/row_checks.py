"""Whether the cells of one row go together: what its kind needs, and what its kind does not read."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ballast.domain.rules.prices import PriceKind
from ballast.domain.rules.promotions import PromotionKind
from ballast.rules.sheet_plans import PROMOTIONS
from ballast.rules.written import WrittenRow

Tell = Callable[[str, str, str], None]
"""Column, text, kind of finding."""

_READS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    PromotionKind.SPEND_OFF: (("off",), ("threshold", "per_multiple")),
    PromotionKind.PERCENT: (("pays",), ("threshold",)),
    PromotionKind.FIXED_PRICE: (("price",), ()),
    PromotionKind.NTH_ITEM: (("nth", "pays"), ()),
    PromotionKind.GIFT: (("gift_sku", "gift_quantity"), ("threshold", "per_multiple")),
    PromotionKind.COUPON: (("code",), ("threshold", "off", "pays")),
    PromotionKind.FREE_SHIPPING: ((), ("threshold",)),
}
"""Which of the columns that are not for every kind each one needs, and which it reads besides."""

_SPECIAL: Final = ("threshold", "off", "per_multiple", "pays", "price", "nth", "gift_sku", "gift_quantity", "code")
_MAY_BE_NOTHING: Final = ("price", "pays")
"""Where 0 says something; elsewhere it says what an empty cell says."""


def check_price_row(row: WrittenRow, values: Mapping[str, Any], wrong: Tell) -> bool:
    """Whether it gives a price at all. A cell that could not be read was told already."""
    limited = values["kind"] == PriceKind.LIMITED.value
    if "pays" in values and not limited:
        wrong("pays", "only a limited 限时价 row may pay a share; give a price", "does not go together")
        return False
    if "price" in values and "pays" in values:
        wrong("pays", "either a price or a share that is paid, not both", "does not go together")
        return False
    if values.get("pays") == 0:
        wrong("pays", "for nothing: write a price of 0 when that is meant", "does not go together")
        return False
    if "price" in values or "pays" in values:
        return True
    if not _is_broken(row, values, "price", "pays"):
        wrong("price", f"gives no price{': price, or pays' if limited else ''}", "missing")
    return False


def check_promotion(row: WrittenRow, values: Mapping[str, Any], wrong: Tell, warn: Tell) -> None:
    """Tells what is missing, and what stands there and is not read."""
    kind = values["kind"]
    needs, reads = _READS[kind]
    for name in needs:
        if not _says(values, name) and not _is_broken(row, values, name):
            wrong(name, f"a {kind} promotion needs {_called(name)}", "missing")
    for name in _SPECIAL:
        if _says(values, name) and name not in (*needs, *reads):
            warn(name, f"a {kind} promotion does not read {_called(name)}: clear the cell", "not read")
    if kind == PromotionKind.COUPON:
        _check_coupon(row, values, wrong)
    if values.get("per_multiple") and "per_multiple" in reads and not _says(values, "threshold"):
        _tell_missing_threshold(row, values, wrong)
    if values.get("pays") == 0 and kind != PromotionKind.NTH_ITEM:
        wrong("pays", "for nothing: only nth_item 第N件 may be free; is it 100 %, or a gift?", "does not go together")


def _check_coupon(row: WrittenRow, values: Mapping[str, Any], wrong: Tell) -> None:
    if _says(values, "off") and _says(values, "pays"):
        wrong("pays", "either off or pays, not both", "does not go together")
    elif not _says(values, "off") and not _says(values, "pays") and not _is_broken(row, values, "off", "pays"):
        wrong("off", f"a coupon needs {_called('off')}, or {_called('pays')}", "missing")


def _tell_missing_threshold(row: WrittenRow, values: Mapping[str, Any], wrong: Tell) -> None:
    if not _is_broken(row, values, "threshold"):
        wrong("threshold", f"for every multiple of what? It needs {_called('threshold')}", "missing")


def _says(values: Mapping[str, Any], name: str) -> bool:
    return bool(values.get(name)) or (name in _MAY_BE_NOTHING and name in values)


def _is_broken(row: WrittenRow, values: Mapping[str, Any], *names: str) -> bool:
    """Whether one of them is filled with something that could not be read."""
    filled = (name for name in names if name not in values)
    return any(row.cells.get(name) not in (None, "", []) for name in filled)


def _called(name: str) -> str:
    return f"{name} {PROMOTIONS.column(name).chinese}"
