"""How often other systems say what our books say: counted per system, and per order over all that answered."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from ballast.domain.figures import share, wilson
from ballast.domain.truth import DRIFT, Verdict, Witness

S = TypeVar("S", bound=str)
Verdicts = Mapping[Witness, Verdict]
"""Of one order: every witness that has to do with it."""


def agrees(verdicts: Verdicts) -> bool | None:
    """Whether every system that answered agrees; None when none did."""
    answered = [verdict for verdict in verdicts.values() if verdict is not Verdict.NOT_ASKED]
    return all(verdict is Verdict.AGREES for verdict in answered) if answered else None


def drifts(verdicts: Verdicts) -> bool:
    """Whether a system says something else than our books."""
    return any(verdict in DRIFT for verdict in verdicts.values())


@dataclass(slots=True)
class Accuracy:
    """Counts that can be added up. Only who answered is in the base: no answer is no agreement."""

    orders: int = 0
    asked: int = 0
    agreeing: int = 0
    by_witness: Counter[tuple[Witness, Verdict]] = field(default_factory=Counter)

    def add(self, verdicts: Verdicts) -> None:
        """Count one order."""
        one = agrees(verdicts)
        self.orders += 1
        self.asked += one is not None
        self.agreeing += one is True
        self.by_witness.update(verdicts.items())

    def plus(self, orders: Iterable[Verdicts]) -> Self:
        """These counts and some more orders, as new counts."""
        more = type(self)(self.orders, self.asked, self.agreeing, Counter(self.by_witness))
        for verdicts in orders:
            more.add(verdicts)
        return more

    def figures(self) -> dict[str, Any]:
        """{"overall", "systems", "drift"}: asked, agreeing, share, and its 95 % interval (Wilson), JSON-able."""
        return {
            "overall": part(self.asked, self.agreeing),
            "systems": {str(witness): self._of(witness) for witness in Witness},
            "drift": {str(kind): self._count(kind) for kind in sorted(DRIFT)},
        }

    def _of(self, witness: Witness) -> dict[str, Any]:
        counts = {kind: self.by_witness[witness, kind] for kind in Verdict}
        asked = sum(count for kind, count in counts.items() if kind is not Verdict.NOT_ASKED)
        return part(asked, counts[Verdict.AGREES]) | {str(kind): counts[kind] for kind in sorted(DRIFT)}

    def _count(self, kind: Verdict) -> int:
        return sum(count for (_, verdict), count in self.by_witness.items() if verdict is kind)


def part(asked: int, agreeing: int) -> dict[str, Any]:
    """One share with its interval; of nothing asked the share is None."""
    low, high = wilson(agreeing, asked)
    return {"asked": asked, "agreeing": agreeing, "share": share(agreeing, asked), "low": low, "high": high}


def percent(figure: float | None) -> str:
    """`99.97 %`, never rounded up to a hundred; a dash where nothing was asked."""
    if figure is None:
        return "-"
    hundredths = int(figure * 10_000 + 1e-9)
    return f"{hundredths / 100:.2f} %" if figure < 1 else "100 %"


def interval(figures: Mapping[str, Any]) -> str:
    """`99.43 - 99.98 %` of a `part`; a dash where nothing was asked."""
    low, high = percent(figures["low"]), percent(figures["high"])
    return f"{low.removesuffix(' %')} - {high}" if figures["asked"] else "-"


def stratify(known: Mapping[S, int], wanted: int, least: int) -> dict[S, int]:
    """How many orders of each state to take: in proportion, and `least` of each as far as there are so many.

    `known`: how many there are (or were seen) of each state. What `least` adds to small states is taken from the large
    ones, so that the sum stays `wanted`. A small sample takes fewer of each.
    """
    whole = sum(known.values())
    if wanted >= whole:
        return dict(known)
    least = min(least, wanted // len(known))
    exact = {state: wanted * count / whole for state, count in known.items()}
    quota = {state: min(count, max(int(exact[state]), least)) for state, count in known.items()}
    while (over := sum(quota.values()) - wanted) != 0:
        step = -1 if over > 0 else 1
        able = [s for s in quota if (quota[s] > min(least, known[s]) if step < 0 else quota[s] < known[s])]
        if not able:
            break
        chosen = max(able, key=lambda s: ((quota[s] - exact[s]) * -step, s))
        quota[chosen] += step
    return quota
