"""Rules made ready for work: one version of each kind, compiled, as a whole that a chunk of orders works with."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ballast.clock import SHANGHAI
from ballast.domain.findings import Finding, Level
from ballast.domain.rules.calculating import Calculator
from ballast.domain.rules.facts import kind_of
from ballast.domain.rules.prices import PriceSet
from ballast.domain.rules.promotions import PromotionSet
from ballast.domain.rules.quoting import PriceBook
from ballast.domain.rules.risk import RiskSet
from ballast.domain.sourcing import SourcingSet
from ballast.rules.books import Kind, RuleSet, default_book, read_book, written_of
from ballast.rules.conditions import Conditions
from ballast.rules.entries import RulesError
from ballast.rules.risk_table import RiskTable

PROMOTION_FACTS: Final = frozenset(
    ("amount", "quantity", "lines", "channel", "tier", "customer", "province", "city", "first_order", "coupons", "hour",
     "weekday")
)  # fmt: skip
"""What a promotion's `when` may read. `amount` is in major units."""

_NEWER: Final = ("unknown column", "unknown sheet", "unknown")
"""Findings that are no errors in a file, where people see them, and are some in what is stored: a condition that this
Ballast does not know would not hold, and the rule for more orders than it was written for."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What is in force for a chunk, whole: kind -> version, and each kind as data and ready for work.

    Version 0 is the file under `rules/`; -1 an empty set, because not even that could be used.
    """

    versions: Mapping[Kind, int]
    prices: PriceBook
    price_set: PriceSet
    promotions: Calculator
    promotion_set: PromotionSet
    promotion_conditions: Conditions
    risk: RiskTable
    risk_set: RiskSet
    sourcing_set: SourcingSet

    @cached_property
    def has_promotions(self) -> bool:
        """Whether any promotion is switched on."""
        return any(one.on for one in self.promotion_set.promotions)

    @cached_property
    def has_prices(self) -> bool:
        """Whether anything says what an order should cost."""
        return bool(self.price_set.products or self.price_set.rows) or self.has_promotions

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes of all coupons that are switched on."""
        return frozenset(one.code for one in self.promotion_set.promotions if one.on and one.code)

    @cached_property
    def judges_risk(self) -> bool:
        """Whether any rule of the risk scanner is switched on."""
        return any(rule.on for rule in self.risk_set.rules)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of `Compiled`: its version and its fields there."""

    version: int
    fields: Mapping[str, Any]


def assemble(parts: Mapping[Kind, Part]) -> Compiled:
    """All kinds as one."""
    fields = {name: value for part in parts.values() for name, value in part.fields.items()}
    return Compiled(versions={kind: part.version for kind, part in parts.items()}, **fields)


def read_stored(kind: Kind, sheets: Mapping[str, Any]) -> RuleSet:
    """The rules of stored sheets. Raises `RulesError` with every reason when they are not what we can use."""
    rules, findings = read_book(written_of(kind, sheets))
    refuse_errors([one for one in findings if one.level is Level.ERROR or one.kind in _NEWER])
    return rules


def refuse_errors(findings: Collection[Finding]) -> None:
    """Raises `RulesError` with all of them when there are any."""
    if findings:
        raise RulesError([str(one) for one in findings])


def compile_rules(rules: RuleSet) -> Mapping[str, Any]:
    """The fields of `Compiled` that this set gives. Raises `RulesError` when the engine refuses an expression."""
    if isinstance(rules, PriceSet):
        return {"price_set": rules, "prices": PriceBook(rules, SHANGHAI)}
    if isinstance(rules, PromotionSet):
        written = {one.name: one.when for one in rules.promotions if one.on and one.when}
        conditions = _conditions(written)
        return {"promotion_set": rules, "promotions": Calculator(rules, SHANGHAI), "promotion_conditions": conditions}
    if isinstance(rules, SourcingSet):
        return {"sourcing_set": rules}
    return {"risk_set": rules, "risk": _risk_table(rules)}


def _conditions(written: Mapping[str, str]) -> Conditions:
    conditions = Conditions(written)
    _refuse(conditions.troubles, conditions.reads - PROMOTION_FACTS)
    return conditions


def _risk_table(rules: RiskSet) -> RiskTable:
    table = RiskTable(rules)
    _refuse(table.troubles, {name for name in table.reads if kind_of(name) is None})
    return table


def _refuse(troubles: Mapping[str, str], unknown: Collection[str]) -> None:
    """Conditions that the engine refused, and facts that this Ballast does not know: they would never hold."""
    wrong = [f"{name}: the condition is refused: {why}" for name, why in troubles.items()]
    wrong += [f"there is no fact {name}" for name in sorted(unknown)]
    if wrong:
        raise RulesError(wrong)


EMPTY: Final[Mapping[Kind, Callable[[], RuleSet]]] = {
    Kind.PRICE: PriceSet,
    Kind.PROMOTION: PromotionSet,
    Kind.RISK: RiskSet,
    Kind.SOURCING: SourcingSet,
}
"""Rules that decide nothing."""

NOTHING: Final = -1


def default_part(kind: Kind) -> tuple[Part, str]:
    """What the file under `rules/` says, and why it cannot be used: an empty set is in force then."""
    try:
        return Part(0, compile_rules(default_book(kind))), ""
    except Exception as problem:  # noqa: BLE001  # whatever is wrong with the file: orders go on, it is told
        return Part(NOTHING, compile_rules(EMPTY[kind]())), str(problem) or repr(problem)


def default_rules(kind: Kind) -> RuleSet:
    """What the file under `rules/` says; nothing when it cannot be used."""
    try:
        return default_book(kind)
    except RulesError:
        return EMPTY[kind]()
