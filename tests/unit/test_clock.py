"""The clock: faster for a demo, still for a test, and aware everywhere."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.clock import Clock, from_local, to_local
from ballast.settings import ClockSettings, Settings
from tests.times import NOON, SettableClock


@pytest.fixture
def _at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)


@pytest.mark.usefixtures("_at_zero")
def test_business_time_can_run_faster_and_machine_time_does_not() -> None:
    clock = Clock(start=NOON, anchor=990.0, speed=3600.0)
    assert clock.now() == NOON + timedelta(hours=10)
    assert clock.machine_now() == datetime.fromtimestamp(1_000, UTC)
    assert clock.after(timedelta(seconds=2)) == clock.now() + timedelta(hours=2)


@pytest.mark.usefixtures("_at_zero")
def test_in_production_both_are_the_same() -> None:
    clock = Settings(_env_file=None).make_clock()
    assert clock.now() == clock.machine_now()
    assert clock.after(timedelta(seconds=2)) == clock.now() + timedelta(seconds=2)


@pytest.mark.usefixtures("_at_zero")
def test_the_settings_set_it() -> None:
    config = Settings(_env_file=None, clock=ClockSettings(start=NOON, anchor=999.0, speed=60.0))
    assert config.make_clock().now() == NOON + timedelta(minutes=1)


def test_the_clock_of_tests_stands_where_it_is_set() -> None:
    clock = SettableClock()
    assert clock.now() == NOON == clock.now()
    assert clock.pass_by(hours=1) == clock.now() == NOON + timedelta(hours=1)
    assert clock.after(timedelta(minutes=1)) == NOON + timedelta(hours=1, minutes=1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04 12:00:00",
        " 2026/03/04 12:00:00 ",
        "2026-03-04T12:00:00",
        "2026-03-04T12:00:00+08:00",
        "2026-03-04T04:00:00Z",
    ],
)
def test_vendors_times_are_of_shanghai(text: str) -> None:
    assert from_local(text) == NOON
    assert from_local(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01 00:00:00", "04.03.2026"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"format|month"):
        from_local(text)


@given(st.datetimes(datetime(1992, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["Asia/Shanghai", "UTC"]))  # noqa: DTZ001  # the strategy makes them aware below
def test_there_and_back(naive: datetime, name: str) -> None:
    at, zone = naive.replace(microsecond=0, tzinfo=UTC), ZoneInfo(name)
    assert from_local(to_local(at, zone), zone) == at
