"""What other rules would have said of orders that are in the books: counted, compared, the most affected explained."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any, Final

from ballast.domain.money import Money
from ballast.domain.rules.prices import LinePrice
from ballast.domain.rules.promotions import Calculation, Fate
from ballast.rules.appraisal import Appraisal

MOST_EXPLAINED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one version of the rules says of one order. Amounts are minor units.

    `payable`: what it would cost; `listed`: the same without promotions; `held`: the reason for which it would be
    held, `fired`: risk rules.
    """

    payable: int
    listed: int
    held: str = ""
    fired: tuple[str, ...] = ()
    appraisal: Appraisal | None = None

    @property
    def discount(self) -> int:
        return self.listed - self.payable


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One order that the draft changes."""

    order_no: str
    currency: str
    own_total: int
    now: Seen
    then: Seen

    @property
    def weight(self) -> tuple[int, bool, str]:
        """The larger, the more it is affected: by money, then by being held or let go."""
        return abs(self.then.payable - self.now.payable), self.now.held != self.then.held, self.order_no

    def why(self) -> list[str]:
        """What is different, sentence by sentence."""
        said = []
        if self.now.held != self.then.held:
            said.append(f"held: {self.now.held or 'no'} now, {self.then.held or 'no'} then")
        if self.now.fired != self.then.fired:
            said.append(
                f"risk rules: {', '.join(self.now.fired) or 'none'} now, {', '.join(self.then.fired) or 'none'} then"
            )
        return said + _prices(self.now.appraisal, self.then.appraisal, self.currency) + _promotions(self.now, self.then)


def _prices(now: Appraisal | None, then: Appraisal | None, currency: str) -> list[str]:
    if now is None or then is None:
        return []
    was = {one.line_no: one for one in now.prices}
    return [
        f"line {one.line_no} {one.sku}: {_price(was[one.line_no], currency)} now, {_price(one, currency)} then"
        for one in then.prices
        if (one.price, one.row) != (was[one.line_no].price, was[one.line_no].row)
    ]


def _price(line: LinePrice, currency: str) -> str:
    return "no price" if line.price is None else f"{Money(line.price, currency).major()} ({line.row})"


def _promotions(now: Seen, then: Seen) -> list[str]:
    before = _outcomes(now.appraisal)
    after = _outcomes(then.appraisal)
    said = []
    for name in dict.fromkeys([*before, *after]):
        was, becomes = before.get(name, "not there"), after.get(name, "not there")
        if was != becomes:
            said.append(f"{name}: {was} now; {becomes} then")
    return said


def _outcomes(appraisal: Appraisal | None) -> dict[str, str]:
    calculation: Calculation | None = appraisal.calculation if appraisal else None
    if calculation is None:
        return {}
    return {
        one.name: f"{one.fate}, {one.why}" for one in calculation.outcomes if one.fate is not Fate.SKIPPED or one.cut
    }


@dataclass(slots=True)
class Figures:
    """Sums of one version over all orders, per currency where they are money."""

    revenue: Counter[str] = field(default_factory=Counter)
    discounts: Counter[str] = field(default_factory=Counter)
    holds: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)

    def add(self, seen: Seen, currency: str) -> None:
        self.revenue[currency] += seen.payable
        self.discounts[currency] += seen.discount
        if seen.held:
            self.holds[seen.held] += 1
        self.fired.update(seen.fired)

    def as_dict(self) -> dict[str, Any]:
        return {
            "revenue": dict(self.revenue), "discounts": dict(self.discounts), "holds": dict(self.holds),
            "rules_fired": dict(self.fired),
        }  # fmt: skip


@dataclass(slots=True)
class Trial:
    """The report. `orders`: looked at; `changed`: those that would cost something else, or be held or let go."""

    orders: int = 0
    changed: int = 0
    dearer: int = 0
    cheaper: int = 0
    newly_held: int = 0
    let_go: int = 0
    archived: int = 0  # placed in that time, in the archive by now: not looked at
    now: Figures = field(default_factory=Figures)
    then: Figures = field(default_factory=Figures)
    _most: list[tuple[tuple[int, bool, str], Affected]] = field(default_factory=list)

    def add(self, one: Affected) -> None:
        """Count one order; keep it while it is among the most affected."""
        self.orders += 1
        self.now.add(one.now, one.currency)
        self.then.add(one.then, one.currency)
        difference = one.then.payable - one.now.payable
        self.dearer += difference > 0
        self.cheaper += difference < 0
        self.newly_held += bool(one.then.held) and not one.now.held
        self.let_go += bool(one.now.held) and not one.then.held
        if difference == 0 and one.now.held == one.then.held and one.now.fired == one.then.fired:
            return
        self.changed += 1
        put = heappush if len(self._most) < MOST_EXPLAINED else heappushpop
        put(self._most, (one.weight, one))

    @property
    def most_affected(self) -> list[Affected]:
        return [one for _, one in sorted(self._most, key=lambda pair: pair[0], reverse=True)]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able. Amounts are minor units per currency."""
        counts = ("orders", "changed", "dearer", "cheaper", "newly_held", "let_go", "archived")
        return {name: getattr(self, name) for name in counts} | {
            "now": self.now.as_dict(), "then": self.then.as_dict(),
            "most_affected": [_told(one) for one in self.most_affected],
        }  # fmt: skip


def _told(one: Affected) -> Mapping[str, Any]:
    return {
        "order_no": one.order_no, "currency": one.currency, "own_total": one.own_total,
        "payable_now": one.now.payable, "payable_then": one.then.payable, "held_now": one.now.held,
        "held_then": one.then.held, "why": one.why(),
    }  # fmt: skip
