"""The deliveries of one order: what each warehouse ships of it, and what has to be done next. Pure.

An order that ships whole from one warehouse in one go has no deliveries here: it is one, under its own number.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ballast.domain.sourcing import Part

Pieces = Mapping[int, int]
"""Line number -> pieces, each at least one."""

CODE: Final = re.compile(r"^(?P<order_no>[^.]+)\.(?P<number>[1-9][0-9]*)$")
"""A point is in no order number."""


class DeliveryState(StrEnum):
    """How far one delivery is."""

    BACKORDERED = "backordered"  # its pieces are nowhere yet; `promised_at` says when they ought to be
    SOURCED = "sourced"  # its pieces are locked; the ERP's sale order does not say so yet
    PLANNED = "planned"  # reserved in the ERP, too; to be handed over
    WITH_WAREHOUSE = "with_warehouse"  # handed over
    REFUSED = "refused"  # the warehouse will not ship it; to be stopped there before its rest goes elsewhere
    SHORT = "short"  # the shelf was empty; likewise
    RECALLED = "recalled"  # its order is to be changed: to be stopped there before that
    ENDED = "ended"  # it ships no more than it has shipped: its rest is sourced from elsewhere
    TAKEN_BACK = "taken_back"  # its order was changed before it left: the same warehouse may get the next one
    CANCELLED = "cancelled"  # called off with its order
    LEFT = "left"  # every piece of it left


STOPPING: Final = frozenset({DeliveryState.REFUSED, DeliveryState.SHORT, DeliveryState.RECALLED})
GIVEN_UP: Final = frozenset({DeliveryState.ENDED, DeliveryState.TAKEN_BACK})
"""It ships no more than it has shipped: its rest is another delivery's."""
OVER: Final = frozenset({*GIVEN_UP, DeliveryState.CANCELLED, DeliveryState.LEFT})
AT_WAREHOUSE: Final = frozenset({DeliveryState.WITH_WAREHOUSE, *STOPPING})
"""The warehouse may know of it, and may still ship."""


@dataclass(frozen=True, slots=True)
class Source:
    """So many pieces of a line come from this warehouse; from an empty one: they are not there yet."""

    line_no: int
    warehouse: str
    pieces: int


class Need(StrEnum):
    """What a step has to do next for an order that is locked."""

    STOP = "stop"  # a warehouse refused, was short, or has what is to be changed: it must not ship after all
    CHANGE = "change"  # a change is asked for, and no warehouse has anything of it
    SOURCE = "source"  # pieces are in no delivery
    TELL_ERP = "tell_erp"  # pieces are locked that the ERP does not reserve
    HAND_OVER = "hand_over"  # a delivery is ready for its warehouse
    ASK = "ask"  # everything is with a warehouse, or waits for stock


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOrder:
    """One delivery. `items` are what it is to ship, `shipped` what left of that; `waybills`: its parcels."""

    number: int  # 1.. of its order
    code: str
    warehouse: str  # empty while it is backordered
    items: Pieces
    state: DeliveryState
    made_at: datetime
    shipped: Pieces = field(default_factory=dict)
    waybills: tuple[str, ...] = ()
    why: str = ""  # why it was made, or ended
    promised_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def binds(self) -> Pieces:
        """The pieces of the order that are this delivery's to ship, or have left with it."""
        return self.shipped if self.state in GIVEN_UP else self.items

    @property
    def all_left(self) -> bool:
        return all(self.shipped.get(line_no, 0) >= count for line_no, count in self.items.items())

    def end(self, state: DeliveryState, why: str, at: datetime) -> "DeliveryOrder":
        return replace(self, state=state, why=why, ended_at=at if state in OVER else None)


def code_of(order_no: str, number: int) -> str:
    """The first delivery has the order's own number, the next ones `NUMBER.2`, `NUMBER.3` ..."""
    return order_no if number == 1 else f"{order_no}.{number}"


def order_of(code: str) -> str:
    """The number of the order that a delivery belongs to."""
    found = CODE.match(code)
    return found["order_no"] if found and found["number"] != "1" else code


def unplaced(deliveries: Iterable[DeliveryOrder], wanted: Pieces) -> dict[int, int]:
    """The pieces of each line that are in no delivery."""
    bound = Counter[int]()
    for delivery in deliveries:
        bound.update(delivery.binds)
    return {line_no: rest for line_no, count in wanted.items() if (rest := count - bound[line_no]) > 0}


def sources_of(deliveries: Iterable[DeliveryOrder], wanted: Pieces) -> tuple[Source, ...]:
    """Where every piece of an order comes from, as far as deliveries say; empty when there are none."""
    known = tuple(deliveries)
    spread = Counter[tuple[int, str]]()
    for delivery in known:
        spread.update({(line_no, delivery.warehouse): count for line_no, count in delivery.binds.items()})
    if known:
        spread.update({(line_no, ""): count for line_no, count in unplaced(known, wanted).items()})
    return tuple(Source(line_no, warehouse, count) for (line_no, warehouse), count in sorted(spread.items()) if count)


def need(deliveries: Sequence[DeliveryOrder], wanted: Pieces) -> Need:
    """What comes next; one thing at a time, and nothing is handed over before it is reserved."""
    states = {delivery.state for delivery in deliveries}
    if states & STOPPING:
        return Need.STOP
    if unplaced(deliveries, wanted):
        return Need.SOURCE
    if DeliveryState.SOURCED in states:
        return Need.TELL_ERP
    return Need.HAND_OVER if DeliveryState.PLANNED in states else Need.ASK


def by_line(parts: Sequence[Part], lines: Iterable[tuple[int, str, int]]) -> list[dict[int, int]]:
    """What each part ships of each line (number, SKU, pieces): lines are served in their order."""
    left = [Counter(part.pieces) for part in parts]
    made: list[dict[int, int]] = [{} for _ in parts]
    for line_no, sku, count in lines:
        wanted = count
        for has, items in zip(left, made, strict=True):
            if taken := min(wanted, has[sku]):
                items[line_no] = taken
                has[sku] -= taken
                wanted -= taken
    return made


def left_of(
    items: Pieces, skus: Mapping[int, str], parcels: Iterable[Mapping[str, int]], *, everything: bool
) -> dict[int, int]:
    """What left of a delivery, by line, by what its parcels hold (SKU -> pieces)."""
    if everything:
        return dict(items)
    held = Counter[str]()
    for parcel in parcels:
        held.update(parcel)
    shipped = {}
    for line_no, count in sorted(items.items()):
        if taken := min(count, held[skus[line_no]]):
            shipped[line_no] = taken
            held[skus[line_no]] -= taken
    return shipped
