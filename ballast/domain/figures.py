"""Figures of many measurements: mean, percentiles, and how sure a share of a sample is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from typing import Final, NamedTuple

Z_95: Final = 1.959963984540054
"""Standard deviations to both sides that hold 95 % of a normal distribution."""


class Interval(NamedTuple):
    """The share of the whole lies between these, as sure as the interval was asked to be."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How `count` measurements lie; None where there is none to speak of. All in the measurements' own unit."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing."""
    return fsum(values) / len(values) if values else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0 to 1) of the measurements lie; None of nothing.

    Linear between the two nearest ranks, rank = share * (n - 1) counted from 0 (Hyndman and Fan's type 7): the method
    of PostgreSQL's `percentile_cont`, so that figures agree wherever they are made. Raises ValueError for a share that
    is none.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a percentile lies between 0 and 1, not at {share}")
    if not values:
        return None
    ordered = sorted(values)
    rank = share * (len(ordered) - 1)
    below = int(rank)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (rank - below) if high > low else low


def spread(values: Sequence[float]) -> Spread:
    """Count, mean, median and 95th percentile."""
    return Spread(len(values), mean(values), percentile(values, 0.5), percentile(values, 0.95))


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`; None when there is no whole: nothing is not a hundred per cent."""
    return part / whole if whole else None


def wilson(successes: int, n: int, z: float = Z_95) -> Interval:
    """Wilson's score interval of a share that was found `successes` times in a sample of `n`, by default at 95 %.

    It stays within 0 and 1 and does not shrink to a point at none or all, as the usual interval does. Of no sample
    nothing is known: 0 to 1. Raises ValueError for counts that cannot be.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no share")
    if not n:
        return Interval(0.0, 1.0)
    found, square = successes / n, z * z
    middle = (found + square / (2 * n)) / (1 + square / n)
    reach = z * sqrt(found * (1 - found) / n + square / (4 * n * n)) / (1 + square / n)
    low = 0.0 if successes == 0 else max(0.0, middle - reach)
    high = 1.0 if successes == n else min(1.0, middle + reach)
    return Interval(low, high)
