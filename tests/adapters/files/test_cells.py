"""One cell into one value, and everything that is refused instead of guessed."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.cells import Cell, CellError, read_count, read_money, read_text, read_time
from adapters.files.mapping import MoneyRules, TimeRules

YUAN, CENTS, YEN = MoneyRules(unit="yuan"), MoneyRules(unit="cents"), MoneyRules(unit="major", currency="JPY")
NAIVE = datetime.fromisoformat("2026-01-31T18:30:00")
SAO_PAULO = TimeRules(zone="America/Sao_Paulo")


@pytest.mark.parametrize(
    ("cell", "rules", "amount"),
    [
        ("113.00", YUAN, 11300), (" 0.1 ", YUAN, 10), ("-5", YUAN, -500), (113.1, YUAN, 11310), (113, YUAN, 11300),
        ("11300", CENTS, 11300), ("11300.0", CENTS, 11300), (11300.0, CENTS, 11300), ("500", YEN, 500),
    ],
)  # fmt: skip
def test_money_is_read_to_the_cent(cell: Cell, rules: MoneyRules, amount: int) -> None:
    assert read_money(cell, rules) == amount


@pytest.mark.parametrize(
    ("cell", "rules", "words"),
    [
        ("1.005", YUAN, "more than 2 decimals"), (0.1 + 0.2, YUAN, "round it in the sheet"),
        ("1,234.50", YUAN, "not an amount"),
        ("1e3", YUAN, "not an amount"), ("¥5", YUAN, "not an amount"), ("１２", YUAN, "not an amount"),
        ("1_0", YUAN, "not an amount"), ("NaN", YUAN, "not an amount"), (float("nan"), YUAN, "not an amount"),
        (1e22, YUAN, "not an amount"), ("99999999999", YUAN, "more than an order can have"),
        ("1.5", CENTS, "says cents"),
        ("1.5", YEN, "more than 0 decimals"), (True, YUAN, "is a bool"), (NAIVE, YUAN, "is a datetime"),
        ("", YUAN, "not an amount"),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(cell: Cell, rules: MoneyRules, words: str) -> None:
    with pytest.raises(CellError, match=words):
        read_money(cell, rules)


def test_a_decimal_comma_is_read_where_the_mapping_says_so() -> None:
    assert read_money("1234,50", YUAN, ",") == 123450
    for text in ("1234.50", "1.234,50", "1,2,3"):
        with pytest.raises(CellError):
            read_money(text, YUAN, ",")


@given(st.integers(0, 10**11))
def test_text_and_float_of_the_same_amount_agree(cents: int) -> None:
    text = f"{Decimal(cents) / 100:.2f}"
    assert read_money(text, YUAN) == cents == read_money(float(text), YUAN)


@pytest.mark.parametrize(
    ("cell", "text"), [("  A1\t", "A1"), (None, ""), (123, "123"), (123.0, "123"), (1.5, "1.5"), ("\u3000x\xa0", "x")]
)
def test_text(cell: Cell, text: str) -> None:
    assert read_text(cell) == text


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("a\0b", "NUL"), ("x" * 65_537, "longer than 64 KB"), ("\udcff", "not utf-8"), (10**15, "rounded by the sheet"),
        (1e16, "rounded"), (float("inf"), "rounded"), (date(2026, 1, 1), "is a date"),
        (time(1), "is a time"), (True, "bool"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(cell: Cell, words: str) -> None:
    with pytest.raises(CellError, match=words):
        read_text(cell)


def test_counts() -> None:
    assert read_count("3") == read_count(3.0) == read_count("3.0") == 3
    for wrong in ("", "3.5", "-1", "三", 2.5, "1e2"):
        with pytest.raises(CellError, match="whole number"):
            read_count(wrong)


@pytest.mark.parametrize(
    ("cell", "hour"),
    [
        ("2026-01-31 18:30:00", 10), ("2026/01/31 18:30", 10), ("2026-01-31T18:30:00+09:00", 9),
        ("2026-01-31T18:30:00Z", 18),
        (NAIVE, 10),
    ],
)  # fmt: skip
def test_times_become_utc(cell: Cell, hour: int) -> None:
    assert read_time(cell, TimeRules(zone="Asia/Shanghai")) == datetime(2026, 1, 31, hour, 30, tzinfo=UTC)


def test_a_date_is_its_midnight() -> None:
    expected = datetime(2026, 1, 30, 16, tzinfo=UTC)
    rules = TimeRules(zone="Asia/Shanghai")
    assert read_time("2026-01-31", rules) == read_time(date(2026, 1, 31), rules) == expected


@pytest.mark.parametrize(
    "cell",
    ["31.01.2026", "20260131", "2026-02-30", "2026-W05-1", "1026-01-01", "18:30", 46053.77, True, "2026-1-3 1:00", "x"],
)
def test_what_is_no_time_is_refused(cell: Cell) -> None:
    with pytest.raises(CellError):
        read_time(cell, TimeRules(zone="Asia/Shanghai"))


def test_own_formats_take_the_place_of_ours() -> None:
    rules = TimeRules(zone="Asia/Shanghai", formats=("%d.%m.%Y %H:%M", "%d.%m.%Y"))
    assert read_time("31.1.2026 18:30", rules) == datetime(2026, 1, 31, 10, 30, tzinfo=UTC)
    assert read_time("31.01.2026", rules) == datetime(2026, 1, 30, 16, tzinfo=UTC)
    with pytest.raises(CellError, match="written as"):
        read_time("2026-01-31 18:30:00", rules)


def test_a_time_that_the_clocks_skipped_is_refused() -> None:
    with pytest.raises(CellError, match="never was in America/Sao_Paulo: the clocks went forward"):
        read_time("2017-10-15 00:30:00", SAO_PAULO)


def test_a_time_that_came_twice_is_refused_until_the_mapping_says_which() -> None:
    twice = "2018-02-17 23:30:00"
    with pytest.raises(CellError, match="was twice in America/Sao_Paulo, at 01:30 and 02:30 UTC"):
        read_time(twice, SAO_PAULO)
    earlier = read_time(twice, TimeRules(zone="America/Sao_Paulo", ambiguous="earlier"))
    later = read_time(twice, TimeRules(zone="America/Sao_Paulo", ambiguous="later"))
    assert (earlier.hour, later.hour) == (1, 2)
    assert read_time("2018-02-17 23:30:00-03:00", SAO_PAULO) == later
