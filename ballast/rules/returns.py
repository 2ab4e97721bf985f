"""`rules/returns.yaml`: who gets a return agreed to without a person. The first rule whose condition holds answers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from ballast.domain.return_window import ReturnWindows
from ballast.domain.returns import ReturnReason
from ballast.rules.conditions import Conditions, names_in
from ballast.rules.entries import Entry, entries_of, read_bytes
from ballast.rules.return_categories import categories_of, named_in, no_category, windows_of

SAMPLE: Final[Mapping[str, Any]] = {
    "days_since_signed": 1.5,  # since the order was signed for
    "amount": 12.5,  # what was paid for the pieces, major units (yuan)
    "quantity": 1,  # pieces that come back
    "reason": "no_reason",  # see `domain.returns.ReturnReason`
    "kind": "return",  # return, exchange
    "skus": ["SKU-1"],  # of the pieces
    "categories": ["fresh"],  # of the pieces, as the file names them; empty: none
    "channel": "wechat",  # where it was ordered
    "tier": "",  # the customer's tier; empty: none
    "customer_returns": 0,  # the customer's returns of 90 days, this one left out
    "health": 80.0,  # the customer's health score; where there is none its conditions do not hold
}
"""The facts that a condition may read, each with a value of its kind. One that is not known of a return is None."""


class Answer(StrEnum):
    """What a rule says."""

    APPROVE = "approve"  # it is agreed to
    REJECT = "reject"  # it is refused
    ASK = "ask"  # a person has to answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`goods` False: the customer keeps them. `freight`: what was paid for freight goes back, too."""

    name: str
    when: str
    then: Answer
    goods: bool = True
    freight: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReturnRules:
    """Rules in the order of the file. `window`: the file's own default; None: the setting counts."""

    rules: tuple[Rule, ...]
    _conditions: Conditions = field(repr=False)
    windows: ReturnWindows = field(default_factory=ReturnWindows)
    window: timedelta | None = None

    def answer(self, facts: Mapping[str, Any]) -> Rule | None:
        """The first rule that holds; None: none does, a person has to answer."""
        met = self._conditions.met(facts)
        return next((rule for rule in self.rules if rule.name in met), None)


def read_return_rules(file: Path) -> ReturnRules:
    """Raises `RulesError` that names every mistake with file and line."""
    top = entries_of(read_bytes(file), file)
    fields = top.fields(needed=("rules",), known=("categories", "window"))
    categories = categories_of(fields.get("categories"))
    lasts, of_category = windows_of(fields.get("window"), categories.listed)
    known = categories.listed.keys()
    found = [_rule(entry, known) for entry in (fields["rules"].items() if "rules" in fields else [])]
    rules = tuple(rule for rule in found if rule is not None)
    names = [rule.name for rule in rules]
    for name in sorted({name for name in names if names.count(name) > 1}):
        top.problem(f"two rules are called {name!r}")
    top.findings.raise_if_any()
    conditions = Conditions({rule.name: rule.when for rule in rules})
    return ReturnRules(rules, conditions, ReturnWindows(categories, of_category), lasts)


def _rule(entry: Entry, categories: Collection[str]) -> Rule | None:
    fields = entry.fields(needed=("name", "when", "then"), known=("goods", "freight", "note"))
    if {"name", "when", "then"} - fields.keys():
        return None
    when, then = fields["when"].word(), fields["then"].word()
    if wrong := _wrong_condition(when, categories):
        fields["when"].problem(wrong)
    if then not in list(Answer):
        fields["then"].problem(f"{then!r} is no answer: write {', '.join(Answer)}")
        return None
    return Rule(
        name=fields["name"].word(),
        when=when,
        then=Answer(then),
        goods="goods" not in fields or fields["goods"].flag(),
        freight="freight" in fields and fields["freight"].flag(),
        note=fields["note"].word() if "note" in fields else "",
    )


def _wrong_condition(text: str, categories: Collection[str]) -> str:
    """Tried on a return of every reason, so that a comparison of two kinds is seen; empty: nothing is wrong."""
    if unknown := sorted(names_in(text) - SAMPLE.keys()):
        return f"there is no fact {unknown[0]}; known are {', '.join(SAMPLE)}"
    if unknown := sorted(named_in(text, "categories") - set(categories)):
        return no_category(unknown[0], categories)
    tried = Conditions({"it": text})
    for reason in ReturnReason:
        tried.met({**SAMPLE, "reason": reason.value})
    return tried.troubles.get("it", "")
