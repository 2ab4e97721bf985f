"""When which step has to look at an order again. Pure: times in, times out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ballast.domain.life_cycle import CALLED_OFF, ENDS_WITH, MAY_BE_UNPAID, Standing
from ballast.domain.return_window import ReturnWindows
from ballast.domain.sla import Policy
from ballast.domain.sourcing import SourcingSet
from ballast.domain.words import Event, HoldReason, State, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long each kind of silence may last, business time; `sla`: how long all may take, and who hears of it."""

    unpaid: timedelta
    warehouse_quiet: timedelta
    courier_quiet: timedelta
    return_window: timedelta
    sla: Policy = field(default_factory=Policy)
    sourcing: SourcingSet = field(default_factory=SourcingSet)  # what is done when a warehouse does not ship
    windows: ReturnWindows = field(default_factory=ReturnWindows)  # of categories, where they are not `return_window`

    def open_for(self, skus: Iterable[str]) -> timedelta:
        """How long after its signature an order of these articles is closed."""
        return self.windows.open_for(skus, self.return_window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the schedule needs to know of an order."""

    standing: Standing
    placed_at: datetime
    paid_at: datetime | None
    signed_at: datetime | None
    with_warehouse: bool  # the delivery order was handed over; of a held order: perhaps
    charge_waiting: bool  # a charge was reported and not yet checked
    all_signed: bool  # every parcel of the order was signed for
    skus: tuple[str, ...] = ()  # of its lines


Due = tuple[Step, datetime]

ASKS_FOR: Final[dict[State, tuple[frozenset[Event], Step]]] = {
    State.PENDING_PAYMENT: (frozenset({Event.PAYMENT_CAPTURED}), Step.CONFIRM_PAYMENT),
    # a scan of the first parcel acts only once the rest has left, too
    State.STOCK_LOCKED: (frozenset({Event.SHIPPED, Event.SCANNED}), Step.SHIP_OUT),
    State.OUTBOUND: (frozenset({Event.SCANNED}), Step.TRACK_TRANSIT),
    State.IN_TRANSIT: (frozenset({Event.SCANNED}), Step.TRACK_TRANSIT),
}
"""Where an order is held: the news for which it needs the system of this place, and the step that asks."""


def next_due(facts: Facts, now: datetime, waits: Waits) -> Due | None:
    """The step that has to look next and when, or None when only a person or nothing at all can move the order."""
    state = facts.standing.state
    if state is State.ON_HOLD:
        return _due_while_held(facts, now, waits)
    if state is State.PENDING_PAYMENT:
        if facts.paid_at is not None:
            return Step.LOCK_STOCK, now
        return Step.CONFIRM_PAYMENT, now if facts.charge_waiting else max(now, facts.placed_at + waits.unpaid)
    if state is State.STOCK_LOCKED:
        return Step.SHIP_OUT, now + waits.warehouse_quiet if facts.with_warehouse else now
    if state in (State.OUTBOUND, State.IN_TRANSIT):
        return (Step.SIGN_OFF, now) if facts.all_signed else (Step.TRACK_TRANSIT, now + waits.courier_quiet)
    if state is State.SIGNED:
        return Step.SIGN_OFF, (facts.signed_at or now) + waits.open_for(facts.skus)
    return None


def _due_while_held(facts: Facts, now: datetime, waits: Waits) -> Due | None:
    """A hold that better news can end goes on asking for it: the webhook that brings it may be lost.

    A cancellation is carried out at once. One that the goods have outrun ends there, too: they come back as a return.
    What was stopped before anybody paid is asked about, too: nobody has to decide about an order that is never paid.
    """
    place, reason = facts.standing.held_from, facts.standing.reason
    assert place is not None and reason is not None
    here = place in (State.PENDING_PAYMENT, State.STOCK_LOCKED)
    if reason in CALLED_OFF and (here or reason is HoldReason.CANCEL_ASKED):
        return Step.CALL_OFF, now
    unpaid = place is State.PENDING_PAYMENT and facts.paid_at is None and not facts.charge_waiting
    if unpaid and reason in MAY_BE_UNPAID:
        return Step.CONFIRM_PAYMENT, max(now, facts.placed_at) + waits.unpaid
    better, step = ASKS_FOR[place]
    if not better & ENDS_WITH.get(reason, frozenset()):
        return None
    if step is Step.SHIP_OUT and not facts.with_warehouse:
        return None  # the warehouse knows nothing of it
    quiet = {Step.CONFIRM_PAYMENT: waits.unpaid, Step.SHIP_OUT: waits.warehouse_quiet}
    return step, now + quiet.get(step, waits.courier_quiet)
