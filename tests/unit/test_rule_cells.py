"""Single cells of books of rules: what is read, what is asked about, and that what is written is read alike."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.rules.cells import NotReadable, read_cell, write_cell
from ballast.rules.columns import Column, Holds


def column(holds: Holds, **more: Any) -> Column:
    return Column(name="c", chinese="列", holds=holds, help="", help_chinese="", **more)


@pytest.mark.parametrize(
    ("text", "pays"),
    [
        ("9折", 9000), ("8.5折", 8500), ("8.55 折", 8550), ("打9折", 9000), ("0.9折", 900), ("90%", 9000),
        ("85.55%", 8555),
        ("100%", 10_000), ("10% off", 9000), ("减10%", 9000), ("12.5% OFF", 8750), ("免费", 0), ("free", 0), ("0", 0),
        (0, 0),
        ("0%", 0), ("100% off", 0),
    ],
)  # fmt: skip
def test_a_share_is_what_is_paid(text: object, pays: int) -> None:
    assert read_cell(text, column(Holds.SHARE)) == pays


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("9", "write 9折 (pays 90 %), or 9%"), (9, "write 9折 (pays 90 %), or 9%"), (8.5, "write 8.5折 (pays 85 %)"),
        ("90", "write 9折 or 90% (pays 90 %), or 90% off"), (85, "write 8.5折 or 85%"), ("100", "alone is not a share"),
        ("0.9", "write 9折 (pays 90 %) or 0.9折 (pays 9 %)"), ("1", "write 100% or 1折 (pays 10 %)"),
        (250, "alone is not a share"), ("90折", "write 9折, which pays 90 %"), ("10折", "write 1折"),
        ("101%", "more than the whole"),
        ("９折", "full-width digits: write 9折"), ("90％", "full-width signs: write 90%"), ("八折", "is not a share"),
        ("-10%", "is not a share"), ("8.55555折", "finer than"), ("9折9折", "is not a share"), (True, "is not a share"),
        ("120% off", "more than the whole"), ("1e1%", "is not a share"), (None, "is not a share"),
    ],
)  # fmt: skip
def test_a_share_that_can_be_read_in_two_ways_is_asked_about(said: object, answer: str) -> None:
    with pytest.raises(NotReadable) as wrong:
        read_cell(said, column(Holds.SHARE))
    assert answer in str(wrong.value)


@pytest.mark.parametrize(
    ("said", "currency", "amount"),
    [
        ("399.00", "CNY", 39900), ("399", "CNY", 39900), (399.5, "CNY", 39950), (399, "JPY", 399), (399.0, "JPY", 399),
        ("0", "CNY", 0), (0.1 + 0.2, "CNY", 30), ("399.000", "CNY", 39900), ("7", "XXX", 700),
    ],
)  # fmt: skip
def test_amounts(said: object, currency: str, amount: int) -> None:
    assert read_cell(said, column(Holds.MONEY), currency) == amount


@pytest.mark.parametrize(
    "said",
    ["", "x", "１", "٣", "1_000", "1e3", "+5", "¥5", "5 元", "-1", "1,000", "0.001", ".5",
    "NaN", float("nan"), float("inf"),
     1e300, [1], datetime(2026, 1, 1, tzinfo=UTC), True, "1 000", "9" * 400],
)  # fmt: skip
def test_no_amounts(said: object) -> None:
    with pytest.raises(NotReadable):
        read_cell(said, column(Holds.MONEY))


@pytest.mark.parametrize(
    ("said", "starts", "ends"),
    [
        ("2026-12-12", "2026-12-11T16:00", "2026-12-12T16:00"),
        ("2026/1/5", "2026-01-04T16:00", "2026-01-05T16:00"),
        ("2026-12-12 00:00", "2026-12-11T16:00", "2026-12-11T16:00"),
        ("2026-12-12 08:00", "2026-12-12T00:00", "2026-12-12T00:00"),
        ("2026-12-12T08:00:30", "2026-12-12T00:00:30", "2026-12-12T00:00:30"),
    ],
)
def test_a_bare_date_is_a_whole_day(said: str, starts: str, ends: str) -> None:
    for holds, expected in ((Holds.TIME, starts), (Holds.END, ends)):
        assert read_cell(said, column(holds)) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "said",
    [
        "12-12",
        "2026-13-01",
        "2026-02-29",
        "2026-12-12 24:00",
        "2026-12-12T08:00Z",
        "1999-01-01",
        "2026-12-12 8pm",
        46368,
    ],
)
def test_no_times(said: object) -> None:
    with pytest.raises(NotReadable):
        read_cell(said, column(Holds.TIME))


@given(st.integers(0, 10_000), st.booleans())
def test_a_share_reads_back(share: int, chinese: bool) -> None:
    text = write_cell(share, column(Holds.SHARE), chinese=chinese)
    assert read_cell(text, column(Holds.SHARE)) == share


@given(st.integers(0, 6 * 10**9), st.sampled_from([Holds.TIME, Holds.END]))
def test_a_time_reads_back(seconds: int, holds: Holds) -> None:
    at = datetime.fromtimestamp(946_800_000 + seconds, UTC)
    assert read_cell(write_cell(at, column(holds)), column(holds)) == at


@given(
    st.text(max_size=12) | st.floats() | st.integers() | st.booleans(),
    st.sampled_from([h for h in Holds if h is not Holds.VALUE]),
)
def test_any_cell_is_read_or_refused(said: object, holds: Holds) -> None:
    try:
        read_cell(said, column(holds, choices={"a": "甲", "b": ""}))
    except NotReadable as wrong:
        assert len(str(wrong)) < 400
