"""STK_Inventory -> stock figures: every page or none, lots added up, bad rows refused. Sheet kingdee.md, 4."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from sys import intern
from typing import Any, Final, Protocol

from adapters.erp.kingdee.connection import Connection
from adapters.erp.kingdee.documents import INVENTORY, NOTHING
from adapters.errors import NotUnderstood, Unavailable
from adapters.pieces import is_code, read_pieces
from ballast.clock import from_local
from ballast.domain.stock import FigureFault, Place
from ballast.domain.words import System
from ballast.ports import RefusedFigure, StockFigure, StockReading
from ballast.settings import KingdeeSettings

PAGE: Final = 2000  # [M] the most that every build allows
AHEAD: Final = 4  # pages that are asked for side by side, and queries about what changed
MOST_PAGES: Final = 5000  # 10 million rows: a list that does not end
SKUS_PER_QUERY: Final = 200  # [M] of an `in (...)`
OVERLAP: Final = timedelta(minutes=1)
"""What was written before the last pull may have become visible after it; and two clocks are never the same."""
AHEAD_OF_US: Final = timedelta(minutes=5)
"""A row may be so much newer than now, by the ERP's own clock."""

ID, ORGANISATION = "FID", "FStockOrgId.FNumber"
WAREHOUSE, SKU = "FStockId.FNumber", "FMaterialId.FNumber"
FIGURES: Final = ("FBaseQty", "FBaseAVBQty", "FBaseLockQty")
COLUMNS: Final = (ID, WAREHOUSE, SKU, *FIGURES)

Row = Mapping[str, Any]


class Ask(Protocol):
    """One page of a list that is sorted by FID."""

    async def __call__(self, start: int, limit: int, /) -> Sequence[Row]: ...


class Inventory:
    """The stock list of one organisation. `field` is the column that says when a row changed, if there is one."""

    def __init__(self, connection: Connection, settings: KingdeeSettings) -> None:
        self._connection, self._organisation = connection, settings.org_num
        self._field = settings.stock_changed_field
        self._columns = (*COLUMNS, self._field) if self._field else COLUMNS

    async def everything(self, now: datetime) -> StockReading:
        """Every row there is."""
        sums = Sums(now, self._field)
        await read_pages(partial(self._page, {}, self._columns, NOTHING), sums.add)
        return sums.reading(None)

    async def changed(self, since: datetime, now: datetime) -> StockReading:
        """The places of which a row changed. Each is read whole: other lots of it did not change and count as well."""
        places = await self._changed_places(since)
        sums = Sums(now, self._field)
        skus: defaultdict[str, list[str]] = defaultdict(list)
        for sku, warehouse in sorted(places):
            skus[warehouse].append(sku)
        asks = [
            partial(self._page, {WAREHOUSE: [warehouse], SKU: some[at : at + SKUS_PER_QUERY]}, self._columns, NOTHING)
            for warehouse, some in skus.items()
            for at in range(0, len(some), SKUS_PER_QUERY)
        ]
        for at in range(0, len(asks), AHEAD):
            await asyncio.gather(*(read_pages(ask, sums.add) for ask in asks[at : at + AHEAD]))
        return sums.reading(frozenset(places))

    async def _changed_places(self, since: datetime) -> set[Place]:
        found: set[Place] = set()

        def note(rows: Iterable[Row]) -> None:
            found.update((row[SKU], row[WAREHOUSE]) for row in rows if is_code(row[SKU]) and is_code(row[WAREHOUSE]))

        earliest = {self._field: since - OVERLAP}
        await read_pages(partial(self._page, {}, (ID, WAREHOUSE, SKU), earliest), note, grows=True)
        return found

    async def _page(
        self,
        where: Mapping[str, Sequence[str]],
        columns: Sequence[str],
        since: Mapping[str, datetime],
        start: int,
        limit: int,
    ) -> Sequence[Row]:
        tests = {ORGANISATION: [self._organisation], **where}
        return await self._connection.query(INVENTORY, columns, tests, start=start, limit=limit, since=since)


