"""Whether an order says the prices that our rules say: what its lines and its total differ by, in figures and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ballast.domain.rules.price_rows import LIST, money
from ballast.domain.rules.prices import WHOLE, LinePrice, PriceOptions
from ballast.domain.rules.promotions import Calculation, PromotionOptions

MOST_EVIDENCE: Final = 500
"""Characters of the evidence of one order."""

_MOST_NAME: Final = 40


class OwnLine(Protocol):
    """A line as the order itself says it, minor units: `unit_price` per piece, `amount` for all of its pieces."""

    @property
    def line_no(self) -> int: ...
    @property
    def sku(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> int: ...
    @property
    def amount(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMismatch:
    """A line whose own price is not the quoted one; minor units per piece. `quoted` None: nothing prices it."""

    line_no: int
    sku: str
    quantity: int
    own: int
    quoted: int | None
    row: str = ""
    kind: str = ""
    currency: str = "CNY"


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalMismatch:
    """An order whose own total, freight included, is not the calculated one; minor units.

    `goods` + `freight` = `calculated`; `applied`: the promotions behind it, in the order of evaluation.
    """

    own: int
    calculated: int
    goods: int
    freight: int
    applied: tuple[str, ...] = ()


def judge_prices(
    own: Sequence[OwnLine], quotes: Sequence[LinePrice], options: PriceOptions
) -> tuple[LineMismatch, ...]:
    """The lines that differ from their quote by more than the options tolerate, dearer or cheaper, by line number.

    A line without a quote, or whose quote has no price, differs where `unpriced` says `hold`. With the gate off none
    does. What a line costs altogether is not looked at: a discount on a line is the promotions' to judge.
    """
    if not options.gate:
        return ()
    quoted = {quote.line_no: quote for quote in quotes}
    currency = quotes[0].currency if quotes else "CNY"
    judged = [_judge_line(line, quoted.get(line.line_no), options, currency) for line in own]
    return tuple(sorted([one for one in judged if one is not None], key=lambda one: one.line_no))


def judge_total(own_payable: int, calculation: Calculation, options: PromotionOptions) -> TotalMismatch | None:
    """`own_payable`: what the order says the customer pays, minor units: its lines less its discount, plus freight."""
    if not options.gate or abs(own_payable - calculation.payable) <= options.tolerance:
        return None
    return TotalMismatch(
        own=own_payable,
        calculated=calculation.payable,
        goods=calculation.goods,
        freight=calculation.freight,
        applied=calculation.applied,
    )


def evidence(
    lines: Sequence[LineMismatch],
    total: TotalMismatch | None = None,
    *,
    price_version: int,
    promotion_version: int,
    currency: str = "CNY",
) -> str:
    """Both figures of everything that differs, for people; the same text for the same figures, empty for none.

    At most 500 characters: of many lines the first are told and the others counted. The total is always told.
    """
    said = [_line_words(line, price_version) for line in sorted(lines, key=lambda one: one.line_no)]
    last = [_total_words(total, promotion_version, currency)] if total is not None else []
    for told in range(len(said), -1, -1):
        left = len(said) - told
        more = [f"{left} more line(s) differ" if told else f"{left} line(s) differ"] if left else []
        text = "; ".join([*said[:told], *more, *last])
        if len(text) <= MOST_EVIDENCE:
            return text
    return text[: MOST_EVIDENCE - 1] + "…"


def _judge_line(line: OwnLine, quote: LinePrice | None, options: PriceOptions, currency: str) -> LineMismatch | None:
    price = quote.price if quote is not None else None
    if options.unpriced != "hold" if price is None else _near(line.unit_price, price, options):
        return None
    return LineMismatch(
        line_no=line.line_no,
        sku=line.sku,
        quantity=line.quantity,
        own=line.unit_price,
        quoted=price,
        row=quote.row if quote is not None else "",
        kind=quote.kind if quote is not None else "",
        currency=quote.currency if quote is not None else currency,
    )


def _near(own: int, price: int, options: PriceOptions) -> bool:
    """In ten-thousandths of minor units, so that a share is never rounded."""
    return abs(own - price) * WHOLE <= max(options.tolerance * WHOLE, price * options.tolerance_share)


def _line_words(line: LineMismatch, version: int) -> str:
    said = f"line {line.line_no} {_short(line.sku)}: order says {money(line.own, line.currency)}, price book v{version}"
    if line.quoted is None:
        return f"{said} has no price for it"
    by = "list price" if line.row == LIST else f"row {_short(line.row)}"
    kind = "" if line.row == LIST else f" ({line.kind})"
    return f"{said} {by} says {money(line.quoted, line.currency)}{kind}"


def _total_words(total: TotalMismatch, version: int, currency: str) -> str:
    own, calculated = money(total.own, currency), money(total.calculated, currency)
    return f"order total {own}, with promotions v{version} it is {calculated}"


def _short(name: str) -> str:
    return name if len(name) <= _MOST_NAME else name[: _MOST_NAME - 1] + "…"
