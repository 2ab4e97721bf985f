"""The risk scanner: rules that fired, what they come to, and the evidence that a release remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Action(StrEnum):
    """What a rule asks for, the weakest first."""

    SCORE = "score"  # only its points and its tag count
    HOLD = "hold"  # it goes on, but is not handed to the warehouse before a person released it
    REVIEW = "review"  # a person looks before stock is locked


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRule:
    """One row of the decision table. `when`: an expression over the facts of an order; `score`: points, 0 to 1,000."""

    name: str
    when: str
    title: str = ""
    on: bool = True
    score: int = 0
    tag: str = ""
    action: Action = Action.SCORE
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskOptions:
    """From how many points on an order is held, or reviewed, whatever its rules ask for; None: never."""

    hold_from: int | None = None
    review_from: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSet:
    """One version of the risk rules."""

    rules: tuple[RiskRule, ...] = ()
    options: RiskOptions = field(default_factory=RiskOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say of one order. `fired`: the rules that hold; `facts`: those that they read, for people."""

    fired: tuple[RiskRule, ...] = ()
    score: int = 0
    tags: tuple[str, ...] = ()
    action: Action = Action.SCORE
    facts: Mapping[str, object] = field(default_factory=dict)
