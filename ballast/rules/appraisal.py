"""What an order should cost, and whether what it says of itself agrees: prices and promotions together."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ballast.clock import SHANGHAI
from ballast.domain.money import Money
from ballast.domain.rules.price_gate import LineMismatch, OwnLine, TotalMismatch, judge_prices, judge_total
from ballast.domain.rules.prices import LinePrice, Wanted
from ballast.domain.rules.promotions import Calculation, Cart, CartLine
from ballast.rules.compiled import Compiled


@dataclass(slots=True, kw_only=True)  # made by the thousand: frozen it would take three times as long
class Question:
    """An order, or somebody who asks what one would cost. Amounts are minor units of `currency`."""

    lines: Sequence[Wanted]
    at: datetime
    currency: str = "CNY"
    freight: int = 0
    channel: str = ""
    customer: str = ""
    tier: str = ""
    first_order: bool = False
    coupons: tuple[str, ...] = ()
    province: str = ""
    city: str = ""


@dataclass(slots=True, kw_only=True)
class Appraisal:
    """The answer. Lines without any price are not in the calculation: `unpriced` has their numbers."""

    prices: tuple[LinePrice, ...]
    calculation: Calculation
    unpriced: tuple[int, ...] = ()


def appraise(rules: Compiled, asked: Question, *, explain: bool = False) -> Appraisal:
    """Price every line, then the promotions over all of them. A line that no row prices costs what it says itself."""
    prices = rules.prices.quote(
        customer=asked.customer, tier=asked.tier, lines=asked.lines, at=asked.at, currency=asked.currency,
        explain=explain,
    )  # fmt: skip
    own = {line.line_no: line.own_price for line in asked.lines}
    costs = {one.line_no: one.price if one.price is not None else own[one.line_no] for one in prices}
    return Appraisal(
        prices=prices,
        calculation=_calculate(rules, asked, prices, costs),
        unpriced=tuple([number for number, cost in costs.items() if cost is None]),
    )


def _calculate(
    rules: Compiled, asked: Question, prices: Sequence[LinePrice], costs: Mapping[int, int | None]
) -> Calculation:
    lines = tuple(
        [
            CartLine(
                line_no=one.line_no, sku=one.sku, quantity=one.quantity, price=cost, series=one.series, floor=one.floor
            )
            for one in prices
            if (cost := costs[one.line_no]) is not None
        ]
    )
    conditions = rules.promotion_conditions
    cart = Cart(
        lines=lines, at=asked.at, freight=asked.freight, channel=asked.channel, tier=asked.tier,
        customer=asked.customer, first_order=asked.first_order, coupons=asked.coupons,
        met=conditions.met({name: CART_FACTS[name](asked, lines) for name in conditions.reads}),
    )  # fmt: skip
    return rules.promotions.calculate(cart)


CART_FACTS: Final[Mapping[str, Callable[[Question, Sequence[CartLine]], object]]] = {
    "amount": lambda asked, lines: float(
        Money(sum([line.price * line.quantity for line in lines]), asked.currency).major()
    ),
    "quantity": lambda _, lines: sum([line.quantity for line in lines]),
    "lines": lambda _, lines: len(lines),
    "channel": lambda asked, _: asked.channel,
    "tier": lambda asked, _: asked.tier,
    "customer": lambda asked, _: asked.customer,
    "province": lambda asked, _: asked.province,
    "city": lambda asked, _: asked.city,
    "first_order": lambda asked, _: asked.first_order,
    "coupons": lambda asked, _: list(asked.coupons),
    "hour": lambda asked, _: asked.at.astimezone(SHANGHAI).hour,
    "weekday": lambda asked, _: asked.at.astimezone(SHANGHAI).isoweekday(),
}
"""What a promotion's `when` may read. `amount`: the lines before promotions, in major units."""


@dataclass(slots=True, kw_only=True)
class PriceVerdict:
    """How an order's own figures compare: none of either, and it may go on."""

    appraisal: Appraisal
    lines: tuple[LineMismatch, ...] = ()
    total: TotalMismatch | None = None

    @property
    def agrees(self) -> bool:
        return not self.lines and self.total is None


def judge(rules: Compiled, asked: Question, own: Sequence[OwnLine], payable: int) -> PriceVerdict:
    """Compare an order's own prices with the book, and `payable`, what it costs in all, with the calculation.

    A price within the tolerance is the order's own from there on: what is tolerated at a line is not held against the
    total. The total is compared only where promotions are in force. A line that costs nothing is a gift where a
    promotion gives it, and has no price then.
    """
    gifts = _given(rules, asked, own)
    if gifts:
        asked = replace(asked, lines=[line for line in asked.lines if line.line_no not in gifts])
        own = [line for line in own if line.line_no not in gifts]
    appraisal = appraise(rules, asked)
    lines = judge_prices(own, appraisal.prices, rules.price_set.options)
    total = None
    if rules.has_promotions:
        total = judge_total(payable, _with_own(rules, asked, appraisal, lines), rules.promotion_set.options)
    return PriceVerdict(appraisal=appraisal, lines=lines, total=total)


def _given(rules: Compiled, asked: Question, own: Sequence[OwnLine]) -> frozenset[int]:
    """The lines that a promotion gives for nothing, as many pieces as it gives."""
    free = [line for line in own if not line.unit_price and not line.amount]
    if not free:
        return frozenset()
    numbers = {line.line_no for line in free}
    paid = [line for line in asked.lines if line.line_no not in numbers]
    left = Counter[str]()
    for gift in appraise(rules, replace(asked, lines=paid)).calculation.gifts if paid else ():
        left[gift.sku] += gift.quantity
    given = set()
    for line in sorted(free, key=lambda one: one.line_no):
        if left[line.sku] >= line.quantity:
            left[line.sku] -= line.quantity
            given.add(line.line_no)
    return frozenset(given)


def _with_own(rules: Compiled, asked: Question, appraisal: Appraisal, wrong: Sequence[LineMismatch]) -> Calculation:
    own = {line.line_no: line.own_price for line in asked.lines}
    mistaken = {one.line_no for one in wrong}
    costs = {
        one.line_no: one.price if one.line_no in mistaken and one.price is not None else own[one.line_no]
        for one in appraisal.prices
    }
    if not [one for one in appraisal.prices if costs[one.line_no] not in (None, one.price)]:
        return appraisal.calculation
    return _calculate(rules, asked, appraisal.prices, costs)
