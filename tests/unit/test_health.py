"""The health of a customer, worked out by hand, and what must hold of every one."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.health import (
    LEAST_ORDERS,
    RULES,
    Health,
    OrderPast,
    Part,
    PartScore,
    Severity,
    Why,
    delivery_clocks,
    health,
    hurts,
    why_of,
)
from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason
from ballast.domain.words import HoldReason
from ballast.rules.sla import read_policy
from tests.times import NOON

DAY = timedelta(days=1)
LONG = timedelta(hours=5)


def order(days: float, yuan: int = 100, **parts: object) -> OrderPast:
    return OrderPast(placed_at=NOON - days * DAY, total=Money(yuan * 100), **parts)  # type: ignore[arg-type]  # parts as they come


EXAMPLE = [
    order(10, 300, breaches=("yellow",)),
    order(20),
    order(50, holds=((HoldReason.COURIER_DAMAGED, timedelta(minutes=1)),)),
    order(100, returns=((ReturnReason.OTHER, "七天无理由"),)),
    order(170, 50),
    order(160),
]
"""The example of docs/customers.md. An ordinary order is 100 yuan.

weights  300 -> 3000 x 8 = 24000; 100 -> 1000 x 8 = 8000, x 4 = 4000, x 2 = 2000, x 1 = 1000; 50 -> 500 x 1;
         39500 in all
