"""The life cycle of an order: one table keyed by (state, event), and one pure function that reads it."""

from dataclasses import dataclass
from typing import Final

from ballast.domain.words import Event, HoldReason, State

_P, _L, _O, _T, _S, _H, _C = (
    State.PENDING_PAYMENT,
    State.STOCK_LOCKED,
    State.OUTBOUND,
    State.IN_TRANSIT,
    State.SIGNED,
    State.ON_HOLD,
    State.CLOSED,
)

WHERE_IT_WAS: Final = None
"""Target of a release: the state that the order was held from."""

MOVES: Final[dict[tuple[State, Event], State | None]] = {
    # money
    (_P, Event.PAYMENT_CAPTURED): _P,
    (_P, Event.PAYMENT_CONFIRMED): _P,
    (_P, Event.PAYMENT_ENDED): _C,
    (_P, Event.REFUNDED): _C,
    (_L, Event.REFUNDED): _H,  # the warehouse may be packing it: it has to be stopped there first
    (_O, Event.REFUNDED): _H,
    (_T, Event.REFUNDED): _H,
    # stock and warehouse
    (_P, Event.STOCK_LOCKED): _L,
    (_P, Event.RESTOCKED): _P,
    (_L, Event.WAREHOUSE_PROGRESS): _L,
    (_L, Event.PARTLY_SHIPPED): _L,
    (_L, Event.SHIPPED): _O,
    (_L, Event.WAREHOUSE_CANCELLED): _H,
    # courier and customer; couriers drop scans, so OUTBOUND may go straight to SIGNED
    (_O, Event.SCANNED): _T,
    (_T, Event.SCANNED): _T,
    (_O, Event.PARCEL_SIGNED): _T,
    (_T, Event.PARCEL_SIGNED): _T,
    (_O, Event.SIGNED): _S,
    (_T, Event.SIGNED): _S,
    (_O, Event.RECEIPT_CONFIRMED): _S,
    (_T, Event.RECEIPT_CONFIRMED): _S,
    (_S, Event.RETURN_WINDOW_ENDED): _C,
    (_O, Event.RETURNED): _C,  # refused, and in the warehouse again: nothing is on its way any more
    (_T, Event.RETURNED): _C,
    # holds
    (_P, Event.HELD): _H,
    (_L, Event.HELD): _H,
    (_O, Event.HELD): _H,
    (_T, Event.HELD): _H,
    (_H, Event.RELEASED): WHERE_IT_WAS,
    # giving up: held while it is called off where it is known, closed when that is done
    (_P, Event.CANCEL_ASKED): _H,
    (_L, Event.CANCEL_ASKED): _H,
    (_P, Event.CANCELLED): _C,
    (_L, Event.CANCELLED): _C,
    (_P, Event.MERGED): _C,
    (_L, Event.MERGED): _C,
}

_AFTER_PAYMENT = (_L, _O, _T, _S, _C)
_AFTER_WAREHOUSE = (_O, _T, _S, _C)
_AT_REST = (_S, _C)

LATE: Final[frozenset[tuple[State, Event]]] = frozenset(
    [
        (state, event)
        for state in _AFTER_PAYMENT
        for event in (Event.PAYMENT_CAPTURED, Event.PAYMENT_CONFIRMED, Event.PAYMENT_ENDED)
    ]
    + [
        (state, event)
        for state in _AFTER_WAREHOUSE
        for event in (Event.WAREHOUSE_PROGRESS, Event.PARTLY_SHIPPED, Event.SHIPPED, Event.WAREHOUSE_CANCELLED)
    ]
    + [
        (state, event)
        for state in _AT_REST
        for event in (
            Event.SCANNED,
            Event.PARCEL_SIGNED,
            Event.SIGNED,
            Event.RECEIPT_CONFIRMED,
            Event.REFUNDED,
            Event.HELD,
        )
    ]
    + [(state, event) for state in _AFTER_WAREHOUSE for event in (Event.CANCEL_ASKED, Event.CANCELLED)]
    + [(_C, Event.RETURN_WINDOW_ENDED), (_S, Event.RETURNED), (_C, Event.RETURNED)]
    + [(state, Event.NOTED) for state in (_P, _L, _O, _T, _S, _C)]
)
"""News that comes too late or again: kept in the timeline, moves nothing."""

