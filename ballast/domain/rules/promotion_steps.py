"""Promotions acting on an order one after the other: the figures of it, without words."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ballast.domain.rules.promotion_order import Rule
from ballast.domain.rules.promotion_takes import Bill, Take, take
from ballast.domain.rules.promotions import PromotionKind


class Result(Enum):
    """How one promotion fared at its turn."""

    TAKEN = auto()
    SHORT = auto()  # the lines in scope cost less than its threshold
    NOTHING = auto()  # it would take nothing, or there is nothing that may be taken
    AGAINST = auto()  # not together with one that was taken before
    OVER = auto()  # as many as one order may have were taken before
    LEFT = auto()  # left out beforehand: another choice costs the customer less


@dataclass(slots=True)
class Standing:
    """A promotion that is for this order. `scope`: its lines; `touches`: one bit for each, and one for the freight."""

    rule: Rule
    scope: Sequence[int]
    touches: int


@dataclass(slots=True)
class Step:
    """`base`: what the lines in scope cost at its turn; `against`: the bits of those that it does not go with."""

    standing: Standing
    result: Result
    base: int
    take: Take | None = None
    against: int = 0

    @property
    def cut(self) -> int:
        """What it would have taken and may not."""
        return self.take.cut if self.take is not None and self.result in _CUT else 0


_CUT: Final = frozenset({Result.TAKEN, Result.NOTHING})


@dataclass(slots=True)
class Walk:
    """All steps, the order as it stands after them, and the bits of those that were taken."""

    steps: list[Step]
    bill: Bill
    applied: int

    @property
    def rank(self) -> tuple[int, int]:
        """The smaller, the better for the customer; where two cost the same, the one with the earlier promotions."""
        return self.bill.payable, -self.applied


def stand(rule: Rule, scope: Sequence[int], bill: Bill) -> Standing:
    """`scope`: numbers of the lines that it is about, in order."""
    touches = sum([1 << line for line in scope])
    if rule.kind is PromotionKind.FREE_SHIPPING:
        touches |= 1 << len(bill.lines)
    return Standing(rule, scope, touches)


def walk(bill: Bill, standing: Sequence[Standing], most: int | None, left_out: int = 0) -> Walk:
    """Each promotion at its turn. `most`: taken at most so many; `left_out`: bits of those not to be taken at all.

    One that takes nothing counts for no exclusion and for no limit.
    """
    bill = Bill(bill.lines, list(bill.costs), bill.floors, bill.freight)
    costs, steps, applied, count = bill.costs, list[Step](), 0, 0
    for one in standing:
        rule = one.rule
        base = sum([costs[line] for line in one.scope])
        if left_out & rule.bit:
            steps.append(Step(one, Result.LEFT, base))
        elif base < rule.threshold:
            steps.append(Step(one, Result.SHORT, base))
        else:
            made = take(rule, bill, one.scope, base)
            against = rule.conflicts & applied
            if not made.goods and not made.freight and not (made.pieces and rule.kind is PromotionKind.GIFT):
                result = Result.NOTHING
            elif against:
                result = Result.AGAINST
            elif most is not None and count >= most:
                result = Result.OVER
            else:
                result, count, applied = Result.TAKEN, count + 1, applied | rule.bit
                _carry_off(bill, one.scope, made)
            steps.append(Step(one, result, base, made, against))
    return Walk(steps, bill, applied)


def _carry_off(bill: Bill, scope: Sequence[int], made: Take) -> None:
    bill.freight -= made.freight
    if made.goods:
        for line, part in zip(scope, made.parts, strict=True):
            bill.costs[line] -= part
