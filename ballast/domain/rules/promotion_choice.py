"""Which of the promotions that exclude each other cost the customer least: all ways to combine them are tried."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ballast.domain.rules.promotion_order import Rule
from ballast.domain.rules.promotion_steps import Result, Standing, Walk, walk
from ballast.domain.rules.promotion_takes import Bill

MOST_WAYS: Final = 1_024
"""Ways to combine what excludes each other; beyond, the first in order is taken as if nothing else had been said."""
MOST_LOOKS: Final = 16 * MOST_WAYS


@dataclass(slots=True)
class Choices:
    """The way that was taken. `best_with`: of the ways in which a promotion that was left out is taken, the best one;
    `too_many`: nothing was compared."""

    taken: Walk
    best_with: dict[int, Walk] = field(default_factory=dict)
    too_many: bool = False


def choose_best(bill: Bill, standing: Sequence[Standing], most: int | None) -> Choices:
    """Every promotion that nothing excludes is taken in any case; of the others, every set that goes together and to
    which none can be added. The stacking limit makes all of them alternatives, where more of them could be taken."""
    contested = contest(_able(bill, standing), most)
    if not contested:
        return Choices(walk(bill, standing, most))
    ways = combinations(contested, most)
    if ways is None:
        return Choices(walk(bill, standing, most), too_many=True)
    whole = sum([rule.bit for rule in contested])
    choices: Choices | None = None
    best_with: dict[int, Walk] = {}
    for way in ways:
        walked = walk(bill, standing, most, whole & ~way)
        if choices is None or walked.rank < choices.taken.rank:
            choices = Choices(walked)
        for rule in contested:
            if walked.applied & rule.bit and (rule.bit not in best_with or walked.rank < best_with[rule.bit].rank):
                best_with[rule.bit] = walked
    assert choices is not None  # there is always a way: the first in order
    choices.best_with = best_with
    return choices


def _able(bill: Bill, standing: Sequence[Standing]) -> list[Rule]:
    """Those that take something from the order as it came. Costs only fall, so no other one can at its turn."""
    able = []
    for one in standing:
        alone = walk(bill, [one], None).steps[0]
        if alone.result is Result.TAKEN:
            able.append(one.rule)
    return able


def contest(able: Sequence[Rule], most: int | None) -> list[Rule]:
    """Of the promotions that an order could have, those that are alternatives to another one."""
    if most is not None and len(able) > most:
        return list(able)
    bits = sum([rule.bit for rule in able])
    return [rule for rule in able if rule.conflicts & bits]


def combinations(rules: Sequence[Rule], most: int | None, *, ways: int = MOST_WAYS) -> list[int] | None:
    """The bits of every set of `rules` that goes together and to which none can be added, the earliest first.

    None: there are too many of them.
    """
    found: list[int] = []
    looks = 0
    stack = [(0, 0, 0)]  # the next rule, the bits taken, how many they are
    while stack:
        looks += 1
        at, taken, count = stack.pop()
        if looks > MOST_LOOKS or len(found) > ways:
            return None
        if at == len(rules) or (most is not None and count >= most):
            if _nothing_fits(rules, taken, full=most is not None and count >= most):
                found.append(taken)
            continue
        rule, free = rules[at], not rules[at].conflicts & taken
        if not free or _may_stay_out(rule, rules[at + 1 :], taken, most):
            stack.append((at + 1, taken, count))
        if free:
            stack.append((at + 1, taken | rule.bit, count + 1))
    return found


def _nothing_fits(rules: Sequence[Rule], taken: int, *, full: bool) -> bool:
    return full or all(taken & rule.bit or rule.conflicts & taken for rule in rules)


def _may_stay_out(rule: Rule, later: Sequence[Rule], taken: int, most: int | None) -> bool:
    """Whether a later one, still to be taken, would keep it out."""
    return most is not None or any(rule.conflicts & one.bit and not one.conflicts & taken for one in later)
