"""Who gets which pieces. Pure: the ledger locks the rows, this decides, the ledger writes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ballast.domain.sourcing import Ask, Part, SourcingSet, choose

Place = tuple[str, str]
"""(SKU, warehouse)."""

NOTHING_SAID = Ask()
NO_ROWS = SourcingSet()


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


def allocate(wants: Sequence[Want], free: Mapping[Place, int], rules: SourcingSet = NO_ROWS) -> list[Allocation]:
    """First come, first served, in the order given; each order from where the sourcing rows want it.

    Without rows: whole from the first warehouse, by name, that has it.
    """
    left: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (sku, warehouse), count in free.items():
        left[warehouse][sku] = count
    return [_allocate_one(want, left, rules) for want in wants]


def _allocate_one(want: Want, left: Mapping[str, dict[str, int]], rules: SourcingSet) -> Allocation:
    chosen = choose(want.pieces, left, want.ask, rules)
    for part in chosen.parts:
        for sku, count in part.pieces.items():
            left[part.warehouse][sku] -= count
    return Allocation(want.order_id, chosen.parts, chosen.missing, chosen.why, chosen.rejected)