EARLY: Final[frozenset[tuple[State, Event]]] = frozenset(
    [
        (_P, event)
        for event in (Event.WAREHOUSE_PROGRESS, Event.PARTLY_SHIPPED, Event.SHIPPED, Event.WAREHOUSE_CANCELLED)
    ]
    + [
        (state, event)
        for state in (_P, _L)
        for event in (Event.SCANNED, Event.PARCEL_SIGNED, Event.SIGNED, Event.RECEIPT_CONFIRMED)
    ]
)
"""News that overtook its predecessor: waits in the inbox until the order gets there."""

ENDS_WITH: Final[dict[HoldReason, frozenset[Event]]] = {
    HoldReason.COURIER_PROBLEM: frozenset({Event.SCANNED, Event.PARCEL_SIGNED, Event.SIGNED, Event.RECEIPT_CONFIRMED}),
    HoldReason.COURIER_REFUSED: frozenset({Event.SCANNED, Event.PARCEL_SIGNED, Event.SIGNED, Event.RECEIPT_CONFIRMED}),
    HoldReason.COURIER_RETURNED: frozenset({Event.RECEIPT_CONFIRMED}),
    HoldReason.COURIER_STOPPED: frozenset({Event.RECEIPT_CONFIRMED}),
    HoldReason.WAREHOUSE_EXCEPTION: frozenset({Event.SHIPPED}),
    HoldReason.WAREHOUSE_SHORT: frozenset({Event.SHIPPED}),
    HoldReason.WAREHOUSE_REFUSED: frozenset({Event.SHIPPED}),
    HoldReason.SHIPPED_SHORT: frozenset({Event.SHIPPED}),  # the confirms came in the wrong order, or the rest followed
    HoldReason.PAYMENT_MISMATCH: frozenset({Event.PAYMENT_CAPTURED}),
    HoldReason.STOCK_SHORT: frozenset({Event.RESTOCKED}),
}
"""Which news ends a hold by itself. A reason that is not here ends by a person only."""


OUTRANKS: Final[dict[HoldReason, int]] = {
    HoldReason.REFUND_FAILED: 1,
    HoldReason.CANCEL_ASKED: 2,
    HoldReason.REFUNDED_ON_THE_WAY: 3,
}
"""Causes that take the place of others: a release for the other's sake would ship what nobody pays for."""

CALLED_OFF: Final[frozenset[HoldReason]] = frozenset({HoldReason.CANCEL_ASKED, HoldReason.REFUNDED_ON_THE_WAY})
"""What waits for `call-off`, as long as nothing has left: the goods must not go out."""

ASKED_ANEW: Final[frozenset[HoldReason]] = frozenset(
    {
        HoldReason.STOCK_SHORT,
        HoldReason.ERP_REFUSED,
        HoldReason.WAREHOUSE_REFUSED,
        HoldReason.NO_ANSWER,
        HoldReason.REFUSED_BY_SYSTEM,
    }
)
"""Another system's answer, asked for again after a release: the same answer holds again, for nothing goes on without
it. Every other reason is a judgement: evidence that a person let pass does not hold the order a second time."""

MAY_BE_UNPAID: Final[frozenset[HoldReason]] = frozenset(
    {HoldReason.PRICE_MISMATCH, HoldReason.RISK_SUSPECTED, HoldReason.STOCK_SHORT}
)
"""What gates and door find of an order that comes in. Unpaid, it is closed like any other when nobody ever pays it."""

RELEASED_AHEAD: Final[dict[tuple[State, HoldReason], State]] = {
    (_L, HoldReason.SHIPPED_SHORT): _O,  # the warehouse is done: whoever releases it accepts what left
    (_P, HoldReason.REFUNDED_ON_THE_WAY): _C,  # nobody pays for it: it must never be handed over (again)
    (_L, HoldReason.REFUNDED_ON_THE_WAY): _C,
}
"""Where a release leads on, because nothing more will come where the order was held."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order stands. `held_from` and `reason` are set exactly when it is on hold."""

    state: State
    held_from: State | None = None
    reason: HoldReason | None = None


