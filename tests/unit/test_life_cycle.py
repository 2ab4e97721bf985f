"""The life cycle, checked as a table and walked at random."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.life_cycle import (
    ASKED_ANEW,
    CALLED_OFF,
    EARLY,
    ENDS_WITH,
    HELD_BECAUSE,
    LATE,
    MOVES,
    OUTRANKS,
    RELEASED_AHEAD,
    NoSuchMove,
    Standing,
    TooEarly,
    after,
)
from ballast.domain.words import Event, HoldReason, State

WAY = (
    State.PENDING_PAYMENT,
    State.STOCK_LOCKED,
    State.OUTBOUND,
    State.IN_TRANSIT,
    State.SIGNED,
    State.CLOSED,
)
RANK = {state: rank for rank, state in enumerate(WAY)}
HOLDABLE = WAY[:4]
NOT_LEFT = WAY[:2]
DECISIONS = frozenset(
    {
        Event.PAYMENT_CONFIRMED,
        Event.STOCK_LOCKED,
        Event.RESTOCKED,
        Event.MERGED,
        Event.RELEASED,
        Event.RETURNED,
        Event.RETURN_WINDOW_ENDED,
    }
)
"""Ours, not news: nobody outside says them."""
NEWS = frozenset(Event) - DECISIONS


def targets(state: State) -> set[State]:
    """Where one event can lead from here; a release leads to wherever a hold can begin."""
    found: set[State] = set()
    for (start, _), target in MOVES.items():
        if start is state:
            found |= {s for s, e in MOVES if MOVES[s, e] is State.ON_HOLD} if target is None else {target}
    return found


def test_every_state_is_reached_from_the_first() -> None:
    reached, fresh = {State.PENDING_PAYMENT}, {State.PENDING_PAYMENT}
    while fresh:
        fresh = {target for state in fresh for target in targets(state)} - reached
        reached |= fresh
    assert reached == set(State)


def test_closed_is_the_only_end_and_is_reached_from_everywhere() -> None:
    assert [state for state in State if not targets(state) - {state}] == [State.CLOSED]
    ends = {State.CLOSED}
    while grown := {state for state in State if targets(state) & ends} - ends:
        ends |= grown
    assert ends == set(State)


def test_moves_late_and_early_share_nothing() -> None:
    assert not LATE & EARLY
    assert not LATE & set(MOVES)
    assert not EARLY & set(MOVES)


@pytest.mark.parametrize(("state", "event"), list(product(WAY, sorted(NEWS))))
def test_all_news_is_classified_in_every_state(state: State, event: Event) -> None:
    assert sum(((state, event) in MOVES, (state, event) in LATE, (state, event) in EARLY)) == 1


@pytest.mark.parametrize(("state", "event"), list(product(WAY, sorted(Event))))
def test_after_does_what_the_table_says(state: State, event: Event) -> None:
    if (state, event) in EARLY:
        with pytest.raises(TooEarly, match=f"{event} came while the order is {state}"):
            after(Standing(state), event)
    elif (state, event) in LATE:
        assert after(Standing(state), event) is None
    elif (state, event) not in MOVES:
        with pytest.raises(NoSuchMove):
            after(Standing(state), event)
    elif MOVES[state, event] is State.ON_HOLD:
        assert after(Standing(state), event) == Standing(State.ON_HOLD, state, HELD_BECAUSE[event])
    else:
        assert after(Standing(state), event) == Standing(MOVES[state, event] or state)


@pytest.mark.parametrize("event", [event for (_, event), target in MOVES.items() if target is State.ON_HOLD])
def test_every_hold_knows_its_reason(event: Event) -> None:
    assert event in HELD_BECAUSE


@pytest.mark.parametrize(("state", "reason"), list(product(HOLDABLE, HoldReason)))
def test_a_hold_remembers_and_a_release_returns_or_leads_on(state: State, reason: HoldReason) -> None:
    held = after(Standing(state), Event.HELD, reason)
    assert held == Standing(State.ON_HOLD, state, reason)
    free = after(held, Event.RELEASED)
    assert free == Standing(RELEASED_AHEAD.get((state, reason), state))
    assert free is not None
    assert RANK[free.state] >= RANK[state]


def test_news_moves_a_held_order_forward_behind_its_hold() -> None:
    held = Standing(State.ON_HOLD, State.STOCK_LOCKED, HoldReason.COMPLAINT)
    shipped = after(held, Event.SHIPPED)
    assert shipped == Standing(State.ON_HOLD, State.OUTBOUND, HoldReason.COMPLAINT)
    scanned = after(shipped, Event.SCANNED)
    assert scanned is not None
    assert after(scanned, Event.RELEASED) == Standing(State.IN_TRANSIT)


@pytest.mark.parametrize("reason", HoldReason)
@pytest.mark.parametrize("event", [Event.SCANNED, Event.PARCEL_SIGNED])
def test_only_the_news_for_a_reason_ends_its_hold(reason: HoldReason, event: Event) -> None:
    there = after(Standing(State.ON_HOLD, State.IN_TRANSIT, reason), event)
    ends = event in ENDS_WITH.get(reason, frozenset())
    assert there == (Standing(State.IN_TRANSIT) if ends else Standing(State.ON_HOLD, State.IN_TRANSIT, reason))


@pytest.mark.parametrize("reason", HoldReason)
def test_goods_that_arrived_need_nobody_any_more(reason: HoldReason) -> None:
    assert after(Standing(State.ON_HOLD, State.IN_TRANSIT, reason), Event.SIGNED) == Standing(State.SIGNED)


def test_a_held_order_can_be_given_up_and_its_unpaid_payment_can_end() -> None:
    held = Standing(State.ON_HOLD, State.PENDING_PAYMENT, HoldReason.PAYMENT_MISMATCH)
    assert after(held, Event.CANCELLED) == Standing(State.CLOSED)
    assert after(held, Event.PAYMENT_ENDED) == Standing(State.CLOSED)
    assert after(held, Event.PAYMENT_CAPTURED) == Standing(State.PENDING_PAYMENT)


def test_one_hold_at_a_time() -> None:
    held = Standing(State.ON_HOLD, State.IN_TRANSIT, HoldReason.COMPLAINT)
    assert after(held, Event.HELD, HoldReason.COURIER_DAMAGED) is None
    for outranks in OUTRANKS:
        there = after(held, Event.HELD, outranks)
        assert there == Standing(State.ON_HOLD, State.IN_TRANSIT, outranks)
        assert after(there, Event.HELD, outranks) is None


@pytest.mark.parametrize("other", HoldReason)
def test_no_weaker_cause_accepts_a_short_delivery(other: HoldReason) -> None:
    """Its place is taken only where goods that left mean a return."""
    short = Standing(State.ON_HOLD, State.STOCK_LOCKED, HoldReason.SHIPPED_SHORT)
    there = after(short, Event.HELD, other)
    assert (there is None) == (other not in OUTRANKS)


def test_held_orders_know_early_and_impossible_too() -> None:
    held = Standing(State.ON_HOLD, State.STOCK_LOCKED, HoldReason.COMPLAINT)
    with pytest.raises(TooEarly):
        after(held, Event.SCANNED)
    with pytest.raises(NoSuchMove):
        after(held, Event.STOCK_LOCKED)
    assert after(held, Event.PAYMENT_CAPTURED) is None


steps = st.lists(st.tuples(st.sampled_from(sorted(Event)), st.sampled_from(sorted(HoldReason))), max_size=40)


@given(steps)
def test_whatever_happens_no_order_goes_backward(walk: list[tuple[Event, HoldReason]]) -> None:
    standing = Standing(State.PENDING_PAYMENT)
    for event, reason in walk:
        place = standing.held_from or standing.state
        try:
            ahead = after(standing, event, reason)
        except (TooEarly, NoSuchMove):
            continue
        if ahead is None:
            continue
        assert standing.state is not State.CLOSED
        assert RANK[ahead.held_from or ahead.state] >= RANK[place]
        held = ahead.state is State.ON_HOLD
        assert held == (ahead.held_from is not None) == (ahead.reason is not None)
        assert ahead.held_from in (None, *HOLDABLE)
        standing = ahead


def test_a_cause_that_only_a_person_ends_takes_the_place_of_one_that_ends_by_itself() -> None:
    delayed = Standing(State.ON_HOLD, State.IN_TRANSIT, HoldReason.COURIER_PROBLEM)
    refunded = after(delayed, Event.REFUNDED)
    assert refunded == Standing(State.ON_HOLD, State.IN_TRANSIT, HoldReason.REFUNDED_ON_THE_WAY)
    assert refunded is not None
    assert after(refunded, Event.SCANNED) == refunded, "the parcel moving again must not let a refunded order go on"
    assert after(refunded, Event.HELD, HoldReason.COURIER_PROBLEM) is None, "the weaker cause is only noted"


@pytest.mark.parametrize("reason", HoldReason)
@pytest.mark.parametrize("place", HOLDABLE)
def test_a_refund_on_hold_does_what_it_does_where_the_order_was_held(place: State, reason: HoldReason) -> None:
    held = Standing(State.ON_HOLD, place, reason)
    there = after(held, Event.REFUNDED)
    if place is State.PENDING_PAYMENT:
        assert there == Standing(State.CLOSED)
    elif reason is HoldReason.REFUNDED_ON_THE_WAY:
        assert there is None
    else:
        ahead = RELEASED_AHEAD.get((place, reason), place)
        assert there == Standing(State.ON_HOLD, ahead, HoldReason.REFUNDED_ON_THE_WAY)


@pytest.mark.parametrize("reason", HoldReason)
def test_no_way_leads_a_refunded_order_back_to_the_warehouse(reason: HoldReason) -> None:
    """Not by a release, whatever it was held for before, and not by any other hold that comes on top."""
    refunded = after(Standing(State.ON_HOLD, State.STOCK_LOCKED, reason), Event.REFUNDED)
    for standing in (refunded or Standing(State.ON_HOLD, State.STOCK_LOCKED, reason), Standing(State.STOCK_LOCKED)):
        held = after(standing, Event.REFUNDED) or standing
        for other in HoldReason:
            assert after(held, Event.HELD, other) is None
        free = after(held, Event.RELEASED)
        assert free is not None
        assert free.state in (State.CLOSED, State.OUTBOUND)


@pytest.mark.parametrize("place", WAY)
def test_a_cancellation_ends_only_what_nothing_outside_has(place: State) -> None:
    asked, done = after(Standing(place), Event.CANCEL_ASKED), after(Standing(place), Event.CANCELLED)
    if place in NOT_LEFT:
        assert asked == Standing(State.ON_HOLD, place, HoldReason.CANCEL_ASKED)
        assert done == Standing(State.CLOSED)
    else:
        assert (asked, done) == (None, None)


@pytest.mark.parametrize("reason", HoldReason)
@pytest.mark.parametrize("place", HOLDABLE)
def test_a_cancellation_takes_the_place_of_other_holds_until_the_goods_left(place: State, reason: HoldReason) -> None:
    held = Standing(State.ON_HOLD, place, reason)
    asked, done = after(held, Event.CANCEL_ASKED), after(held, Event.CANCELLED)
    if place not in NOT_LEFT:
        assert (asked, done) == (None, None)
    elif RELEASED_AHEAD.get((place, reason)) is State.OUTBOUND:
        assert asked == Standing(State.ON_HOLD, State.OUTBOUND, HoldReason.CANCEL_ASKED)
    else:
        assert (asked is None) == (reason in CALLED_OFF)
        assert asked is None or asked == Standing(State.ON_HOLD, place, HoldReason.CANCEL_ASKED)
        assert done == Standing(State.CLOSED)


def test_what_can_be_overridden_is_a_judgement() -> None:
    assert not ASKED_ANEW & {HoldReason.PAYMENT_MISMATCH, HoldReason.COMPLAINT, HoldReason.COURIER_DAMAGED}
    assert not ASKED_ANEW & set(OUTRANKS)
