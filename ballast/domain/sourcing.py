"""Which warehouses ship an order: strategies over rule rows, one choice and why it was not another. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ballast.domain.money import Money

FAR: Final = 1_000_000
"""The rank of a warehouse that is near to nothing, by its rows: after all that are."""

MOST_PLACES: Final = 10
"""Warehouses that are combined, the best by themselves first: 10 give 1,023 combinations at most."""

MOST_TOLD: Final = 5
"""Rejected alternatives that the timeline tells."""


class Strategy(StrEnum):
    """What makes one choice better than another."""

    SINGLE = "single"  # fewer warehouses, so fewer parcels
    NEAREST = "nearest"  # nearer to the receiver's province, by the rank of the place rows
    PRIORITY = "priority"  # the warehouses that the seller wants emptied first
    CHEAPEST = "cheapest"  # less for parcels and pieces, by the costs of the place rows


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """What one warehouse is to some provinces. The first row of a warehouse that fits the province counts."""

    name: str
    warehouse: str
    provinces: tuple[str, ...] = ()  # empty: all
    rank: int | None = None  # 1 is nearest
    priority: int = 100  # 1 ships first
    parcel_cost: int | None = None  # minor units
    piece_cost: int | None = None  # minor units
    on: bool = True  # False: ships nothing to these provinces
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRow:
    """How orders are sourced that fit its conditions. The first row that fits counts."""

    name: str
    channels: tuple[str, ...] = ()  # empty: all; so are the next three
    tiers: tuple[str, ...] = ()
    provinces: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()  # one of them in the order is enough
    order: tuple[Strategy, ...] = (Strategy.SINGLE,)  # the first decides, the next where it does not
    split: bool = False  # several warehouses may ship one order
    most_parcels: int = 2  # warehouses per order, where it may be split
    partial: bool = False  # what is there leaves now, the rest waits for stock with a promised date
    reroute: bool = False  # what a warehouse refuses, or lacks at picking, is sourced from another one
    on: bool = True
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SourcingOptions:
    """What holds for all rows."""

    currency: str = "CNY"  # of the costs


DEFAULT: Final = StrategyRow(name="default")
"""Where no row fits: whole from one warehouse, the first by name; what is short waits."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the rows may know of an order. `refused`: warehouses that would not ship it."""

    channel: str = ""
    tier: str = ""
    province: str = ""
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SourcingSet:
    """All rows, in the order in which people wrote them."""

    places: tuple[PlaceRow, ...] = ()
    strategies: tuple[StrategyRow, ...] = ()
    options: SourcingOptions = SourcingOptions()

    def strategy(self, ask: Ask, skus: Collection[str]) -> StrategyRow:
        """The row that says how this order is sourced."""
        return next((row for row in self.strategies if row.on and _fits(row, ask, skus)), DEFAULT)

    def place(self, warehouse: str, province: str) -> PlaceRow:
        """What a warehouse is to this province; one without a row ships, near to nothing and at an unknown cost."""
        rows = (row for row in self.places if row.warehouse == warehouse)
        fitting = (row for row in rows if not row.provinces or _among(province, row.provinces))
        return next(fitting, PlaceRow(name="", warehouse=warehouse))


def _fits(row: StrategyRow, ask: Ask, skus: Collection[str]) -> bool:
    return (
        (not row.channels or ask.channel in row.channels)
        and (not row.tiers or ask.tier in row.tiers)
        and (not row.provinces or _among(ask.province, row.provinces))
        and (not row.skus or not set(row.skus).isdisjoint(skus))
    )


def _among(province: str, named: Iterable[str]) -> bool:
    """浙江 and 浙江省 are the same: shops write one or the other."""
    return bool(province) and any(province.startswith(one) or one.startswith(province) for one in named)