class Take(Protocol):
    """What is done with the rows of a page."""

    def __call__(self, rows: Sequence[Row], /) -> None: ...


async def read_pages(ask: Ask, take: Take, *, grows: bool = False) -> None:
    """Every row once, in order. Each page begins with the last row of the one before: where it does not, rows came or
    went meanwhile, or the server ignores StartRow, and the list is no whole one.

    `grows`: rows may come meanwhile, but none can go. A page that was pushed on repeats some then, and what is missed
    came after we asked. The end is where a page brings nothing new, for a server may cap Limit below ours.
    """
    page = await ask(0, PAGE)
    take(page)
    read, size, full = len(page), len(page), len(page) == PAGE
    for _ in range(MOST_PAGES if page else 0):
        last, ahead = page[-1][ID], AHEAD if full else 1
        for page in await asyncio.gather(*(ask(read - 1 + place * (size - 1), PAGE) for place in range(ahead))):
            follows = bool(page) and page[0][ID] == last
            if not follows and not grows:
                what = "the stock list changed while it was read, or a page of it is missing: nothing of it is taken"
                raise Unavailable(System.KINGDEE, what)
            if not page or page[-1][ID] == last:
                return
            take(page[1:] if follows else page)
            read, last = read + len(page) - 1, page[-1][ID]
            full, size = len(page) == size, max(size, len(page))
            if not full:  # the last one, perhaps: what was asked for behind it has another beginning
                break
    if page:
        raise NotUnderstood(System.KINGDEE, f"the stock list does not end after {MOST_PAGES} pages")


class Sums:
    """One figure per SKU and warehouse; the ERP keeps one row per lot. One bad row spoils its place, and no other."""

    def __init__(self, now: datetime, field: str = "") -> None:
        self._latest, self._field = now + AHEAD_OF_US, field
        self._sums: dict[Place, list[int]] = {}
        self._refused: dict[Place, RefusedFigure] = {}

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            sku, warehouse = row[SKU], row[WAREHOUSE]
            place = intern(sku) if is_code(sku) else "", intern(warehouse) if is_code(warehouse) else ""
            figures = [read_pieces(row[name]) for name in FIGURES]
            if figures[1] is FigureFault.NEGATIVE:  # more is reserved there than there is: nothing is available
                figures[1] = 0
            if fault := self._fault(row, place, figures):
                said = ", ".join(f"{name} {str(row[name])[:40]}" for name in (*FIGURES, self._field) if name)
                self._refused.setdefault(place, RefusedFigure(sku=place[0], warehouse=place[1], fault=fault, said=said))
                continue
            known = self._sums.setdefault(place, [0, 0, 0])
            for column, figure in enumerate(figures):
                assert not isinstance(figure, FigureFault)  # or there were a fault
                known[column] += figure

    def reading(self, about: frozenset[Place] | None) -> StockReading:
        """What the rows come to."""
        figures = [
            StockFigure(sku=sku, warehouse=warehouse, on_hand=on_hand, available=available, locked=locked)
            for (sku, warehouse), (on_hand, available, locked) in self._sums.items()
            if (sku, warehouse) not in self._refused
        ]
        return StockReading(figures=figures, refused=tuple(self._refused.values()), about=about)

    def _fault(self, row: Row, place: Place, figures: Sequence[int | FigureFault]) -> FigureFault | None:
        if not all(place):
            return FigureFault.NAMELESS
        for figure in figures:
            if isinstance(figure, FigureFault):
                return figure
        return FigureFault.FUTURE if self._field and self._is_ahead(row[self._field]) else None

    def _is_ahead(self, said: object) -> bool:
        """A time that cannot be read says nothing against the figure."""
        try:
            return isinstance(said, str) and _moment(said) > self._latest
        except ValueError:
            return False


@lru_cache(maxsize=4096)
def _moment(said: str) -> datetime:
    """Many rows change at the same second."""
    return from_local(said)
