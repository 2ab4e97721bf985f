"""What a channel brings: medians against plain lists, no data where there is none, and the rule of the radar."""

from dataclasses import replace
from datetime import UTC, date, datetime
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.channels import (
    AXES,
    AgeCount,
    ChannelReport,
    ChannelReturn,
    Compared,
    Measure,
    Period,
    Repurchase,
    change,
    measure,
    scores,
)
from tasks.channel_words import ChannelWords

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


def waits(*spans: tuple[int, int, bool]) -> Repurchase:
    """(age when it was first seen, age when it ended or was lost sight of, whether it ended)."""
    ages: dict[int, list[int]] = {}
    for entered, over, ended in spans:
        ages.setdefault(entered, [0, 0, 0])[0] += 1
        ages.setdefault(over, [0, 0, 0])[1 if ended else 2] += 1
    return Repurchase([AgeCount(age, *counts) for age, counts in sorted(ages.items())])


def by_hand(spans: list[tuple[int, int, bool]]) -> int | None:
    """Kaplan and Meier's median from the list itself, in whole numbers: no rounding decides where the half is."""
    left = of = 1
    for age in sorted({over for _, over, ended in spans if ended}):
        at_risk = sum(entered <= age <= over for entered, over, _ in spans)
        back = sum(over == age and ended for _, over, ended in spans)
        left, of = left * (at_risk - back), of * at_risk
        if 2 * left <= of:
            return age
    return None


SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()).map(lambda s: (min(s[:2]), max(s[:2]), s[2])),
    max_size=30,
)


@given(SPANS, SPANS)
def test_both_medians_are_those_of_the_list(
    one: list[tuple[int, int, bool]], other: list[tuple[int, int, bool]]
) -> None:
    found, spans = waits(*one) + waits(*other), one + other
    ended = [over for _, over, came in spans if came]
    assert (found.ended, found.waiting) == (len(ended), len(spans) - len(ended))
    assert found.median == (median(ended) if ended else None)
    assert found.estimate == by_hand(spans)


def test_who_has_not_come_back_makes_the_cycle_longer() -> None:
    back = [(0, 10, True), (0, 20, True)]
    assert waits(*back).estimate == 10 and waits(*back).median == 15
    assert waits(*back, (0, 30, False)).estimate == 20
    assert waits(*back, *[(0, 30, False)] * 3).estimate is None, "the half was not reached"


def test_a_sum_of_shares_meets_the_half_exactly() -> None:
    """(1 - 1/3) (1 - 1/4) is a little more than a half for a machine."""
    spans = [(0, 5, True), (0, 6, False), (0, 6, False), (6, 9, True), (6, 20, False), (6, 20, False), (6, 20, False)]
    assert waits(*spans).estimate == by_hand(spans) == 9


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ("2026-03-01", "2026-03-31", ("2026-02-01", "2026-02-28")),
        ("2026-01-01", "2026-01-31", ("2025-12-01", "2025-12-31")),
        ("2026-01-01", "2026-03-31", ("2025-10-01", "2025-12-31")),
        ("2026-03-02", "2026-03-08", ("2026-02-23", "2026-03-01")),
        ("2026-03-01", "2026-03-01", ("2026-02-28", "2026-02-28")),
    ],
)
def test_the_period_before(first: str, last: str, before: tuple[str, str]) -> None:
    found = Period(date.fromisoformat(first), date.fromisoformat(last)).before
    assert (str(found.first), str(found.last)) == before


def one(**figures: Any) -> ChannelReturn:
    return ChannelReturn(channel="douyin", currency="CNY", **figures)


def test_nothing_is_never_a_number() -> None:
    nothing = one()
    assert {name for name in Measure if measure(name, nothing) is not None} == {Measure.ORDERS}
    for_free = one(orders=2, revenue=3000, cost=0)
    assert measure(Measure.ROI, for_free) is None and measure(Measure.CONTRIBUTION, for_free) == 3000
    assert measure(Measure.COST_PER_NEW, for_free) is None
    spent = one(cost=5000, cost_days=3)
    assert measure(Measure.ROI, spent) == -1.0 and measure(Measure.COST_SHARE, spent) is None
    assert change(Measure.REVENUE, for_free, nothing) is None
    assert change(Measure.ORDERS, for_free, nothing) is None, "from none to two is no part of none"
    words = ChannelWords("en")
    assert [words.cell(name, Compared(nothing, nothing)) for name in Measure] == ["0"] + ["no data"] * 13


def test_figures_and_their_changes() -> None:
    now = one(orders=4, new_customers=2, revenue=10001, refunds=1, returned=1, cost=2500, cost_days=28)
    before = one(orders=8, new_customers=4, revenue=20000, refunds=0, returned=0, cost=2500)
    told = {str(name): measure(name, now) for name in Measure}
    assert told == {
        "orders": 4, "revenue": 10001, "refunds": 1, "net_revenue": 10000, "acquisition_cost": 2500,
        "new_customers": 2,
        "cost_per_new_customer": 1250, "average_order_value": 2500, "return_rate": 0.25, "repurchase_days": None,
        "repurchase_days_estimate": None, "contribution": 7500, "roi": 3.0, "cost_share": 0.25,
    }  # fmt: skip
    assert change(Measure.ORDERS, now, before) == -0.5 and change(Measure.RETURN_RATE, now, before) == 0.25
    assert change(Measure.ROI, now, before) == -4.0
    words, both = ChannelWords("en"), Compared(now, before)
    assert words.cell(Measure.RETURN_RATE, both) == "25.0 % (+25.0 pp)"
    assert words.better(Measure.RETURN_RATE, both) is False and words.better(Measure.COST, both) is None


def test_a_sum_of_unknown_costs_is_unknown() -> None:
    known = one(orders=1, revenue=100, cost=10, cost_days=31)
    total = ChannelReport(
        period=Period(date(2026, 3, 1), date(2026, 3, 31)),
        as_of=NOON,
        before_as_of=NOON,
        channels=[Compared(known, known), Compared(replace(known, channel="pos", cost=None), known)],
    ).totals()[0]
    assert total.now.revenue == 200 and total.now.cost is None and total.before.cost == 20


def test_the_radar_has_one_scale_for_both_periods() -> None:
    now = one(orders=1, revenue=5000, refunds=0, returned=0, cost=2500, repurchase=waits((0, 45, True)))
    before = one(orders=1, revenue=10000, refunds=0, returned=1, cost=0)
    report = ChannelReport(
        period=Period(date(2026, 3, 1), date(2026, 3, 31)), as_of=NOON, before_as_of=NOON,
        channels=[Compared(now, before)],
    )  # fmt: skip
    [(channel, scored, earlier)] = scores(report, "CNY")
    assert channel == "douyin"
    of = dict(zip((axis.measure for axis in AXES), zip(scored, earlier, strict=True), strict=True))
    assert of[Measure.NET] == (50.0, 100.0) and of[Measure.AVERAGE] == (50.0, 100.0)
    assert of[Measure.RETURN_RATE] == (100.0, 0.0), "all of one order came back: worse than the worst"
    assert of[Measure.REPURCHASE_ALL] == (75.0, None)
    assert of[Measure.COST_SHARE] == (0.0, 100.0)
    assert of[Measure.CONTRIBUTION] == (25.0, 100.0)
