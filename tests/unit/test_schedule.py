"""When which step looks again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ballast.domain.life_cycle import CALLED_OFF, ENDS_WITH, MAY_BE_UNPAID, Standing
from ballast.domain.schedule import Due, Facts, Waits, next_due
from ballast.domain.words import Event, HoldReason, State, Step
from tests.times import NOON

HOUR = timedelta(hours=1)
WAITS = Waits(unpaid=HOUR / 2, warehouse_quiet=12 * HOUR, courier_quiet=24 * HOUR, return_window=7 * 24 * HOUR)
HOLDABLE = (State.PENDING_PAYMENT, State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT)
PLACED = NOON - timedelta(minutes=10)
FACTS = Facts(
    standing=Standing(State.PENDING_PAYMENT),
    placed_at=PLACED,
    paid_at=None,
    signed_at=None,
    with_warehouse=False,
    charge_waiting=False,
    all_signed=False,
)


@pytest.mark.parametrize(
    ("state", "facts", "step", "at"),
    [
        (State.PENDING_PAYMENT, {}, Step.CONFIRM_PAYMENT, PLACED + HOUR / 2),
        (State.PENDING_PAYMENT, {"placed_at": NOON - 9 * HOUR}, Step.CONFIRM_PAYMENT, NOON),
        (State.PENDING_PAYMENT, {"charge_waiting": True}, Step.CONFIRM_PAYMENT, NOON),
        (State.PENDING_PAYMENT, {"paid_at": PLACED}, Step.LOCK_STOCK, NOON),
        (State.STOCK_LOCKED, {}, Step.SHIP_OUT, NOON),
        (State.STOCK_LOCKED, {"with_warehouse": True}, Step.SHIP_OUT, NOON + 12 * HOUR),
        (State.OUTBOUND, {}, Step.TRACK_TRANSIT, NOON + 24 * HOUR),
        (State.IN_TRANSIT, {}, Step.TRACK_TRANSIT, NOON + 24 * HOUR),
        (State.IN_TRANSIT, {"all_signed": True}, Step.SIGN_OFF, NOON),
        (State.OUTBOUND, {"all_signed": True}, Step.SIGN_OFF, NOON),
        (State.SIGNED, {"signed_at": NOON - HOUR}, Step.SIGN_OFF, NOON - HOUR + 7 * 24 * HOUR),
        (State.SIGNED, {}, Step.SIGN_OFF, NOON + 7 * 24 * HOUR),
    ],
)
def test_what_is_next(state: State, facts: dict[str, object], step: Step, at: datetime) -> None:
    known = replace(FACTS, standing=Standing(state), **facts)  # type: ignore[arg-type]  # fields of the table above
    assert next_due(known, NOON, WAITS) == (step, at)


def test_every_state_but_closed_and_held_is_looked_at_again() -> None:
    for state in State:
        reason = HoldReason.BY_HAND if state is State.ON_HOLD else None
        standing = Standing(state, State.STOCK_LOCKED if reason else None, reason)
        due = next_due(replace(FACTS, standing=standing), NOON, WAITS)
        assert (due is None) == (state in (State.CLOSED, State.ON_HOLD))


@pytest.mark.parametrize("reason", HoldReason)
def test_a_hold_that_a_scan_can_end_goes_on_asking_for_scans(reason: HoldReason) -> None:
    standing = Standing(State.ON_HOLD, State.IN_TRANSIT, reason)
    asks = Event.SCANNED in ENDS_WITH.get(reason, ())
    expected = (Step.TRACK_TRANSIT, NOON + 24 * HOUR) if asks else None
    if reason is HoldReason.CANCEL_ASKED:  # the goods were faster: it ends as a return
        expected = (Step.CALL_OFF, NOON)
    assert next_due(replace(FACTS, standing=standing), NOON, WAITS) == expected


@pytest.mark.parametrize("place", [State.PENDING_PAYMENT, State.STOCK_LOCKED])
@pytest.mark.parametrize("reason", sorted(CALLED_OFF))
def test_what_is_not_wanted_any_more_is_called_off_at_once(place: State, reason: HoldReason) -> None:
    assert held_is_due(place, reason) == (Step.CALL_OFF, NOON)


@pytest.mark.parametrize("reason", sorted(set(HoldReason) - CALLED_OFF))
def test_a_hold_that_money_or_the_warehouse_can_end_goes_on_asking_for_it(reason: HoldReason) -> None:
    ends = ENDS_WITH.get(reason, ())
    asked = Event.PAYMENT_CAPTURED in ends or reason in MAY_BE_UNPAID  # one that is never paid is closed in the end
    money = (Step.CONFIRM_PAYMENT, NOON + HOUR / 2) if asked else None
    goods = (Step.SHIP_OUT, NOON + 12 * HOUR) if {Event.SHIPPED, Event.SCANNED} & set(ends) else None
    assert held_is_due(State.PENDING_PAYMENT, reason) == money
    assert held_is_due(State.STOCK_LOCKED, reason, with_warehouse=True) == goods
    assert held_is_due(State.STOCK_LOCKED, reason) is None, "a warehouse that knows nothing of it is not asked"


@pytest.mark.parametrize("paid", [{"paid_at": NOON}, {"charge_waiting": True}])
def test_what_a_gate_stopped_waits_for_a_person_once_it_is_paid(paid: dict[str, Any]) -> None:
    standing = Standing(State.ON_HOLD, State.PENDING_PAYMENT, HoldReason.PRICE_MISMATCH)
    assert next_due(replace(FACTS, standing=standing, **paid), NOON, WAITS) is None


def test_some_holds_are_asked_about_by_every_step_on_the_way() -> None:
    held = {held_is_due(place, reason, with_warehouse=True) for place in HOLDABLE for reason in ENDS_WITH}
    assert {due[0] for due in held if due} == {Step.CONFIRM_PAYMENT, Step.SHIP_OUT, Step.TRACK_TRANSIT}


def held_is_due(place: State, reason: HoldReason, *, with_warehouse: bool = False) -> Due | None:
    standing = Standing(State.ON_HOLD, place, reason)
    return next_due(replace(FACTS, standing=standing, with_warehouse=with_warehouse), NOON, WAITS)
