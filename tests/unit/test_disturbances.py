"""The plan of a chaos run: everything is in it, in time, and the same seed plans the same."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from deployments.rehearsal.disturbances import KILLED, VENDORS, What, plan

SEEDS = st.integers(min_value=0, max_value=2**31)


@given(seed=SEEDS, minutes=st.floats(min_value=0.5, max_value=30), kills=st.integers(min_value=3, max_value=60))
def test_every_kind_happens_within_the_time(seed: int, minutes: float, kills: int) -> None:
    seconds = minutes * 60
    todo = plan(seed, seconds=seconds, kills=kills)
    assert [one.at for one in todo] == sorted(one.at for one in todo)
    assert all(one.at >= 0 and one.at + one.seconds <= seconds for one in todo)
    counts = Counter(one.what for one in todo)
    assert counts[What.KILL] == kills and set(counts) == set(What)
    assert {one.target for one in todo if one.what is What.KILL} == set(KILLED)
    assert {one.target for one in todo if one.what is What.RESTART_DATABASE} == {"fast", "immediate"}
    assert {one.target for one in todo if one.what is What.OUTAGE} <= set(VENDORS)


@given(seed=SEEDS)
def test_a_run_can_be_had_again(seed: int) -> None:
    assert plan(seed, seconds=300, kills=20) == plan(seed, seconds=300, kills=20)
    assert plan(seed, seconds=300, kills=20) != plan(seed + 1, seconds=300, kills=20)


def test_prefect_is_away_for_a_minute_when_there_is_time() -> None:
    [stop] = [one for one in plan(1, seconds=300, kills=20) if one.what is What.STOP_PREFECT]
    assert stop.seconds == 60
