"""Who gets which pieces. Pure: the ledger locks the rows, this decides, the ledger writes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ballast.domain.sourcing import Ask, Part, SourcingSet, choose

Place = tuple[str, str]
"""(SKU, warehouse)."""

NOTHING_SAID = Ask()
NO_ROWS = SourcingSet()
NOTHING_RESERVED: Mapping[int, Mapping[Place, int]] = {}


class FigureFault(StrEnum):
    """Why a row of a stock list is refused: the figure that was known before stays, and grows older."""

    NAMELESS = "nameless"  # no usable SKU or warehouse: nobody knows whose figure it is
    NO_NUMBER = "no_number"  # not a number, or more than any warehouse holds
    NEGATIVE = "negative"  # fewer than no pieces
    FRACTION = "fraction"  # part of a piece
    FUTURE = "future"  # changed later than now, by the clock of whoever says so
    UNKNOWN_SKU = "unknown_sku"  # about goods that nobody asked for, or that the ERP does not list


@dataclass(frozen=True, slots=True)
class Want:
    """All pieces that one order needs, summed per SKU. `ask`: what the sourcing rows may know of it."""

    order_id: int
    pieces: Mapping[str, int]
    ask: Ask = NOTHING_SAID

    @classmethod
    def of(cls, order_id: int, lines: Iterable[tuple[str, int]], ask: Ask = NOTHING_SAID) -> "Want":
        """Two lines of one SKU are one want: each alone would pass where both together do not."""
        pieces: defaultdict[str, int] = defaultdict(int)
        for sku, quantity in lines:
            pieces[sku] += quantity
        return cls(order_id, dict(pieces), ask)


@dataclass(frozen=True, slots=True)
class Allocation:
    """Which warehouses ship an order, and what is missing; without parts nothing is taken.

    `why` and `rejected`: the choice and the alternatives in words, for the timeline.
    """

    order_id: int
    parts: tuple[Part, ...]
    missing: Mapping[str, int]
    why: str = field(default="", compare=False)
    rejected: tuple[str, ...] = field(default=(), compare=False)

    @property
    def warehouse(self) -> str | None:
        """The one that ships the first part."""
        return self.parts[0].warehouse if self.parts else None

    @property
    def pieces(self) -> Mapping[str, int]:
        """What is taken, wherever, by SKU."""
        taken: defaultdict[str, int] = defaultdict(int)
        for part in self.parts:
            for sku, count in part.pieces.items():
                taken[sku] += count
        return dict(taken)


def allocate(
    wants: Sequence[Want],
    free: Mapping[Place, int],
    rules: SourcingSet = NO_ROWS,
    reserved: Mapping[int, Mapping[Place, int]] = NOTHING_RESERVED,
) -> list[Allocation]:
    """First come, first served, in the order given; each order from where the sourcing rows want it.

    Without rows: whole from the first warehouse, by name, that has it. `reserved`: order id -> what is kept for it of
    what is `free`: that is this order's, whoever stands before it, until it is served; where less is there than is
    kept, first come, first served again.
    """
    shelf = _Shelf(free, reserved, [want.order_id for want in wants])
    return [_allocate_one(want, shelf, rules) for want in wants]


class _Shelf:
    """What is free while orders are served one after the other, and what of it is kept for those that follow."""

    def __init__(
        self, free: Mapping[Place, int], reserved: Mapping[int, Mapping[Place, int]], order_ids: Iterable[int]
    ) -> None:
        self._left, self._reserved = dict(free), reserved
        self._kept: defaultdict[Place, int] = defaultdict(int)
        for order_id in set(order_ids):
            for place, count in reserved.get(order_id, {}).items():
                self._kept[place] += count
        self._warehouses: defaultdict[str, list[str]] = defaultdict(list)
        for sku, warehouse in free:
            self._warehouses[sku].append(warehouse)

    def seen_by(self, want: Want) -> dict[str, dict[str, int]]:
        """Warehouse -> SKU -> what this order may take."""
        own, seen = self._reserved.get(want.order_id, {}), defaultdict[str, dict[str, int]](dict)
        for sku in want.pieces:
            for warehouse in self._warehouses[sku]:
                place = (sku, warehouse)
                left, mine = self._left[place], own.get(place, 0)
                seen[warehouse][sku] = max(left - (self._kept[place] - mine), min(mine, left), 0)
        return dict(seen)

    def serve(self, want: Want, parts: Iterable[Part]) -> None:
        """Take these pieces off; what was kept for the order is kept no more."""
        for part in parts:
            for sku, count in part.pieces.items():
                self._left[sku, part.warehouse] -= count
        for place, count in self._reserved.get(want.order_id, {}).items():
            self._kept[place] -= count


def _allocate_one(want: Want, shelf: _Shelf, rules: SourcingSet) -> Allocation:
    chosen = choose(want.pieces, shelf.seen_by(want), want.ask, rules)
    if chosen.parts:
        shelf.serve(want, chosen.parts)
    return Allocation(want.order_id, chosen.parts, chosen.missing, chosen.why, chosen.rejected)
