"""Who gets which pieces. Pure: the ledger locks the rows, this decides, the ledger writes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Place = tuple[str, str]
"""(SKU, warehouse)."""


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


def allocate(wants: Sequence[Want], free: Mapping[Place, int]) -> list[Allocation]:
    """First come, first served, in the order given; each order whole from the first warehouse (by name) that has it."""
    left = dict(free)
    warehouses = sorted({warehouse for _, warehouse in free})
    return [_allocate_one(want, left, warehouses) for want in wants]


def take_reserved(
    wants: Iterable[Want], held: Mapping[int, Mapping[Place, int]], free: dict[Place, int]
) -> list[Allocation]:
    """What one warehouse keeps for an order is the order's, whoever stands before it; taken off `free`.

    `held`: order id -> its reservation. Orders for which not everything is kept, or is not there any more, are left to
    `allocate`.
    """
    made: list[Allocation] = []
    for want in wants:
        for warehouse in sorted({warehouse for _, warehouse in held.get(want.order_id, {})}):
            places = {(sku, warehouse): pieces for sku, pieces in want.pieces.items()}
            kept = held[want.order_id]
            if all(min(kept.get(place, 0), free.get(place, 0)) >= pieces for place, pieces in places.items()):
                for place, pieces in places.items():
                    free[place] -= pieces
                made.append(Allocation(want.order_id, warehouse, want.pieces, {}))
                break
    return made


def _allocate_one(want: Want, left: dict[Place, int], warehouses: Sequence[str]) -> Allocation:
    best: dict[str, int] | None = None
    for warehouse in warehouses:
        missing = {
            sku: quantity - left.get((sku, warehouse), 0)
            for sku, quantity in want.pieces.items()
            if left.get((sku, warehouse), 0) < quantity
        }
        if not missing:
            for sku, quantity in want.pieces.items():
                left[sku, warehouse] -= quantity
            return Allocation(want.order_id, warehouse, want.pieces, {})
        if best is None or sum(missing.values()) < sum(best.values()):
            best = missing
    return Allocation(want.order_id, None, {}, best if best is not None else dict(want.pieces))
