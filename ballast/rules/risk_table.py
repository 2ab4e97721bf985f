"""The risk rules of one version, compiled: facts of an order in, what they come to out; and what is wrong with them."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from ballast.domain.findings import Finding, Level
from ballast.domain.rules.facts import FACTS
from ballast.domain.rules.risk import Action, RiskRule, RiskSet, Verdict, sum_up
from ballast.domain.rules.windows import MOST_NEIGHBOURS, Window, window_trouble, windows_in
from ballast.rules.conditions import Conditions, check_expression, names_in
from ballast.rules.expressions import Token, read_tokens

MOST_SCORE: Final = 1000
MOST_RULES: Final = 200
MOST_POINTS: Final = MOST_SCORE * MOST_RULES


class RiskTable:
    """Risk rules that are switched on. Never raises: a rule that cannot be computed does not fire, see `troubles`."""

    def __init__(self, risk: RiskSet) -> None:
        self._options, self._nothing = risk.options, Verdict(options=risk.options)
        self._rules = {
            rule.name if first else f"{rule.name} ({place})": rule
            for place, (rule, first) in enumerate(_with_first(risk.rules), 1)
            if rule.on
        }
        self._conditions = Conditions({name: rule.when for name, rule in self._rules.items()})
        self.windows = windows_in(self._conditions.reads)

    @property
    def reads(self) -> frozenset[str]:
        """The names of the facts that its rules read, windows included."""
        return self._conditions.reads

    @property
    def troubles(self) -> Mapping[str, str]:
        """Rule -> why it could not be computed the last time that it could not: for an alert."""
        return self._conditions.troubles

    def judge(self, facts: Mapping[str, object]) -> Verdict:
        """What the rules say of an order with these facts."""
        met = self._conditions.met(facts)
        if not met:
            return self._nothing
        fired = {name: rule for name, rule in self._rules.items() if name in met}
        read = frozenset().union(*(self._conditions.reads_of(name) for name in fired))
        return sum_up([*fired.values()], {name: facts[name] for name in sorted(read)}, self._options)


def _with_first(rules: Collection[RiskRule]) -> Iterator[tuple[RiskRule, bool]]:
    """Each rule, and whether it is the first of its name: a set that was not checked may have several."""
    seen: set[str] = set()
    for rule in rules:
        yield rule, rule.name not in seen
        seen.add(rule.name)


# -- check ---------------------------------------------------------------------------------------------------------

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029,;:\[\]#\s]{1,40}")
_COMPARES: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})


def check_risk(risk: RiskSet) -> list[Finding]:
    """What is wrong with risk rules, those that are switched off included."""
    found = [finding for rule in risk.rules for finding in _check_rule(rule)]
    names, whens = Counter(rule.name for rule in risk.rules), Counter(rule.when.strip() for rule in risk.rules)
    for rule in risk.rules:
        if names[rule.name] > 1:
            found.append(
                _wrong(rule, "name", "duplicate_name", f"the name {rule.name} stands {names[rule.name]} times")
            )
        elif whens[rule.when.strip()] > 1 and rule.when.strip():
            found.append(_odd(rule, "when", "duplicate_rule", "another rule has the very same condition"))
    if len(risk.rules) > MOST_RULES:
        found.append(Finding(Level.ERROR, "too_many", f"{len(risk.rules)} rules, at most {MOST_RULES} are taken"))
    return [*found, *_check_options(risk)]


def _check_rule(rule: RiskRule) -> Iterator[Finding]:
    if not _NAME.fullmatch(rule.name):
        words = "1 to 40 characters without spaces, commas, colons, semicolons, # or [ ]"
        yield _wrong(rule, "name", "name", f"{rule.name[:50]!r} is no name: {words}")
    if not 0 <= rule.score <= MOST_SCORE:
        yield _wrong(rule, "score", "score_range", f"{rule.score} is not 0 to {MOST_SCORE} points")
    if not rule.score and not rule.tag and rule.action is Action.SCORE:
        text = "it asks for nothing: give it points, a tag, or the action hold or review"
        yield _odd(rule, "action", "asks_for_nothing", text)
    names = names_in(rule.when)
    windows = {window.name for window in windows_in(names)}
    if bad := [trouble for name in sorted(names - windows - FACTS.keys()) if (trouble := window_trouble(name))]:
        yield from (_wrong(rule, "when", "window", trouble) for trouble in bad)
        return
    if trouble := check_expression(rule.when, FACTS.keys() | windows):
        yield _wrong(rule, "when", "expression", trouble)
        return
    if not names:
        yield _odd(rule, "when", "reads_nothing", "it reads no fact, so it holds for every order or for none")
    for name, figure in sorted(_thresholds(read_tokens(rule.when))):
        if figure > MOST_NEIGHBOURS:
            text = f"{name} is exact up to {MOST_NEIGHBOURS}: {figure:g} cannot be told from less"
            yield _wrong(rule, "when", "threshold", text)


def _thresholds(tokens: Sequence[Token]) -> set[tuple[str, float]]:
    """(window that counts, figure it is compared with): `name > 5`, `5 < name`, `name in [5..9]`."""
    found: set[tuple[str, Token]] = set()
    for place, sign in enumerate(tokens[1:-1], 1):
        left, right = tokens[place - 1], tokens[place + 1]
        if sign.said in _COMPARES:
            found |= {(left.said, right), (right.said, left)}
        elif sign.said == "in":
            name = tokens[place - 2].said if left.said == "not" and place > 1 else left.said
            found |= {(name, token) for token in takewhile(lambda token: token.said not in ")]", tokens[place + 1 :])}
    counted = {name for name, _ in found if (window := Window.parse(name)) and window.counts}
    return {(name, float(token.value)) for name, token in found if name in counted and token.kind == "number"}


def _check_options(risk: RiskSet) -> Iterator[Finding]:
    hold, review = risk.options.hold_from, risk.options.review_from
    for column, points in (("hold_from", hold), ("review_from", review)):
        if points is not None and not 1 <= points <= MOST_POINTS:
            text = f"{points} is not 1 to {MOST_POINTS} points; leave it empty for never"
            yield Finding(Level.ERROR, "score_range", text, "options", column)
    if hold is not None and review is not None and review < hold:
        text = f"review begins at {review} points, before hold at {hold}: the stronger one needs more points"
        yield Finding(Level.ERROR, "thresholds_crossed", text, "options", "review_from")
    reachable = sum(rule.score for rule in risk.rules if rule.on)
    for column, points in (("hold_from", hold), ("review_from", review)):
        if points is not None and points > reachable:
            text = f"{points} points are never reached: all rules together give {reachable}"
            yield Finding(Level.WARNING, "unreachable", text, "options", column)


def _wrong(rule: RiskRule, column: str, kind: str, text: str) -> Finding:
    return Finding(Level.ERROR, kind, f"rule {rule.name[:50]}: {text}", rule.place, column)


def _odd(rule: RiskRule, column: str, kind: str, text: str) -> Finding:
    return Finding(Level.WARNING, kind, f"rule {rule.name[:50]}: {text}", rule.place, column)
