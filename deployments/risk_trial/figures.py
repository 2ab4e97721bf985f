"""What a trial comes to: counts of right and wrong against the truth. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deployments.risk_trial.playing import Judged, Stage
from deployments.risk_trial.telling import HONEST, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`right`: crooked orders that were found, `wrong`: honest ones; `of`: how many there were to be found.

    `precision`: how much of what was found is right. `recall`: how much of what was there was found. None: of nothing.
    """

    found: int
    right: int
    wrong: int
    of: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class RuleScore:
    """How one rule did. `pattern`: the kind of crook of which it finds the largest share; recall is of that."""

    name: str
    pattern: str
    score: Score


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is shown. `missed`: kind -> crooked orders never stopped; `wronged`: scene -> honest ones that were.

    `kinds`: every kind -> its orders.
    """

    orders: int
    kinds: Mapping[str, int]
    rules: Sequence[RuleScore]
    stages: Mapping[str, Score]
    missed: Mapping[str, int]
    wronged: Mapping[str, int]

    @property
    def overall(self) -> Score:
        """Held or reviewed at any stage, against all that is crooked."""
        return self.stages[Stage.SHIPPING]

    def as_dict(self) -> dict[str, Any]:
        rules = [{"name": rule.name, "pattern": rule.pattern, **asdict(rule.score)} for rule in self.rules]
        stages = {name: asdict(score) for name, score in self.stages.items()}
        return {
            "orders": self.orders,
            "kinds": dict(self.kinds),
            "rules": rules,
            "stages": stages,
            "overall": asdict(self.overall),
            "missed": dict(self.missed),
            "wronged": dict(self.wronged),
        }


def sum_up(stream: Sequence[Told], judged: Mapping[str, Judged], rules: Sequence[str]) -> Figures:
    """`rules`: the names of all rules, in the order in which they are shown."""
    early = [one for one in stream if judged[one.order_no].stopped is Stage.INTAKE]
    stopped = [one for one in stream if judged[one.order_no].stopped is not None]
    passed = [one for one in stream if judged[one.order_no].stopped is None]
    there = sum(one.crooked for one in stream)
    return Figures(
        orders=len(stream),
        kinds=dict(Counter(one.kind for one in stream).most_common()),
        rules=[_score_rule(name, stream, judged) for name in rules],
        stages={Stage.INTAKE: _score(early, there), Stage.SHIPPING: _score(stopped, there)},
        missed=dict(Counter(one.kind for one in passed if one.crooked).most_common()),
        wronged=dict(Counter(one.scene for one in stopped if not one.crooked).most_common()),
    )


def _score_rule(name: str, stream: Sequence[Told], judged: Mapping[str, Judged]) -> RuleScore:
    fired = [one for one in stream if any(name in names for names in judged[one.order_no].fired.values())]
    kinds = Counter(one.kind for one in fired if one.crooked)
    every = Counter(one.kind for one in stream)
    pattern = min(kinds, key=lambda kind: (-kinds[kind] / every[kind], kind), default="")
    there = every[pattern]
    score = _score(fired, there)
    recall = kinds[pattern] / there if there else None
    return RuleScore(name, pattern, Score(**{**asdict(score), "recall": recall}))


def _score(found: Collection[Told], there: int) -> Score:
    wrong = sum(one.kind == HONEST for one in found)
    right = len(found) - wrong
    return Score(
        found=len(found),
        right=right,
        wrong=wrong,
        of=there,
        precision=right / len(found) if found else None,
        recall=right / there if there else None,
    )
