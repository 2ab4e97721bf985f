"""What people type for a window, and what they read of a report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.clock import SHANGHAI
from ballast.domain.figures import Spread, spread
from ballast.domain.report import (
    Accuracy,
    Agreement,
    BreachFigures,
    Duplicates,
    HoldFigures,
    Interventions,
    LeadTime,
    Report,
    Response,
    Window,
)
from tasks.report_words import Words, markdown_table, money, percent
from tasks.window import NoWindow, day_before, read_window
from tests.times import NOON

NOTHING = Report(
    window=Window(NOON - timedelta(days=1), NOON), made_at=NOON, accuracy=Accuracy(),
    response=Response(Spread(0, None, None, None)), interventions=Interventions(0, 0, 0), states={},
    lead_times=[LeadTime("placed_paid", 0, None, None, 0, 0)], holds=[], breaches=[], duplicates=[], channels=[],
)  # fmt: skip
GOOD = replace(
    NOTHING,
    accuracy=Accuracy(NOON, "sample", Agreement(10_000, 9_998), {"kingdee": Agreement(10, 10)}),
    response=Response(spread([2.0, 10.0]), ended_alone=3),
    interventions=Interventions(1000, 10, 8, {"release": 7, "cancel": 3}),
    states={"SIGNED": 900, "ON_HOLD": 100},
    holds=[HoldFigures("STOCK_SHORT", 3, 1, 1, 1, 0, 180.0), HoldFigures("OF_A_LATER_VERSION", 1, 1, 0, 0, 0, None)],
    breaches=[BreachFigures("transit", "red", "", 2, 1)],
    duplicates=[Duplicates("CNY", 1, 2050, 2050, 0, 0), Duplicates("XTS", 1, 5, 0, 0, 5)],
)


@pytest.mark.parametrize(
    ("since", "until", "begins", "ends"),
    [
        ("24h", "", NOON - timedelta(hours=24), NOON),
        (" 7d ", "1D", NOON - timedelta(days=7), NOON - timedelta(days=1)),
        ("2w", "30m", NOON - timedelta(weeks=2), NOON - timedelta(minutes=30)),
        ("2026-01-01", "2026/02/01", datetime(2025, 12, 31, 16, tzinfo=UTC), datetime(2026, 1, 31, 16, tzinfo=UTC)),
        ("2026-01-01T08:00", "2026-01-01 08:00:00Z", datetime(2026, 1, 1, 0, tzinfo=UTC),
         datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("2026-01-01T08:00-03:00", "2026-03-05", datetime(2026, 1, 1, 11, tzinfo=UTC),
         datetime(2026, 3, 4, 16, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_window_as_people_type_it(since: str, until: str, begins: datetime, ends: datetime) -> None:
    assert read_window(since, until, NOON) == Window(begins, ends)


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        ("", "", "since '' is no time"),
        ("", "2026-01-01", "since '' is no time"),
        ("yesterday", "", "since 'yesterday' is no time"),
        ("-7d", "", "no time"),
        ("7", "", "no time"),
        ("٧d", "", "no time"),
        ("999999w", "", "no time"),
        ("2026-02-30", "", "no time"),
        ("0001-01-01", "", "no time"),
        ("7d", "noon", "until 'noon' is no time"),
        ("0h", "", "no length"),
        ("1d", "2d", "no length"),
        ("2027-01-01", "", "no length"),
        ("2026-01-01", "2026-01-01", "no length"),
    ],
)
def test_what_is_no_window_is_refused_in_one_sentence(since: str, until: str, says: str) -> None:
    with pytest.raises(NoWindow, match=says):
        read_window(since, until, NOON)


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_is_typed_is_a_window_or_refused(since: str, until: str) -> None:
    try:
        found = read_window(since, until, NOON)
    except NoWindow:
        return
    assert found.since < found.until


@pytest.mark.parametrize("now", [NOON, datetime(2026, 3, 4, 15, 59, tzinfo=UTC), datetime(2026, 3, 3, 16, tzinfo=UTC)])
def test_the_day_before_is_a_day_in_china(now: datetime) -> None:
    found = day_before(now)
    assert found.since.astimezone(SHANGHAI).isoformat() == "2026-03-03T00:00:00+08:00"
    assert found.until.astimezone(SHANGHAI).isoformat() == "2026-03-04T00:00:00+08:00"


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [(1.0, 2, "100.00 %"), (0.99999, 2, "99.99 %"), (0.9997, 2, "99.97 %"), (0.998, 1, "99.8 %"), (None, 2, "-"),
     (0.0, 2, "0.00 %"), (0.29, 2, "29.00 %")],
)  # fmt: skip
def test_a_share_is_never_rounded_up_to_all(share: float | None, digits: int, shown: str) -> None:
    assert percent(share, digits) == shown


def test_the_three_numbers_come_first_with_bounds_and_reference() -> None:
    part = Words("en").numbers(GOOD)
    [accuracy, response, hands], [sure, answers, deeds] = part.rows, part.notes
    assert accuracy[0] == "status accuracy" and accuracy[1] == "99.98 %" and accuracy[2:] == (
        "healthy", ">= 99.8 %", "99.97 %"
    )  # fmt: skip
    assert "9998/10000 orders, 95 %: 99.92 % - 99.99 %, 2026-03-04 12:00" in sure
    assert response[1] == "6.0" and response[2:] == ("healthy", "<= 15", "8.3")
    assert answers == "minutes from alert to action: 2 answered, p50 6.0, p95 9.6; 3 ended by themselves"
    assert hands[1] == "0.010" and hands[2:] == ("healthy", "<= 0.5", "0.07")
    assert deeds == "interventions per order: 10 action(s) on 8 of 1000 orders; 99.20 % untouched by hand"
    assert Words("en").outcome(GOOD) == "99.98 %, 6.0 min, 0.01 by hand"
    assert Words("en").parts(GOOD)[0].name == "numbers"


def test_nothing_is_not_measured_and_not_healthy() -> None:
    rows = Words("en").numbers(NOTHING).rows
    assert [row[1] for row in rows] == ["-", "-", "-"] and {row[2] for row in rows} == {"not measured"}
    assert Words("en").outcome(NOTHING) == "accuracy not measured, no answers, no orders"
    assert [part.empty for part in Words("en").parts(NOTHING)[1:2]] == ["not measured"]


def test_what_waits_is_told_and_makes_it_unhealthy() -> None:
    waiting = replace(GOOD, response=Response(spread([2.0, 10.0]), 0, 2, 120.0, 90.0))
    part = Words("en").numbers(waiting)
    assert "2 still open, the oldest for 90 min (with them the mean is at least 33.0)" in part.notes[1]
    assert part.rows[1][2] == "NOT healthy"


def test_chinese_says_the_same_in_chinese() -> None:
    english, chinese = Words("en"), Words("zh")
    assert not chinese.title(GOOD).isascii() and english.title(GOOD).isascii()
    assert "2026-03-03 12:00 - 2026-03-04 12:00" in chinese.title(GOOD)
    for one, other in zip(english.parts(GOOD), chinese.parts(GOOD), strict=True):
        assert one.title != other.title and len(one.rows) == len(other.rows) and len(one.columns) == len(other.columns)
        assert all(len(row) == len(one.columns) for row in (*one.rows, *other.rows))
        assert (one.name, one.title.isascii()) == (other.name, True)
    assert chinese.numbers(GOOD).rows[0][2] == "健康"
    assert chinese.states(GOOD) == "本期下单 1000: 900 客户签收, 100 异常挂起"


def test_what_people_did_is_in_words() -> None:
    assert Words("en").interventions(GOOD).rows == [("released", "7"), ("cancelled", "3")]
    later = replace(GOOD, interventions=Interventions(1, 1, 1, {"of_a_later_version": 1}))
    assert Words("zh").interventions(later).rows == [("of_a_later_version", "1")]


def test_amounts_of_a_currency_that_nobody_knows_say_so() -> None:
    assert money(2050, "CNY") == "20.50" and money(5, "XTS") == "5 (minor units)"
    assert Words("en").duplicates(GOOD).rows[1][2] == "5 (minor units)"


def test_a_cell_never_breaks_its_row() -> None:
    part = replace(Words("en").interventions(GOOD), rows=[("a|b\nc", "1")])
    assert markdown_table(part).splitlines() == ["| action | times |", "| --- | --- |", "| a\\|b c | 1 |"]
