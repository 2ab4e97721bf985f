"""Rows of the price matrix, one against another: which can give a price, which comes first, and in what words."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from heapq import heappop, heappush
from typing import Final, NamedTuple

from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.rules.prices import WHOLE, PriceKind, PriceOptions, PriceRow, Product

LIST: Final = "list"
"""What `LinePrice.row` and `.kind` say of a list price: no row may be called so."""

_LATEST: Final = datetime.max.replace(tzinfo=UTC)


class Buyers(NamedTuple):
    """For whom a row is. Both empty: everybody."""

    customer: str
    tier: str

    @property
    def rank(self) -> int:
        """The smaller comes first: a customer, a tier, everybody."""
        return 0 if self.customer else 1 if self.tier else 2

    def __str__(self) -> str:
        if self.customer:
            return f"customer {self.customer}"
        return f"tier {self.tier}" if self.tier else "everybody"


class Goods(NamedTuple):
    """For what a row is. Both empty: everything."""

    sku: str
    series: str

    @property
    def rank(self) -> int:
        """The smaller comes first: a SKU, a series, everything."""
        return 0 if self.sku else 1 if self.series else 2

    def __str__(self) -> str:
        if self.sku:
            return f"SKU {self.sku}"
        return f"series {self.series}" if self.series else "everything"


EVERYBODY: Final = Buyers("", "")
EVERYTHING: Final = Goods("", "")


def buyers_of(row: PriceRow) -> Buyers:
    return Buyers(row.customer, row.tier)


def goods_of(row: PriceRow) -> Goods:
    return Goods(row.sku, row.series)


def kinds_in_order(options: PriceOptions) -> tuple[PriceKind, ...]:
    """Every kind once: those that the options name, then the others in the default order."""
    return tuple(dict.fromkeys((*options.precedence, *PriceOptions().precedence)))


def unusable(row: PriceRow) -> str:
    """Why a row never gives a price, whoever buys what and when; empty: it can.

    `check_prices` refuses such rows; where one is met all the same it is passed over, never guessed at.
    """
    if row.customer and row.tier:
        return "names both a customer and a tier"
    if row.sku and row.series:
        return "names both a SKU and a series"
    if row.price is not None and row.pays is not None:
        return "names both a price and a share"
    if row.price is not None:
        return "names a price below zero" if row.price < 0 else ""
    if row.pays is None:
        return "names no price"
    if row.kind is not PriceKind.LIMITED:
        return "names a share, which only limited rows can"
    return "" if 1 <= row.pays <= WHOLE else f"names a share of {percent(row.pays)}"


def usable_floor(product: Product | None, currency: str) -> int:
    """Below what a piece is never sold, minor units of `currency`; 0 where the floor is in another currency."""
    return max(0, product.floor) if product is not None and product.currency == currency else 0


def usable_list_price(product: Product | None, currency: str) -> int | None:
    if product is None or product.currency != currency or product.list_price is None or product.list_price < 0:
        return None
    return product.list_price


def take_share(price: int, pays: int) -> int:
    """`pays` ten-thousandths of a price of at least 0, half a cent up."""
    return (price * pays + WHOLE // 2) // WHOLE


def later_first(row: PriceRow) -> timedelta:
    """Sorts the later start first and the open start last."""
    return timedelta.max if row.starts is None else _LATEST - row.starts


def preference(row: PriceRow) -> tuple[int, int, int, timedelta, str, str, int, int, bool]:
    """Sorts rows of one kind, the one that gives the price first. What follows the name only tells apart rows of the
    same name, so that the order in which they are written never counts."""
    last = (str(row.ends), -1 if row.price is None else row.price, -1 if row.pays is None else row.pays)
    return (
        buyers_of(row).rank, goods_of(row).rank, -row.from_quantity, later_first(row), row.row, *last, row.tax_included
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timeline:
    """Which of some rows holds when. `rows[n]` from `edges[n - 1]` on, `rows[0]` before all edges; None: none does."""

    edges: tuple[datetime, ...]
    rows: tuple[PriceRow | None, ...]

    def at(self, at: datetime) -> PriceRow | None:
        return self.rows[bisect_right(self.edges, at)]

    def spans(self) -> Iterator[tuple[datetime | None, datetime | None, PriceRow]]:
        """(start, end, row), in order, without the times in which no row holds."""
        for number, row in enumerate(self.rows):
            if row is not None:
                last = number == len(self.edges)
                yield self.edges[number - 1] if number else None, None if last else self.edges[number], row


def timeline_of(rows: Iterable[PriceRow]) -> Timeline:
    """Of rows that differ in their periods only: at every moment the one that `preference` puts first."""
    ranked = sorted((row for row in rows if holds_ever(row)), key=preference)
    edges = sorted({edge for row in ranked for edge in (row.starts, row.ends) if edge is not None})
    starting: dict[datetime | None, list[int]] = {}
    for rank, row in enumerate(ranked):
        starting.setdefault(row.starts, []).append(rank)
    running: list[int] = []
    winners: list[PriceRow | None] = []
    for edge in (None, *edges):
        for rank in starting.get(edge, ()):
            heappush(running, rank)
        while running and edge is not None and (ends := ranked[running[0]].ends) is not None and ends <= edge:
            heappop(running)
        winners.append(ranked[running[0]] if running else None)
    return Timeline(tuple(edges), tuple(winners))


def holds_ever(row: PriceRow) -> bool:
    return row.starts is None or row.ends is None or row.starts < row.ends


def money(amount: int, currency: str) -> str:
    """`10.00`; minor units as they are where nobody knows how many make one of the currency."""
    return Money(amount, currency).major() if currency in MINOR_DIGITS else f"{amount} (minor units)"


def percent(share: int) -> str:
    """Ten-thousandths in words: `90%`, `88.5%`."""
    sign, value = ("-" if share < 0 else ""), abs(share)
    return f"{sign}{value // 100}.{value % 100:02d}".rstrip("0").rstrip(".") + "%"


def moment(at: datetime, zone: tzinfo) -> str:
    """A day where it begins, else day and time, on the clock of `zone`."""
    try:
        local = at.astimezone(zone)
    except OverflowError:  # the last hours of the year 9999, which spreadsheets mean by "for ever"
        local = at
    if local.second or local.microsecond:
        return f"{local:%Y-%m-%d %H:%M:%S}"
    return f"{local:%Y-%m-%d %H:%M}".removesuffix(" 00:00")


def last_moment(ends: datetime, zone: tzinfo) -> str:
    """What people write for an end: the last day, where a day ends there; else the time itself."""
    said = moment(ends, zone)
    return said if " " in said else moment(ends - timedelta(days=1), zone)


def period(starts: datetime | None, ends: datetime | None, zone: tzinfo) -> str:
    if starts is None and ends is None:
        return "at all times"
    if ends is None:
        return f"from {moment(starts, zone)} on" if starts is not None else ""
    if starts is None:
        return f"until {last_moment(ends, zone)}"
    return f"from {moment(starts, zone)} to {last_moment(ends, zone)}"


def pieces(quantity: int) -> str:
    return "1 piece" if quantity == 1 else f"{quantity} pieces"


def written_at(row: PriceRow) -> str:
    """Where people find a row."""
    return row.place or f"row {row.row}"
