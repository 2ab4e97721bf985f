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


def less_reserved(there: Mapping[Place, int], reserved: Mapping[Place, int]) -> dict[Place, int]:
    """What is there for anybody: without what is kept for somebody, and never less than nothing."""
    return {place: max(0, pieces - reserved.get(place, 0)) for place, pieces in there.items()}


class Pool:
    """What is left while orders are served one after the other. What is kept for an order is not in `free`: it is lent
    to it in its turn, whoever stood before it, as long as the pieces are there.

    `free`: for anybody. `there`: on the shelf and not locked, whoever they are kept for; left out, as much as is free.
    `held`: order id -> what is kept for it.
    """

    def __init__(
        self,
        free: Mapping[Place, int],
        *,
        held: Mapping[int, Mapping[Place, int]] | None = None,
        there: Mapping[Place, int] | None = None,
    ) -> None:
        self.left = dict(free)
        self._there, self._held = dict(free if there is None else there), held or {}
        self._lent: dict[Place, int] = {}

    def open(self, order_id: int) -> None:
        """The turn of this order: what is kept for it is in `left` until `close`."""
        for place, kept in self._held.get(order_id, {}).items():
            if place in self.left:
                there = self._there[place]
                most = min(max(self.left[place] + kept, min(kept, there)), there)
                self._lent[place] = max(0, most - self.left[place])
                self.left[place] += self._lent[place]

    def close(self, taken: Mapping[Place, int]) -> None:
        """The order takes these pieces, and what was kept for it is anybody's; nothing: it stays kept."""
        for place, pieces in taken.items():
            self.left[place] -= pieces
            self._there[place] -= pieces
        if not taken:
            for place, pieces in self._lent.items():
                self.left[place] -= pieces
        self._lent = {}


def allocate(
    wants: Sequence[Want],
    free: Mapping[Place, int],
    rules: SourcingSet = NO_ROWS,
    *,
    held: Mapping[int, Mapping[Place, int]] | None = None,
    there: Mapping[Place, int] | None = None,
) -> list[Allocation]:
    """First come, first served, in the order given; each order from where the sourcing rows want it.

    Without rows: whole from the first warehouse, by name, that has it. `free`, `held`, `there`: see `Pool`.
    """
    pool = Pool(free, held=held, there=there)
    places: defaultdict[str, list[str]] = defaultdict(list)
    for sku, warehouse in free:
        places[sku].append(warehouse)
    return [_allocate_one(want, pool, places, rules) for want in wants]


def _allocate_one(want: Want, pool: Pool, places: Mapping[str, Sequence[str]], rules: SourcingSet) -> Allocation:
    pool.open(want.order_id)
    left: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for sku in want.pieces:
        for warehouse in places.get(sku, ()):
            left[warehouse][sku] = pool.left[sku, warehouse]
    chosen = choose(want.pieces, left, want.ask, rules)
    pool.close({(sku, part.warehouse): count for part in chosen.parts for sku, count in part.pieces.items()})
    return Allocation(want.order_id, chosen.parts, chosen.missing, chosen.why, chosen.rejected)
