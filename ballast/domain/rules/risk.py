"""The risk scanner: rules that fired, what they come to, and the evidence that a release remembers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Final


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
    """What the rules say of one order. `fired`: the rules that hold; `facts`: those that they read, for people.

    `options` are those that it was reached with: what remains of it after a release is measured by the same.
    """

    fired: tuple[RiskRule, ...] = ()
    score: int = 0
    tags: tuple[str, ...] = ()
    action: Action = Action.SCORE
    facts: Mapping[str, object] = field(default_factory=dict)
    options: RiskOptions = field(default_factory=RiskOptions)


_STRENGTH: Final = {action: place for place, action in enumerate(Action)}


def sum_up(fired: Sequence[RiskRule], facts: Mapping[str, object], options: RiskOptions) -> Verdict:
    """The verdict of rules that fired, in their order: points and tags together, and the strongest action."""
    score = sum(rule.score for rule in fired)
    return Verdict(
        fired=tuple(fired),
        score=score,
        tags=tuple(dict.fromkeys(rule.tag for rule in fired if rule.tag)),
        action=_strongest([*(rule.action for rule in fired), _by_score(score, options)]),
        facts=facts,
        options=options,
    )


def _by_score(score: int, options: RiskOptions) -> Action:
    if options.review_from is not None and score >= options.review_from:
        return Action.REVIEW
    return Action.HOLD if options.hold_from is not None and score >= options.hold_from else Action.SCORE


def _strongest(actions: Iterable[Action]) -> Action:
    return max(actions, key=_STRENGTH.__getitem__, default=Action.SCORE)


# -- what a release remembers --------------------------------------------------------------------------------------

MOST_EVIDENCE: Final = 500
PERSONAL: Final = frozenset({"address"})
"""Facts that stand with the order and nowhere else: evidence goes into alerts, to people who need not know them."""
_MOST_NAMES: Final = 300
_LONG_TEXT: Final = 40
_RULES_IN: Final = re.compile(r"risk v[0-9]+ \[([^\]]*)\]")


def evidence(verdict: Verdict, version: int) -> str:
    """`risk v3 [ip_burst, pickup_point] score 80: ip_orders_1h 6; ...`, at most 500 characters.

    It is what a hold shows and what its release remembers: `rules_in` reads the rules again, all of them. Names that
    have no room stand there as a short digest.
    """
    names, room = [], _MOST_NAMES
    for rule in sorted(verdict.fired, key=lambda rule: (-_STRENGTH[rule.action], -rule.score)):
        room -= len(rule.name) + 2
        names.append(rule.name if room >= 0 else _digest(rule.name))
    head = f"risk v{version} [{', '.join(names)}] score {verdict.score}"
    facts = "; ".join(f"{name} {_shown(value)}" for name, value in verdict.facts.items() if name not in PERSONAL)
    return (f"{head}: {facts}" if facts else head)[:MOST_EVIDENCE]


def _shown(value: object) -> str:
    said = f"{value:.10g}" if isinstance(value, float) else str(value)
    return said if len(said) <= _LONG_TEXT else said[: _LONG_TEXT - 1] + "…"


def _digest(name: str) -> str:
    return f"#{sha256(name.encode()).hexdigest()[:6]}"


def rules_in(told: str) -> frozenset[str]:
    """The rules of one `evidence`: names, or digests of names; empty when it is the evidence of something else."""
    found = _RULES_IN.match(told)
    return frozenset(found[1].split(", ")) - {""} if found else frozenset()


def still_new(verdict: Verdict, released: Iterable[str]) -> Verdict:
    """What remains of a verdict when a person has let the order go on in spite of these rules.

    `released`: rules of all evidence that was released on this order (`rules_in`). They do not hold it again, even when
    counts went up. Another rule does, by what it asks for, or because it brings the score, theirs included, to a
    threshold.
    """
    known = frozenset(released)
    fresh = [rule for rule in verdict.fired if not {rule.name, _digest(rule.name)} & known]
    if len(fresh) == len(verdict.fired):
        return verdict
    read = {word for rule in fresh for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", rule.when)}
    facts = {name: value for name, value in verdict.facts.items() if name in read}
    rest = sum_up(fresh, facts, verdict.options)
    if not rest.score:
        return rest
    by_score = _by_score(verdict.score, verdict.options)
    return replace(rest, score=verdict.score, action=_strongest([rest.action, by_score]))
