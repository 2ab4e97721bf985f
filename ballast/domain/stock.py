"""Who gets which pieces. Pure: the ledger locks the rows, this decides, the ledger writes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Place = tuple[str, str]
"""(SKU, warehouse)."""


@dataclass(frozen=True, slots=True)
class Want:
    """All pieces that one order needs, summed per SKU."""

    order_id: int
    pieces: Mapping[str, int]

    @classmethod
    def of(cls, order_id: int, lines: Iterable[tuple[str, int]]) -> "Want":
        """Two lines of one SKU are one want: each alone would pass where both together do not."""
        pieces: defaultdict[str, int] = defaultdict(int)
        for sku, quantity in lines:
            pieces[sku] += quantity
        return cls(order_id, dict(pieces))


@dataclass(frozen=True, slots=True)
class Allocation:
    """The whole order from one warehouse, or nothing and what is missing where it came closest."""

    order_id: int
    warehouse: str | None
    pieces: Mapping[str, int]
    missing: Mapping[str, int]


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
    *,
    held: Mapping[int, Mapping[Place, int]] | None = None,
    there: Mapping[Place, int] | None = None,
) -> list[Allocation]:
    """First come, first served, in the order given; each order whole from the first warehouse (by name) that has it.

    `free`, `held`, `there`: see `Pool`.
    """
    pool = Pool(free, held=held, there=there)
    warehouses = sorted({warehouse for _, warehouse in free})
    made: list[Allocation] = []
    for want in wants:
        pool.open(want.order_id)
        one = _allocate_one(want, pool.left, warehouses)
        pool.close({(sku, one.warehouse): pieces for sku, pieces in one.pieces.items()} if one.warehouse else {})
        made.append(one)
    return made


def _allocate_one(want: Want, left: Mapping[Place, int], warehouses: Sequence[str]) -> Allocation:
    best: dict[str, int] | None = None
    for warehouse in warehouses:
        missing = {
            sku: quantity - left.get((sku, warehouse), 0)
            for sku, quantity in want.pieces.items()
            if left.get((sku, warehouse), 0) < quantity
        }
        if not missing:
            return Allocation(want.order_id, warehouse, want.pieces, {})
        if best is None or sum(missing.values()) < sum(best.values()):
            best = missing
    return Allocation(want.order_id, None, {}, best if best is not None else dict(want.pieces))