@dataclass(frozen=True, slots=True)
class Part:
    """What one warehouse ships: SKU -> pieces, at least one."""

    warehouse: str
    pieces: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Choice:
    """`parts` and `missing` together are what was wanted; without parts nothing is taken.

    `why` and `rejected` are for people: the reason of the choice, and what was not chosen because of what.
    """

    parts: tuple[Part, ...]
    missing: Mapping[str, int]
    why: str = ""
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Some warehouses, what each would ship, and what makes it good, in the order of the strategies."""

    places: tuple[PlaceRow, ...]
    parts: tuple[Part, ...]
    missing: Mapping[str, int]
    goodness: tuple[Any, ...]

    @property
    def name(self) -> str:
        return "+".join(part.warehouse for part in self.parts)

    @property
    def short(self) -> int:
        return sum(self.missing.values())


def choose(wanted: Mapping[str, int], free: Mapping[str, Mapping[str, int]], ask: Ask, rules: SourcingSet) -> Choice:
    """Who ships `wanted` (SKU -> pieces). `free`: warehouse -> SKU -> pieces.

    The same question has the same answer, whatever the order of the mappings.
    """
    row = rules.strategy(ask, wanted)
    known = [rules.place(name, ask.province) for name in sorted(free)]
    places = [place for place in known if place.on and place.warehouse not in ask.refused]
    candidates = sorted(_candidates(wanted, free, places, row), key=lambda one: (one.short > 0, *_order(one)))
    best = candidates[0] if candidates else None
    taken = best if best is not None and (not best.short or row.partial) else None
    if row is DEFAULT:  # nobody wrote a row that fits: there was nothing to choose by, and nothing to tell
        parts, missing = (taken.parts, taken.missing) if taken else ((), best.missing if best else dict(wanted))
        return Choice(parts, missing)
    others = [one for one in candidates if one is not taken]
    rejected = _left_out(known, ask) + [_rejected(one, taken, row, ask, rules.options) for one in others[:MOST_TOLD]]
    if taken is None:
        return Choice((), best.missing if best is not None else dict(wanted), "", tuple(rejected))
    return Choice(taken.parts, taken.missing, _reason(taken, row, ask, rules.options), tuple(rejected))


def _order(one: _Candidate) -> tuple[Any, ...]:
    return one.short, *one.goodness, [place.warehouse for place in one.places]


def _candidates(
    wanted: Mapping[str, int], free: Mapping[str, Mapping[str, int]], places: Sequence[PlaceRow], row: StrategyRow
) -> Iterator[_Candidate]:
    """Every combination of warehouses in which each has something to ship."""
    useful = [place for place in places if any(free[place.warehouse].get(sku, 0) > 0 for sku in wanted)]
    useful.sort(key=lambda place: (*_goodness(row, [place], wanted), place.warehouse))
    for size in range(1, (max(row.most_parcels, 1) if row.split else 1) + 1):
        whole = False
        for some in combinations(useful[:MOST_PLACES] if size > 1 else useful, size):
            parts, missing = _fill(wanted, free, some)
            if len(parts) == size:
                whole = whole or not missing
                spread = {part.warehouse: sum(part.pieces.values()) for part in parts}
                yield _Candidate(some, parts, missing, _goodness(row, some, spread))
        if whole and row.order[:1] == (Strategy.SINGLE,):
            return  # more warehouses are never better


def _fill(
    wanted: Mapping[str, int], free: Mapping[str, Mapping[str, int]], places: Sequence[PlaceRow]
) -> tuple[tuple[Part, ...], dict[str, int]]:
    """Each warehouse in turn ships all that it has of what is still wanted."""
    left, parts = dict(wanted), []
    for place in places:
        has = free[place.warehouse]
        pieces = {sku: min(count, has.get(sku, 0)) for sku, count in sorted(left.items()) if has.get(sku, 0) > 0}
        if pieces:
            parts.append(Part(place.warehouse, pieces))
            left = {sku: rest for sku, count in left.items() if (rest := count - pieces.get(sku, 0))}
    return tuple(parts), left


def _goodness(row: StrategyRow, places: Sequence[PlaceRow], spread: Mapping[str, int]) -> tuple[Any, ...]:
    """Less is better. The worst warehouse counts first: one far away is not made near by another one's nearness."""
    measures: Mapping[Strategy, Any] = {
        Strategy.SINGLE: len(places),
        Strategy.NEAREST: sorted((place.rank or FAR for place in places), reverse=True),
        Strategy.PRIORITY: sorted((place.priority for place in places), reverse=True),
        Strategy.CHEAPEST: _cost(places, spread),
    }
    return tuple(measures[one] for one in row.order)