class NoSuchMove(Exception):
    """The table has no row for this: a mistake of the caller, nothing was changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"an order that is {state} cannot take {event}; see ballast/domain/life_cycle.py")
        self.state, self.event = state, event


class TooEarly(Exception):
    """News from ahead of the order: keep it waiting and try again when the order has moved."""


def after(
    standing: Standing, event: Event, reason: HoldReason | None = None, trouble: HoldReason | None = None
) -> Standing | None:
    """Where the order stands after `event`; None when the news is late or repeated and moves nothing.

    `reason` is required when the event puts the order on hold. `trouble`: what is wrong with a parcel of a held order
    all the same; as long as the order is on its way it is not let go. Raises `TooEarly` and `NoSuchMove`.
    """
    if standing.state is State.ON_HOLD:
        return _after_while_held(standing, event, reason, trouble)
    key = (standing.state, event)
    if key in LATE:
        return None
    if key in EARLY:
        raise TooEarly(f"{event} came while the order is {standing.state}")
    if key not in MOVES:
        raise NoSuchMove(*key)
    target = MOVES[key]
    if target is State.ON_HOLD:
        return Standing(State.ON_HOLD, standing.state, reason or HELD_BECAUSE[event])
    assert target is not None  # only ON_HOLD has a row without a target
    return Standing(target)


HELD_BECAUSE: Final[dict[Event, HoldReason]] = {
    Event.REFUNDED: HoldReason.REFUNDED_ON_THE_WAY,
    Event.WAREHOUSE_CANCELLED: HoldReason.WAREHOUSE_REFUSED,
    Event.CANCEL_ASKED: HoldReason.CANCEL_ASKED,
    Event.HELD: HoldReason.BY_HAND,
}
"""The reason when the event itself says it."""


def _after_while_held(
    standing: Standing, event: Event, cause: HoldReason | None, trouble: HoldReason | None
) -> Standing | None:
    """News goes on arriving while an order is held: it moves `held_from`, and may end the hold."""
    held_from, reason = standing.held_from, standing.reason
    assert held_from is not None and reason is not None
    if event is Event.RELEASED:
        return _let_go(RELEASED_AHEAD.get((held_from, reason), held_from), trouble)
    inner = after(Standing(held_from), event, cause)
    if inner is None:
        return None
    if inner.state is State.ON_HOLD:
        # One hold at a time: the first cause stands, unless the new one weighs more. Then the order is where a release
        # from the first would have led.
        assert inner.reason is not None
        ahead = Standing(State.ON_HOLD, RELEASED_AHEAD.get((held_from, reason), held_from), inner.reason)
        return ahead if outweighs(inner.reason, reason) else None
    if inner.state in (State.SIGNED, State.CLOSED) or event in ENDS_WITH.get(reason, frozenset()):
        return _let_go(inner.state, trouble)
    return Standing(State.ON_HOLD, inner.state, reason)


def _let_go(state: State, trouble: HoldReason | None) -> Standing:
    """One parcel moves again, or a person let one pass: another one may still be in trouble."""
    if trouble is not None and state in (State.OUTBOUND, State.IN_TRANSIT):
        return Standing(State.ON_HOLD, state, trouble)
    return Standing(state)


def outweighs(one: HoldReason, other: HoldReason) -> bool:
    """Whether `one` takes the place of `other`."""
    return _weight(one) > _weight(other)


def _weight(reason: HoldReason) -> int:
    """A hold that could end by itself gives way to one that cannot, and that to the causes in `OUTRANKS`.

    `SHIPPED_SHORT` gives way to those only: whatever takes its place accepts what left (`RELEASED_AHEAD`).
    """
    gives_way = reason in ENDS_WITH and reason is not HoldReason.SHIPPED_SHORT
    return 0 if gives_way else 1 + OUTRANKS.get(reason, 0)
