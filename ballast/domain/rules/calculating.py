"""What an order costs after all promotions: to the cent, never below floor or zero, every promotion explained."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Final

from ballast.domain.rules.promotion_choice import Choices, choose_best
from ballast.domain.rules.promotion_order import Rule, in_order
from ballast.domain.rules.promotion_steps import Result, Standing, lines_in_scope, stand, walk
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

MOST_KEPT: Final = 10_000
"""Refusals that a calculator keeps, to write them once."""


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
        self._off = {
            rule.name: Outcome(name=rule.name, fate=Fate.SKIPPED, why="switched off")
            for rule in self._rules
            if not rule.promotion.on
        }
        self._kept: dict[tuple[int, str], Outcome] = {}

    def calculate(self, cart: Cart) -> Calculation:
        """What `cart` costs and why. ValueError: two lines with one number, or amounts that no cart can have."""
        bill = Bill.of(cart)
        refused, standing = self._look_at(cart, bill)
        choices = self._choose(bill, standing)
        outcomes = self._explain(refused, choices)
        taken = choices.taken
        costs = taken.bill.costs
        return Calculation(
            lines={line.line_no: cost for line, cost in zip(bill.lines, costs, strict=True)},
            goods=sum(costs),
            freight=taken.bill.freight,
            gifts=_gifts(choices),
            outcomes=outcomes,
            cut=sum([outcome.cut for outcome in outcomes]),
        )

    def unprotected(self, cart: Cart) -> list[tuple[str, int]]:
        """What each promotion that would be applied takes off the goods if nothing had a floor and nothing stopped at
        zero. For a cart of one line."""
        bill = Bill.of(cart, protected=False)
        _, standing = self._look_at(cart, bill)
        steps = self._choose(bill, standing).taken.steps
        return [
            (step.standing.rule.name, step.take.goods)
            for step in steps
            if step.take is not None and step.result is Result.TAKEN
        ]

    def _look_at(self, cart: Cart, bill: Bill) -> tuple[dict[str, Outcome], list[Standing]]:
        """Those that are not for this order, with the reason, and those that are."""
        refused, standing = dict(self._off), []
        for rule in self._rules:
            if not rule.promotion.on:
                continue
            why = rule.refusal(cart)
            if why:
                refused[rule.name] = self._refused(rule, why)
                continue
            scope = lines_in_scope(rule, bill)
            if scope:
                standing.append(stand(rule, scope, bill))
            else:
                refused[rule.name] = self._refused(rule, "no line is in scope")
        return refused, standing

    def _refused(self, rule: Rule, why: str) -> Outcome:
        """The same few words come again with every order, so they are kept; not without end, they name tiers."""
        known = self._kept.get((rule.bit, why))
        if known is None:
            known = Outcome(name=rule.name, fate=Fate.SKIPPED, why=why)
            if len(self._kept) < MOST_KEPT:
                self._kept[rule.bit, why] = known
        return known

    def _choose(self, bill: Bill, standing: Sequence[Standing]) -> Choices:
        options = self.promotions.options
        if options.choice is Choice.BEST:
            return choose_best(bill, standing, options.most)
        return Choices(walk(bill, standing, options.most))

    def _explain(self, refused: dict[str, Outcome], choices: Choices) -> tuple[Outcome, ...]:
        telling = Telling(self._rules, choices, self.promotions.options.most)
        told = {step.standing.rule.name: telling.outcome(step) for step in choices.taken.steps}
        return tuple([refused.get(rule.name) or told[rule.name] for rule in self._rules])


def _gifts(choices: Choices) -> tuple[Gift, ...]:
    found = []
    for step in choices.taken.steps:
        rule, made = step.standing.rule, step.take
        if rule.kind is PromotionKind.GIFT and step.result is Result.TAKEN and made is not None:
            found.append(Gift(rule.promotion.gift_sku, made.pieces, rule.name))
    return tuple(found)
