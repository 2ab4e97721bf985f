"""When which step has to look at an order again. Pure: times in, times out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ballast.domain.life_cycle import CALLED_OFF, ENDS_WITH, Standing
from ballast.domain.words import Event, HoldReason, State, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long each kind of silence may last, business time."""

    unpaid: timedelta
    warehouse_quiet: timedelta
    courier_quiet: timedelta
    return_window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the schedule needs to know of an order."""

    standing: Standing
    placed_at: datetime
    paid_at: datetime | None
    signed_at: datetime | None
    with_warehouse: bool  # the delivery order was handed over
    charge_waiting: bool  # a charge was reported and not yet checked
    all_signed: bool  # every parcel of the order was signed for


Due = tuple[Step, datetime]


def next_due(facts: Facts, now: datetime, waits: Waits) -> Due | None:
    """The step that has to look next and when, or None when only a person or nothing at all can move the order."""
    state = facts.standing.state
    if state is State.ON_HOLD:
        return _due_while_held(facts.standing, now, waits)
    if state is State.PENDING_PAYMENT:
        if facts.paid_at is not None:
            return Step.LOCK_STOCK, now
        return Step.CONFIRM_PAYMENT, now if facts.charge_waiting else max(now, facts.placed_at + waits.unpaid)
    if state is State.STOCK_LOCKED:
        return Step.SHIP_OUT, now + waits.warehouse_quiet if facts.with_warehouse else now
    if state in (State.OUTBOUND, State.IN_TRANSIT):
        return (Step.SIGN_OFF, now) if facts.all_signed else (Step.TRACK_TRANSIT, now + waits.courier_quiet)
    if state is State.SIGNED:
        return Step.SIGN_OFF, (facts.signed_at or now) + waits.return_window
    return None


def _due_while_held(standing: Standing, now: datetime, waits: Waits) -> Due | None:
    """A hold that better news can end goes on asking for it: the webhook that brings it may be lost.

    A cancellation is carried out at once. One that the goods have outrun ends there, too: they come back as a return.
    """
    assert standing.reason is not None
    here = standing.held_from in (State.PENDING_PAYMENT, State.STOCK_LOCKED)
    if standing.reason in CALLED_OFF and (here or standing.reason is HoldReason.CANCEL_ASKED):
        return Step.CALL_OFF, now
    ends = ENDS_WITH.get(standing.reason, frozenset())
    if standing.held_from in (State.OUTBOUND, State.IN_TRANSIT) and Event.SCANNED in ends:
        return Step.TRACK_TRANSIT, now + waits.courier_quiet
    return None
