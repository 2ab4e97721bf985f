"""Clocks of the SLA policy: counted by hand on examples, and against a plain minute by minute count on random ones."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.clock import SHANGHAI
from ballast.domain.sla import (
    Breach,
    Clock,
    Hold,
    Level,
    Limits,
    Moment,
    OrderFacts,
    Pause,
    Policy,
    Return,
    Role,
    Selection,
)
from ballast.domain.words import State
from ballast.domain.working_time import Span, WorkingHours, reached
from ballast.rules.sla import read_policy
from ballast.rules.workdays import is_workday

T0 = datetime(2026, 1, 5, 1, tzinfo=UTC)  # a Monday, 09:00 in Shanghai
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFFICE = WorkingHours(time(9), time(18), SHANGHAI, is_workday)
SHIPPED = Policy(clocks=read_policy(Path(__file__).parents[2] / "rules" / "sla.yaml", T0).clocks, hours=OFFICE)
"""The clocks that Ballast comes with."""


def facts(state: State = State.IN_TRANSIT, **changes: object) -> OrderFacts:
    way = {Moment.PLACED: T0, Moment.PAID: T0 + HOUR, Moment.LOCKED: T0 + 2 * HOUR, Moment.OUTBOUND: T0 + 3 * HOUR,
           Moment.FIRST_SCAN: T0 + 10 * HOUR}  # fmt: skip
    base = OrderFacts(
        state=state, channel="direct", tier="", couriers=frozenset({"SF"}), region="浙江省", milestones=way
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # tests name fields


def breaches(order: OrderFacts, now: datetime, clock: str, policy: Policy = SHIPPED) -> list[Breach]:
    return [one for one in policy.read(order, now).breaches if one.clock.name == clock]


def levels(order: OrderFacts, now: datetime, clock: str, policy: Policy = SHIPPED) -> list[str]:
    return [one.level for one in breaches(order, now, clock, policy)]


# -- counting


@given(
    amount=st.integers(1, 3000),
    pauses=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 900)), max_size=5),
    opens=st.integers(0, 20),
    long=st.integers(1, 3),
    working=st.booleans(),
)
def test_counting_agrees_with_a_count_minute_by_minute(
    amount: int, pauses: list[tuple[int, int]], opens: int, long: int, working: bool
) -> None:
    spans: list[Span] = [(T0 + MINUTE * at, T0 + MINUTE * (at + length)) for at, length in pauses]
    hours = WorkingHours(time(opens), time(opens + long), SHANGHAI, is_workday) if working else None
    found = reached(T0, MINUTE * amount, pauses=spans, hours=hours)
    at, counted = T0, 0
    while counted < amount:
        local = at.astimezone(SHANGHAI)
        counts = not any(begins <= at < ends for begins, ends in spans if ends)
        if hours is not None:
            counts = counts and is_workday(local.date()) and opens <= local.hour < opens + long
        counted, at = counted + counts, at + MINUTE
    assert found == at


def test_a_pause_that_goes_on_leaves_it_open() -> None:
    assert reached(T0, 2 * HOUR, pauses=[(T0 + HOUR, None)]) is None
    assert reached(T0, HOUR, pauses=[(T0 + HOUR, None)]) == T0 + HOUR
    assert reached(T0, 2 * HOUR, pauses=[(T0 + HOUR, T0 + 3 * HOUR), (T0 + 2 * HOUR, T0 + 4 * HOUR)]) == T0 + 5 * HOUR


def test_the_new_year_and_its_make_up_days_are_not_monday_to_friday() -> None:
    """2026: off from Sunday 15 to Monday 23 February; Saturday 14 and 28 are worked instead."""
    friday_evening = datetime(2026, 2, 13, 9, 30, tzinfo=UTC)  # 17:30 in Shanghai
    assert reached(friday_evening, HOUR, hours=OFFICE) == datetime(2026, 2, 14, 1, 30, tzinfo=UTC)
    assert reached(friday_evening, 10 * HOUR, hours=OFFICE) == datetime(2026, 2, 24, 1, 30, tzinfo=UTC)


def test_a_year_that_the_calendar_does_not_know_is_monday_to_friday() -> None:
    assert is_workday(date(2031, 1, 1)), "a Wednesday"
    assert not is_workday(date(2031, 1, 4)), "a Saturday"


def test_a_calendar_without_a_working_day_comes_to_an_end() -> None:
    assert reached(T0, HOUR, hours=replace(OFFICE, works=lambda _: False)) is None


# -- clocks


def test_48_hours_begin_at_the_first_scan() -> None:
    scanned = T0 + 10 * HOUR
    assert levels(facts(), scanned + 48 * HOUR - MINUTE, "in_transit") == []
    assert levels(facts(), scanned + 48 * HOUR, "in_transit") == ["yellow"]
    assert levels(facts(), scanned + 72 * HOUR, "in_transit") == ["yellow", "red"]
    label_only = facts(State.OUTBOUND, milestones={Moment.OUTBOUND: T0})
    assert levels(label_only, T0 + 30 * DAY, "in_transit") == [], "a printed label is not transit"
    assert levels(label_only, T0 + 30 * DAY, "outbound_not_scanned") == ["yellow", "red"]


def test_what_ended_in_time_is_no_breach_and_what_ended_late_is_one_that_is_over() -> None:
    scanned = T0 + 10 * HOUR
    for hours, expected in ((47, []), (50, ["yellow"]), (80, ["yellow", "red"])):
        signed = {**facts().milestones, Moment.SIGNED: scanned + hours * HOUR}
        found = breaches(facts(State.SIGNED, milestones=signed), T0 + 30 * DAY, "in_transit")
        assert [one.level for one in found] == expected
        assert all(one.ended_at == scanned + hours * HOUR for one in found)


def test_a_dropped_scan_ends_the_clock_that_waited_for_it() -> None:
    signed = {Moment.PLACED: T0, Moment.OUTBOUND: T0, Moment.SIGNED: T0 + 30 * HOUR}
    [late] = breaches(facts(State.SIGNED, milestones=signed), T0 + 30 * DAY, "outbound_not_scanned")
    assert (late.level, late.ended_at) == ("yellow", T0 + 30 * HOUR)


def test_an_order_that_is_closed_has_no_clock_running() -> None:
    closed = {Moment.PLACED: T0, Moment.CLOSED: T0 + HOUR}
    assert SHIPPED.read(facts(State.CLOSED, milestones=closed), T0 + 30 * DAY).next_at is None
    assert levels(facts(State.CLOSED, milestones=closed), T0 + 30 * DAY, "unpaid") == []


def test_a_hold_pauses_the_clock_that_says_so_and_runs_one_of_its_own() -> None:
    paid = {Moment.PLACED: T0, Moment.PAID: T0}
    held = (Hold(held_at=T0 + 10 * MINUTE),)
    order = facts(State.PENDING_PAYMENT, milestones=paid, holds=held)
    assert levels(order, T0 + 2 * DAY, "paid_not_locked") == []
    assert levels(order, T0 + 2 * DAY, "held_unacknowledged") == ["yellow", "red"]
    let_go = replace(order, holds=(replace(held[0], released_at=T0 + HOUR),))
    [late] = breaches(let_go, T0 + HOUR + 5 * MINUTE, "paid_not_locked")
    assert late.due_at == T0 + HOUR + 5 * MINUTE, "ten minutes before the hold and five after it"


def test_who_takes_a_hold_on_stops_its_clock_and_each_hold_has_its_own() -> None:
    holds = (
        Hold(held_at=T0, acknowledged_at=T0 + 20 * MINUTE, released_at=T0 + DAY),
        Hold(held_at=T0 + 2 * DAY, released_at=T0 + 2 * DAY + 5 * MINUTE),
        Hold(held_at=T0 + 3 * DAY),
    )
    found = breaches(facts(holds=holds), T0 + 3 * DAY + 20 * MINUTE, "held_unacknowledged")
    assert [(one.started_at, one.level, one.ended_at) for one in found] == [
        (T0, "yellow", T0 + 20 * MINUTE),
        (T0 + 3 * DAY, "yellow", None),
    ]


def test_a_return_waits_for_its_answer_in_any_state() -> None:
    for state in (State.OUTBOUND, State.SIGNED, State.CLOSED):
        order = facts(state, returns=(Return(asked_at=T0), Return(asked_at=T0, answered_at=T0 + HOUR)))
        assert levels(order, T0 + 4 * HOUR, "return_unanswered") == ["yellow"]


def test_goods_of_a_return_are_waited_for_from_its_approval_until_they_are_counted() -> None:
    back = Return(asked_at=T0, answered_at=T0 + HOUR, approved_at=T0 + HOUR, back_at=T0 + 5 * DAY)
    lost, kept = replace(back, back_at=None), replace(back, approved_at=None, back_at=None)
    order = facts(State.SIGNED, returns=(back, lost, kept))
    assert levels(order, T0 + 10 * DAY, "goods_not_back") == []
    assert levels(order, T0 + 10 * DAY + HOUR, "goods_not_back") == ["yellow"]
    assert levels(order, T0 + 20 * DAY + HOUR, "goods_not_back") == ["yellow", "red"]


def test_a_wish_of_the_customer_pauses() -> None:
    order = facts(wishes=((T0 + 12 * HOUR, T0 + 12 * HOUR + 3 * DAY),))
    assert levels(order, T0 + 10 * HOUR + 4 * DAY, "in_transit") == []
    assert levels(order, T0 + 10 * HOUR + 5 * DAY, "in_transit") == ["yellow"]


def test_who_the_order_is_for_decides_which_row_counts() -> None:
    far = facts(region="新疆维吾尔自治区")
    assert levels(far, T0 + 10 * HOUR + 95 * HOUR, "in_transit") == []
    locked = {Moment.LOCKED: T0}
    usual = facts(State.STOCK_LOCKED, milestones=locked)
    assert levels(usual, T0 + 7 * HOUR, "locked_not_outbound") == []
    assert levels(replace(usual, tier="vip"), T0 + 7 * HOUR, "locked_not_outbound") == ["yellow"]


# -- the short cut of the moves

SPANS = st.integers(0, 100 * 60)


@given(
    reach=st.integers(0, 6),
    gaps=st.lists(st.integers(0, 60 * 60), min_size=7, max_size=7),
    holds=st.lists(st.tuples(SPANS, SPANS), max_size=2),
    tier=st.sampled_from(["", "vip"]),
    region=st.sampled_from(["浙江", "西藏"]),
)
def test_no_breach_comes_before_the_time_that_a_move_sets(
    reach: int, gaps: list[int], holds: list[tuple[int, int]], tier: str, region: str
) -> None:
    """`earliest` knows no pause, calendar or customer: it may be too early, never too late."""
    moments = (Moment.PLACED, Moment.PAID, Moment.LOCKED, Moment.OUTBOUND, Moment.FIRST_SCAN, Moment.SIGNED)
    way, at = {}, T0
    for moment, gap in zip(moments[: reach + 1], gaps, strict=False):
        at += gap * MINUTE
        way[moment] = at
    states = [State.PENDING_PAYMENT, State.PENDING_PAYMENT, State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT]
    state = (states + [State.SIGNED] * 2)[reach]
    spans = tuple(Hold(held_at=T0 + MINUTE * b, released_at=T0 + MINUTE * (b + n)) for b, n in holds)
    order = facts(state, milestones=way, tier=tier, region=region, holds=spans)
    before = dict(list(way.items())[:-1])
    earliest = SHIPPED.earliest(state, before, way, at)
    first = [
        one.due_at
        for one in SHIPPED.read(order, at + 900 * DAY).breaches
        if one.clock.since is not Moment.HELD and (one.ended_at is None or one.ended_at == at)
    ]
    assert not first or (earliest is not None and earliest <= max(at, min(first)))


@given(passed=st.integers(0, 200 * 60), holds=st.lists(st.tuples(SPANS, SPANS), max_size=2))
def test_reading_says_exactly_when_it_has_to_be_read_again(passed: int, holds: list[tuple[int, int]]) -> None:
    order = facts(holds=tuple(Hold(held_at=T0 + MINUTE * b, released_at=T0 + MINUTE * (b + n)) for b, n in holds))
    now = T0 + MINUTE * passed
    reading = SHIPPED.read(order, now)
    if reading.next_at is None:
        assert SHIPPED.read(order, now + 900 * DAY).breaches == reading.breaches
        return
    assert reading.next_at > now
    assert SHIPPED.read(order, reading.next_at - timedelta(microseconds=1)).breaches == reading.breaches
    assert len(SHIPPED.read(order, reading.next_at).breaches) > len(reading.breaches)


# -- people


def test_a_roster_takes_turns() -> None:
    role = Role(people=("zhang", "li", "wang"), turn=7 * DAY, begins=T0)
    on_duty = [role.on_duty(T0 + week * 7 * DAY + HOUR) for week in range(-1, 4)]
    assert on_duty == [("wang",), ("zhang",), ("li",), ("wang",), ("zhang",)]
    assert Role(people=("zhang", "li")).on_duty(T0) == ("zhang", "li")


def test_a_row_covers_what_another_can_only_take_a_part_of() -> None:
    sf, south = Selection(courier=frozenset({"SF"})), Selection(courier=frozenset({"SF"}), region=frozenset({"海南"}))
    assert sf.covers(south)
    assert not south.covers(sf)
    assert Selection().covers(sf)


@pytest.mark.parametrize("pause", Pause)
def test_every_pause_is_used_by_a_clock_that_comes_with_ballast(pause: Pause) -> None:
    assert any(pause in clock.pauses for clock in SHIPPED.clocks)


def test_a_clock_without_yellow_is_red_only() -> None:
    row = Limits(only=Selection(), yellow=None, red=HOUR)
    clock = Clock(name="x", label="x", state=State.IN_TRANSIT, since=Moment.FIRST_SCAN, until=Moment.SIGNED,
                  limits=(row,))  # fmt: skip
    assert levels(facts(), T0 + 11 * HOUR, "x", Policy(clocks=(clock,))) == [Level.RED]
