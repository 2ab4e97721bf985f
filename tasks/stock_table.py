"""The artifact of `sync-inventory`: what is below its line first, then what differs and what is refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from ballast.db.promises import Promise, read_promises
from ballast.db.stock_troubles import open_troubles
from ballast.db.stock_view import Count, read_counts
from ballast.domain.stock import Place
from ballast.domain.stock_troubles import TROUBLE_LABELS, Trouble
from ballast.stock_answer import age
from ballast.wiring import House

MOST: Final = 50
"""Rows of each kind."""
NO_DATA: Final = "no data"


async def stock_table(here: House) -> list[dict[str, str]]:
    """One row per place and trouble, at most `MOST` of each kind."""
    now, zh = here.clock.now(), here.settings.language == "zh"
    async with here.transaction() as tx:
        found = {kind: await open_troubles(tx, kind, MOST) for kind in Trouble}
        skus = {row.sku for some in found.values() for row in some if row.sku}
        promises = {(one.sku, one.warehouse): one for one in await read_promises(tx, sorted(skus), now=now)}
        counts = await read_counts(tx, skus)
    return [_row(kind, row, promises, counts, now, zh=zh) for kind, some in found.items() for row in some]


def _row(
    kind: Trouble,
    row: Any,
    promises: dict[Place, Promise],
    counts: dict[Place, Count],
    now: datetime,
    *,
    zh: bool,
) -> dict[str, str]:
    label, place = TROUBLE_LABELS[kind], (row.sku, row.warehouse)
    one, count = promises.get(place), counts.get(place)
    return {
        "": "🔴" if kind is Trouble.BELOW_LINE else "🟡",
        "SKU": row.sku,
        "warehouse": row.warehouse,
        **_figures(one, count, now),
        "what": label.zh if zh else label.en,
        "said": row.text,
    }


def _figures(one: Promise | None, count: Count | None, now: datetime) -> dict[str, str]:
    names: Sequence[str] = ("on_hand", "locked", "reserved", "safety_line", "to_promise")
    said = {name.replace("_", " "): _text(getattr(one, name)) if one else NO_DATA for name in names}
    seconds = age(one, now) if one else None
    return said | {
        "warehouse counts": _text(count.pieces) if count else NO_DATA,
        "drift": NO_DATA if count is None else f"{count.drift:+d}" if count.drift else "0",
        "age": NO_DATA if seconds is None else f"{seconds} s",
    }


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