late     24000 x 40 % / 39500 = 24.30 %  -> 45 x 24.30 / 40 = 27.34 -> 27
damaged  4000 x 100 % / 39500 = 10.12 %  -> 45 x 10.12 / 15 = 30.38 -> 30
returns  2000 x 20 %  / 39500 =  1.01 %  -> 30 x  1.01 / 30 =  1.01 ->  1
score    100 - 27 - 30 - 1 = 42
newer    36000 in all: late 26.67 % -> 30, damaged 11.11 % -> 33.33 -> 33: 37
older    3500 in all: returns 2000 x 20 % / 3500 = 11.43 % -> 11.43 -> 11: 89
"""


def test_the_example_by_hand() -> None:
    found = health(EXAMPLE, NOON)
    assert found == Health(
        orders=6,
        value=Money(75_000),
        score=42,
        newer=37,
        older=89,
        parts={
            Part.LATE: PartScore(orders=1, share=2430, lost=27),
            Part.DAMAGED: PartScore(orders=1, share=1012, lost=30),
            Part.RETURNS: PartScore(orders=1, share=101, lost=1),
        },
    )
    assert found.trend == -52


def test_without_enough_orders_there_is_no_score_not_nought() -> None:
    nothing = health([], NOON)
    assert (nothing.score, nothing.trend, nothing.value, nothing.orders) == (None, None, None, 0)
    few = health([order(1, breaches=("red",))] * (LEAST_ORDERS - 1), NOON)
    assert few.score is None and few.as_dict()["score"] is None
    assert health([order(1, breaches=("red",))] * LEAST_ORDERS, NOON).score == 100 - RULES[Part.LATE].cap
    assert health([order(0, 0)] * 3, NOON).score == 100, "orders that cost nothing divide by nothing"


def test_the_window_ends_where_it_says() -> None:
    assert health([order(180), order(179.999), order(-0.001), order(0)], NOON).orders == 2
    assert health([order(29), order(31)], NOON, days=30).orders == 1


def test_what_is_worth_more_costs_more_and_one_giant_hides_nothing() -> None:
    fine = [order(5) for _ in range(9)]
    dear = health([order(5, 50_000, breaches=("red",)), order(5, 50), *fine], NOON).score
    cheap = health([order(5, 50_000), order(5, 50, breaches=("red",)), *fine], NOON).score
    assert dear is not None and cheap is not None and dear < cheap < 100
    late = [order(5, breaches=("red",)) for _ in range(9)]
    hidden = health([order(5, 10_000_000), *late], NOON)
    assert hidden.parts[Part.LATE].share == 4736, "nine of nineteen ordinary orders, however dear the tenth is"


def test_currencies_weigh_by_their_own_ordinary_order() -> None:
    yen = [OrderPast(placed_at=NOON, total=Money(1_000_000, "JPY"), breaches=("red",))] * 2
    found = health([*yen, order(0), order(0)], NOON)
    assert found.parts[Part.LATE].share == 5000
    assert found.value == Money(20_000, "CNY"), "of as many orders the first by name"


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        (order(0, breaches=("yellow", "red")), {Part.LATE: 100}),
        (order(0, holds=((HoldReason.STOCK_SHORT, LONG),)), {Part.HELD: 100}),
        (order(0, holds=((HoldReason.STOCK_SHORT, timedelta(hours=3)),)), {}),
        (order(0, holds=((HoldReason.RISK_SUSPECTED, LONG), (HoldReason.PAYMENT_MISMATCH, LONG))), {Part.HELD: 30}),
        (order(0, holds=((HoldReason.COMPLAINT, timedelta(0)),)), {Part.COMPLAINTS: 60}),
        (order(0, complaints=(Severity.LOW, Severity.HIGH)), {Part.COMPLAINTS: 100}),
        (order(0, returns=((ReturnReason.NO_REASON, "外箱破损"),)), {Part.RETURNS: 100, Part.DAMAGED: 100}),
        (order(0, damaged=True), {Part.DAMAGED: 100}),
        (order(0), {}),
    ],
)
def test_what_hurts_an_order(past: OrderPast, expected: dict[Part, int]) -> None:
    assert hurts(past) == expected


@pytest.mark.parametrize(
    ("said", "reason", "why"),
    [
        ("Wrong item in the box", ReturnReason.OTHER, Why.SELLER),
        ("尺码不合适", ReturnReason.OTHER, Why.WISH),
        ("尺码发错", ReturnReason.OTHER, Why.SELLER),
        ("", ReturnReason.OTHER, Why.UNKNOWN),
        ("Arrived BROKEN, changed my mind", ReturnReason.NO_REASON, Why.DAMAGED),
        ("changed my mind", ReturnReason.QUALITY, Why.SELLER),
        ("quality", ReturnReason.CANCELLED_LATE, Why.WISH),
        ("", ReturnReason.NOT_DELIVERED, Why.UNKNOWN),
    ],
)
def test_why_something_comes_back(said: str, reason: ReturnReason, why: Why) -> None:
    assert why_of(said, reason) is why


def test_deliveries_are_late_by_the_clocks_of_the_way() -> None:
    policy = read_policy(Path(__file__).parents[2] / "rules" / "sla.yaml", NOON)
    assert delivery_clocks(policy) == ("paid_not_locked", "locked_not_outbound", "outbound_not_scanned", "in_transit")


PASTS = st.builds(
    OrderPast,
    placed_at=st.integers(0, 200 * 24).map(lambda hours: NOON - timedelta(hours=hours)),
    total=st.builds(Money, st.integers(0, 10**9)),
    breaches=st.lists(st.sampled_from(["yellow", "red"]), max_size=2).map(tuple),
    holds=st.lists(st.tuples(st.sampled_from(HoldReason), st.just(LONG)), max_size=2).map(tuple),
    returns=st.lists(
        st.tuples(st.sampled_from(ReturnReason), st.sampled_from(["破损", "错发", "不喜欢", "?"])), max_size=1
    ).map(tuple),
    complaints=st.lists(st.sampled_from(Severity), max_size=1).map(tuple),
)


@given(st.lists(PASTS, max_size=12))
def test_a_score_is_a_hundred_less_what_its_parts_lost(orders: list[OrderPast]) -> None:
    found = health(orders, NOON)
    lost = sum(one.lost for one in found.parts.values())
    assert found.score == (max(0, 100 - lost) if found.orders >= LEAST_ORDERS else None)
    assert all(0 <= one.lost <= RULES[part].cap and 0 <= one.share <= 10_000 for part, one in found.parts.items())


@given(st.lists(PASTS, min_size=3, max_size=8), st.integers(0, 7))
def test_one_more_late_delivery_never_makes_it_better(orders: list[OrderPast], place: int) -> None:
    worse = list(orders)
    worse[place % len(orders)] = replace(worse[place % len(orders)], breaches=("red",))
    before, after = health(orders, NOON).score, health(worse, NOON).score
    assert (before is None) == (after is None) and (before is None or after <= before)  # type: ignore[operator]  # neither is None
