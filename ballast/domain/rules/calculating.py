"""What an order costs after all promotions: to the cent, never below floor or zero, every promotion explained."""

from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from functools import partial, reduce
from operator import or_

from ballast.domain.rules.promotion_choice import Choices, choose_best
from ballast.domain.rules.promotion_order import Rule, in_order
from ballast.domain.rules.promotion_steps import Result, Standing, stand, walk
from ballast.domain.rules.promotion_takes import Bill
from ballast.domain.rules.promotion_words import Telling
from ballast.domain.rules.promotions import (
    Calculation,
    Cart,
    Choice,
    Fate,
    Gift,
    Outcome,
    PromotionKind,
    PromotionSet,
)


class Calculator:
    """One version of the promotions, ready for any number of orders. Holds nothing of an order; threads may share it.

    Promotions are looked at by priority, then by kind (fixed price, nth item, spend off, percent, gift, free shipping,
    coupon), then by name. Each acts on what its lines still cost at its turn: thresholds too, and a coupon only on the
    goods that are still to be paid, never on the freight. Amounts are whole minor units; of a share, what is *paid* is
    rounded half up, once for all lines in scope (of every nth item, once per line).

    A discount is portioned over its lines by what each still costs, by largest remainder. A line never falls below its
    floor (nor below zero); what does not fit there the other lines in scope give, and what fits nowhere is cut off and
    reported. A line that is below its floor already gets no discount. A promotion that takes nothing is skipped, and
    counts for no exclusion and no stacking limit. Gifts cost nothing and have no floor. Several promotions may have
    the same code; a code that is brought twice counts once.

    `zone`: on whose clock explanations tell the time. ValueError: two promotions of one name, or a time without a zone.
    """

    def __init__(self, promotions: PromotionSet, zone: tzinfo = UTC) -> None:
        self.promotions = promotions
        self._rules = in_order(promotions.promotions, zone)
        self._index = _Index(rule for rule in self._rules if rule.promotion.on)

    def calculate(self, cart: Cart) -> Calculation:
        """What `cart` costs and why. ValueError: two lines with one number, or amounts that no cart can have."""
        bill = Bill.of(cart)
        choices = self._choose(bill, self._standing(cart, bill))
        taken = choices.taken
        costs = taken.bill.costs
        return Calculation(
            lines={line.line_no: cost for line, cost in zip(bill.lines, costs, strict=True)},
            goods=sum(costs),
            freight=taken.bill.freight,
            gifts=_gifts(choices),
            applied=tuple([step.standing.rule.name for step in taken.steps if step.result is Result.TAKEN]),
            cut=sum([step.cut for step in taken.steps]),
            tell=partial(self._tell, cart, choices),
        )

    def unprotected(self, cart: Cart) -> list[tuple[str, int]]:
        """What each promotion that would be applied takes off the goods if nothing had a floor and nothing stopped at
        zero. For a cart of one line."""
        bill = Bill.of(cart, protected=False)
        steps = self._choose(bill, self._standing(cart, bill)).taken.steps
        return [
            (step.standing.rule.name, step.take.goods)
            for step in steps
            if step.take is not None and step.result is Result.TAKEN
        ]

    def _standing(self, cart: Cart, bill: Bill) -> list[Standing]:
        """Those that are for this order."""
        return [
            stand(rule, scope, bill)
            for rule, scope in self._index.concerning(bill, cart.coupons)
            if not rule.refusal(cart)
        ]

    def _choose(self, bill: Bill, standing: Sequence[Standing]) -> Choices:
        options = self.promotions.options
        if options.choice is Choice.BEST:
            return choose_best(bill, standing, options.most)
        return Choices(walk(bill, standing, options.most))

    def _tell(self, cart: Cart, choices: Choices) -> tuple[Outcome, ...]:
        telling = Telling(self._rules, choices, self.promotions.options.most)
        told = {step.standing.rule.name: telling.outcome(step) for step in choices.taken.steps}
        return tuple([told.get(rule.name) or _not_for(rule, cart) for rule in self._rules])


class _Index:
    """Promotions by what they are about and by their codes: most do not concern an order at all."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._everything = self._without_code = 0
        self._skus, self._series, self._codes = dict[str, int](), dict[str, int](), dict[str, int]()
        for rule in self._rules:
            if rule.everything:
                self._everything |= rule.bit
            for known, names in ((self._skus, rule.skus), (self._series, rule.series - {""})):
                for name in names:
                    known[name] = known.get(name, 0) | rule.bit
            if rule.kind is PromotionKind.COUPON:
                self._codes[rule.promotion.code] = self._codes.get(rule.promotion.code, 0) | rule.bit
            else:
                self._without_code |= rule.bit

    def concerning(self, bill: Bill, coupons: Sequence[str]) -> list[tuple[Rule, list[int]]]:
        """Those that are about a line and whose code, if they want one, is brought; with the numbers of their lines.

        In the order in which they are looked at.
        """
        codes = self._without_code
        for code in coupons:
            codes |= self._codes.get(code, 0)
        everything, skus, series = self._everything, self._skus, self._series
        about = [(everything | skus.get(line.sku, 0) | series.get(line.series, 0)) & codes for line in bill.lines]
        every = reduce(or_, about, 0)
        return [
            (rule, [line for line, bits in enumerate(about) if bits & rule.bit])
            for rule in self._rules
            if rule.bit & every
        ]


def _not_for(rule: Rule, cart: Cart) -> Outcome:
    return Outcome(name=rule.name, fate=Fate.SKIPPED, why=rule.refusal(cart) or "no line is in scope")


def _gifts(choices: Choices) -> tuple[Gift, ...]:
    found = []
    for step in choices.taken.steps:
        rule, made = step.standing.rule, step.take
        if rule.kind is PromotionKind.GIFT and step.result is Result.TAKEN and made is not None:
            found.append(Gift(rule.promotion.gift_sku, made.pieces, rule.name))
    return tuple(found)
