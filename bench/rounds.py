"""Rounds in which contestants take turns, and the ratios between them: the only figures that a noisy machine leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How one contestant did in one round: orders carried to their end, in so many seconds; what each process spent."""

    orders: int
    seconds: float
    costs: Mapping[str, Cost]

    @property
    def per_second(self) -> float:
        return self.orders / self.seconds


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several rounds, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}-{self.most:.2f})"


Rounds = Sequence[Mapping[str, Turn]]
"""Per round, contestant -> its turn."""


def speeds(rounds: Rounds, name: str) -> Spread:
    """Orders per second of one contestant."""
    return Spread.of([turns[name].per_second for turns in rounds])


def ratios(rounds: Rounds, name: str, to: str) -> Spread:
    """How many times as fast as another contestant, compared within each round."""
    return Spread.of([turns[name].per_second / turns[to].per_second for turns in rounds])
