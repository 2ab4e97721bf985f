"""Means, percentiles and intervals against what others say, and against what must always hold."""

import statistics
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.figures import Interval, Spread, mean, percentile, share, spread, wilson

MEASURED = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("values", "at", "is_"),
    [
        ([7.0], 0.95, 7.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([4.0, 1.0, 3.0, 2.0], 0.25, 1.75),  # the order in which they came does not matter
        ([10.0, 20.0, 30.0, 40.0, 50.0], 0.95, 48.0),
        ([10.0, 20.0, 30.0, 40.0, 50.0], 0.0, 10.0),
        ([10.0, 20.0, 30.0, 40.0, 50.0], 1.0, 50.0),
    ],
)
def test_percentiles_by_hand(values: list[float], at: float, is_: float) -> None:
    found = percentile(values, at)
    assert found is not None and isclose(found, is_)


@given(MEASURED.filter(lambda some: len(some) > 1))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    for number, cut in enumerate(cuts, 1):
        found = percentile(values, number / 20)
        assert found is not None and isclose(found, cut, rel_tol=1e-9, abs_tol=1e-3)


@given(MEASURED, st.floats(0, 1), st.floats(0, 1))
def test_percentiles_lie_among_the_values_and_rise(values: list[float], one: float, other: float) -> None:
    low, high = percentile(values, min(one, other)), percentile(values, max(one, other))
    assert low is not None and high is not None
    assert min(values) <= low <= max(values)
    assert low <= high or isclose(low, high, rel_tol=1e-12)


def test_of_nothing_there_is_no_figure() -> None:
    assert mean([]) is None and percentile([], 0.5) is None and share(0, 0) is None
    assert spread([]) == Spread(0, None, None, None)
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile([1.0], 1.5)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, table I, method 3; and what the mission's figure says of a sample of a thousand
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (1000, 1000, 0.9962, 1.0),
    ],
)
def test_intervals_that_others_published(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)
    assert found.low == pytest.approx(low, abs=6e-5) and found.high == pytest.approx(high, abs=6e-5)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_is_the_mirror_of_the_failures(counts: tuple[int, int]) -> None:
    successes, n = counts
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1 and low < high
    mirrored = wilson(n - successes, n)
    assert isclose(mirrored.low, 1 - high, abs_tol=1e-9) and isclose(mirrored.high, 1 - low, abs_tol=1e-9)
    wider = wilson(successes, n, z=3.0)
    assert wider.low <= low and wider.high >= high


@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_larger_sample_is_surer(counts: tuple[int, int]) -> None:
    successes, n = counts
    few, many = wilson(successes, n), wilson(successes * 100, n * 100)
    assert many.high - many.low < few.high - few.low


def test_no_sample_says_nothing_and_no_share_is_refused() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)
    for successes, n in ((2, 1), (-1, 3), (0, -1)):
        with pytest.raises(ValueError, match="is no share"):
            wilson(successes, n)