def _cost(places: Sequence[PlaceRow], spread: Mapping[str, int]) -> tuple[int, int]:
    """(warehouses of which a cost is not known, what the others cost). A cost that is not written is not nothing."""
    pieces = {place.warehouse: spread.get(place.warehouse, sum(spread.values())) for place in places}
    unknown = sum(place.parcel_cost is None and place.piece_cost is None for place in places)
    return unknown, sum((p.parcel_cost or 0) + (p.piece_cost or 0) * pieces[p.warehouse] for p in places)


Incoming: TypeAlias = Mapping[str, Sequence[tuple[datetime, int]]]
"""SKU -> what is expected of it: (time, pieces)."""

NOTHING_EXPECTED: Final[Incoming] = MappingProxyType({})


def promised_for(missing: Mapping[str, int], incoming: Incoming) -> datetime | None:
    """When all that is missing ought to be there; None: nobody knows."""
    times: list[datetime] = []
    for sku, count in missing.items():
        left = count
        for at, pieces in sorted(incoming.get(sku, ())):
            left -= pieces
            if left <= 0:
                times.append(at)
                break
        else:
            return None
    return max(times, default=None)


# -- in words ------------------------------------------------------------------------------------------------------


def _left_out(known: Iterable[PlaceRow], ask: Ask) -> list[str]:
    refused = [f"{place.warehouse}: it refused this order" for place in known if place.warehouse in ask.refused]
    return refused + [
        f"{place.warehouse}: ships nothing to {ask.province or 'there'}"
        for place in known
        if not place.on and place.warehouse not in ask.refused
    ]


def _reason(one: _Candidate, row: StrategyRow, ask: Ask, options: SourcingOptions) -> str:
    words = [_measure(strategy, one, ask, options) for strategy in row.order]
    return f"{one.name} by {row.name}: {', '.join(words)}"


def _rejected(one: _Candidate, taken: _Candidate | None, row: StrategyRow, ask: Ask, options: SourcingOptions) -> str:
    """What spoke against it: what it lacks, else the first strategy by which the chosen one is better."""
    if one.missing and (taken is None or one.short > taken.short):
        return f"{one.name}: {in_words(one.missing)} short"
    if taken is not None:
        for strategy, mine, theirs in zip(row.order, one.goodness, taken.goodness, strict=True):
            if mine > theirs:
                return f"{one.name}: {_measure(strategy, one, ask, options, taken)}"
    return f"{one.name}: as good, and later by name"


def _measure(
    strategy: Strategy, one: _Candidate, ask: Ask, options: SourcingOptions, than: _Candidate | None = None
) -> str:
    value, other = _said(strategy, one, ask, options), _said(strategy, than, ask, options) if than else ""
    return f"{value} instead of {other}" if than else value


def _said(strategy: Strategy, one: _Candidate, ask: Ask, options: SourcingOptions) -> str:
    match strategy:
        case Strategy.SINGLE:
            return "1 warehouse" if len(one.places) == 1 else f"{len(one.places)} warehouses"
        case Strategy.NEAREST:
            ranks = "/".join(str(place.rank) if place.rank else "none" for place in one.places)
            return f"rank {ranks} for {ask.province or 'an unknown province'}"
        case Strategy.PRIORITY:
            return "priority " + "/".join(str(place.priority) for place in one.places)
        case Strategy.CHEAPEST:
            spread = {part.warehouse: sum(part.pieces.values()) for part in one.parts}
            unknown, cost = _cost(one.places, spread)
            return "an unknown cost" if unknown else f"{Money(cost, options.currency)}"


def in_words(pieces: Mapping[str, int]) -> str:
    """`2 x SKU-1, 1 x SKU-7`."""
    return ", ".join(f"{count} x {sku}" for sku, count in sorted(pieces.items()))
