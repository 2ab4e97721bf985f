"""Any promotions and any carts: never too cheap, never a cent lost, no matter of order, and no change unexplained."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.domain.rules.calculating import Calculator
from ballast.domain.rules.portions import portion
from ballast.domain.rules.promotions import (
    Calculation,
    Cart,
    CartLine,
    Choice,
    Fate,
    Outcome,
    Promotion,
    PromotionKind,
    PromotionOptions,
    PromotionSet,
)

AT = datetime(2026, 11, 11, tzinfo=UTC)
SKUS, SERIES, TIERS, CODES = ("A", "B", "C"), ("", "tea", "jar"), ("", "gold"), ("C1", "C2")
NAMES = tuple(f"<{name}>" for name in "abcdefgh")
money = st.integers(0, 40_000)
shares = st.one_of(st.integers(0, 10_000), st.sampled_from((9_000, 8_800, 5_000, 0, 9_999)))
some = {
    "skus": st.lists(st.sampled_from(SKUS), max_size=2, unique=True).map(tuple),
    "series": st.lists(st.sampled_from(SERIES[1:]), max_size=1).map(tuple),
    "tiers": st.sampled_from(((), (), (), ("gold",))),
    "first_order": st.sampled_from((None, None, None, True, False)),
    "starts": st.sampled_from((None, None, AT, AT + timedelta(days=1))),
    "ends": st.sampled_from((None, None, None, AT, AT + timedelta(days=2))),
    "cap": st.one_of(st.none(), st.none(), st.integers(0, 9_000)),
    "group": st.sampled_from(("", "", "", "g", "h")),
    "excludes": st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    "on": st.sampled_from((True, True, True, True, False)),
    "when": st.sampled_from(("", "", "", "amount > 3")),
    "priority": st.integers(0, 3),
    "kind": st.sampled_from(PromotionKind),
    "threshold": st.one_of(st.just(0), st.integers(0, 60_000)),
    "off": st.integers(0, 30_000),
    "per_multiple": st.booleans(),
    "pays": shares,
    "price": st.integers(0, 20_000),
    "nth": st.integers(0, 4),
    "gift_sku": st.just("G"),
    "gift_quantity": st.integers(0, 2),
    "code": st.sampled_from(CODES),
}


@st.composite
def promotion_sets(draw: st.DrawFn, choice: Choice | None = None) -> PromotionSet:
    made = []
    for name in NAMES[: draw(st.integers(1, 7))]:
        fields: dict[str, Any] = draw(st.fixed_dictionaries(some))
        if fields["kind"] is PromotionKind.COUPON and draw(st.booleans()):
            fields["off"] = 0
        made.append(Promotion(name=name, **fields))
    most = draw(st.sampled_from((None, None, None, 0, 1, 2)))
    options = PromotionOptions(most=most, choice=choice or draw(st.sampled_from(Choice)))
    return PromotionSet(promotions=tuple(made), options=options)


@st.composite
def rivals(draw: st.DrawFn) -> PromotionSet:
    """Promotions that nearly always hold, and often exclude each other."""
    kinds = st.sampled_from((PromotionKind.SPEND_OFF, PromotionKind.PERCENT))
    made = [
        Promotion(
            name=name,
            kind=draw(kinds),
            priority=draw(st.integers(0, 3)),
            threshold=draw(st.sampled_from((0, 100, 20_000, 35_000))),
            off=draw(st.integers(1, 9_000)),
            pays=draw(st.integers(5_000, 9_500)),
            group=draw(st.sampled_from(("", "g", "h"))),
            excludes=draw(some["excludes"]),
        )
        for name in NAMES[: draw(st.integers(2, 6))]
    ]
    most = draw(st.sampled_from((None, None, 2)))
    return PromotionSet(promotions=tuple(made), options=PromotionOptions(most=most, choice=Choice.BEST))


lines = st.builds(
    dict,
    sku=st.sampled_from(SKUS),
    series=st.sampled_from(SERIES),
    quantity=st.integers(1, 5),
    price=st.one_of(money, st.sampled_from((0, 1, 39_900))),
    floor=st.one_of(st.just(0), st.integers(0, 15_000)),
)
carts = st.builds(
    lambda rows, **fields: Cart(
        lines=tuple([CartLine(line_no=number, **row) for number, row in enumerate(rows, 1)]), at=AT, **fields
    ),
    st.lists(lines, max_size=5),
    freight=st.sampled_from((0, 1_200)),
    tier=st.sampled_from(TIERS),
    first_order=st.booleans(),
    coupons=st.lists(st.sampled_from(CODES), max_size=2).map(tuple),
    met=st.sampled_from((frozenset(), frozenset(NAMES))),
)


def calculated(promotions: PromotionSet, cart: Cart) -> Calculation:
    return Calculator(promotions).calculate(cart)


def costs(cart: Cart) -> dict[int, int]:
    return {line.line_no: line.price * line.quantity for line in cart.lines}


@settings(max_examples=500, deadline=None)
@given(promotion_sets(), carts)
def test_never_below_zero_or_floor_and_not_a_cent_lost(promotions: PromotionSet, cart: Cart) -> None:
    made, before = calculated(promotions, cart), costs(cart)
    for line in cart.lines:
        whole, floor = before[line.line_no], line.floor * line.quantity
        assert min(whole, floor) <= made.lines[line.line_no] <= whole
    assert 0 <= made.freight <= cart.freight
    assert sum(made.lines.values()) == made.goods
    applied = [one for one in made.outcomes if one.fate is Fate.APPLIED]
    assert sum(one.off for one in applied) == sum(before.values()) - made.goods
    assert sum(one.freight_off for one in applied) == cart.freight - made.freight
    for number, whole in before.items():
        assert whole - sum(one.per_line.get(number, 0) for one in applied) == made.lines[number]
    for one in applied:
        assert sum(one.per_line.values()) == one.off
        assert all(part > 0 for part in one.per_line.values())
        assert one.off or one.freight_off or any(gift.promotion == one.name for gift in made.gifts)


@settings(max_examples=300, deadline=None)
@given(promotion_sets(), carts)
def test_every_promotion_once_with_a_reason_and_within_its_bounds(promotions: PromotionSet, cart: Cart) -> None:
    made = calculated(promotions, cart)
    named = {one.name: one for one in promotions.promotions}
    assert sorted(one.name for one in made.outcomes) == sorted(named)
    assert all(one.why and one.cut >= 0 for one in made.outcomes)
    assert made.cut == sum(one.cut for one in made.outcomes)
    assert made.applied == tuple(one.name for one in made.outcomes if one.fate is Fate.APPLIED)
    applied = set(made.applied)
    for one in made.outcomes:
        cap = named[one.name].cap
        assert cap is None or one.off + one.freight_off <= cap
        if one.fate is not Fate.APPLIED:
            assert (one.off, one.freight_off, dict(one.per_line)) == (0, 0, {})
        if one.fate is Fate.EXCLUDED and promotions.options.choice is Choice.PRIORITY:
            assert any(name in one.why for name in applied) or promotions.options.most == 0
    most = promotions.options.most
    assert most is None or len(applied) <= most
    for one_name, other_name in combinations(sorted(applied), 2):
        first, other = named[one_name], named[other_name]
        assert not (first.group and first.group == other.group)
        assert first.name not in other.excludes
        assert other.name not in first.excludes


@settings(max_examples=300, deadline=None)
@given(promotion_sets(), carts, st.randoms(use_true_random=False))
def test_order_of_lines_and_rules_plays_no_part_and_twice_is_the_same(
    promotions: PromotionSet, cart: Cart, chance: Any
) -> None:
    calculator = Calculator(promotions)
    once = calculator.calculate(cart)
    again = calculator.calculate(cart)
    assert (again, again.outcomes) == (once, once.outcomes)
    rules, shuffled = list(promotions.promotions), list(cart.lines)
    chance.shuffle(rules)
    chance.shuffle(shuffled)
    other = calculated(replace(promotions, promotions=tuple(rules)), replace(cart, lines=tuple(shuffled)))
    assert (other, other.outcomes) == (once, once.outcomes)
    assert list(other.lines) == sorted(other.lines)


def found_in(made: Calculation) -> dict[str, tuple[Outcome, list[Any]]]:
    return {one.name: (one, [gift for gift in made.gifts if gift.promotion == one.name]) for one in made.outcomes}


@settings(max_examples=400, deadline=None)
@given(promotion_sets(Choice.PRIORITY), carts)
def test_whoever_pays_less_without_a_rule_can_read_why(promotions: PromotionSet, cart: Cart) -> None:
    """The first other promotion that fares differently names the rule as the cause, or is not there."""
    made = calculated(promotions, cart)
    told = found_in(made)
    for rule in promotions.promotions:
        rest = [replace(one, on=False) if one is rule else one for one in promotions.promotions]
        without = calculated(replace(promotions, promotions=tuple(rest)), cart)
        other = found_in(without)
        different = [
            name
            for name, (one, gifts) in told.items()
            if name != rule.name
            and ((one.fate, one.off, one.freight_off, gifts) != _figures(other[name]) or one.cut != other[name][0].cut)
        ]
        if without.payable < made.payable:
            assert different
        if different:
            assert told[rule.name][0].fate is Fate.APPLIED
            assert rule.name in told[different[0]][0].why


def _figures(told: tuple[Outcome, list[Any]]) -> tuple[Fate, int, int, list[Any]]:
    one, gifts = told
    return one.fate, one.off, one.freight_off, gifts


def goes_together(stack: Sequence[Promotion]) -> bool:
    return all(
        not (one.group and one.group == other.group)
        and one.name not in other.excludes
        and other.name not in one.excludes
        for one, other in combinations(stack, 2)
    )


@settings(max_examples=250, deadline=None)
@given(st.one_of(promotion_sets(Choice.BEST), rivals(), rivals()), carts)
def test_the_best_choice_is_the_best_of_all_complete_ones(promotions: PromotionSet, cart: Cart) -> None:
    """Slow and obvious: of those that take something alone, every set to which none can be added, tried by itself."""
    most = promotions.options.most
    alone = PromotionOptions(choice=Choice.PRIORITY)
    able = [
        one
        for one in promotions.promotions
        if calculated(PromotionSet(promotions=(one,), options=alone), cart).outcomes[0].fate is Fate.APPLIED
    ]
    fitting = [
        set(stack)
        for size in range(len(able) + 1)
        for stack in combinations(able, size)
        if goes_together(stack) and (most is None or size <= most)
    ]
    complete = [stack for stack in fitting if not any(stack < other for other in fitting)]
    tried = [calculated(PromotionSet(promotions=tuple(stack), options=alone), cart).payable for stack in complete]
    made = calculated(promotions, cart)
    assert made.payable == min(tried)
    first = replace(promotions, options=replace(promotions.options, choice=Choice.PRIORITY))
    assert made.payable <= calculated(first, cart).payable


weights = st.lists(st.tuples(money, st.integers(0, 40_000)), min_size=1, max_size=6)


@settings(max_examples=700, deadline=None)
@given(st.integers(0, 120_000), weights)
def test_portions_against_cents_dealt_by_fractions(total: int, pairs: list[tuple[int, int]]) -> None:
    """Rooms as in an order: at most what the line costs."""
    amounts = [weight for weight, _ in pairs]
    rooms = [min(weight, room) for weight, room in pairs]
    assert portion(total, amounts, rooms) == dealt(total, amounts, rooms)


def dealt(total: int, amounts: list[int], rooms: list[int]) -> list[int]:
    """By exact fractions, line after line being filled up; then the cents that are missing, one after the other."""
    parts, left = [Fraction(0)] * len(amounts), Fraction(min(total, sum(rooms)))
    free = {line for line, amount in enumerate(amounts) if amount}
    while free:
        rate = left / sum(amounts[line] for line in free)
        full = {line for line in free if rate * amounts[line] > rooms[line]}
        for line in full or free:
            parts[line] = Fraction(rooms[line]) if full else rate * amounts[line]
            left -= parts[line]
        free = free - full if full else set()
    whole = [int(part) for part in parts]
    order = sorted(range(len(parts)), key=lambda line: (whole[line] - parts[line], line))
    for line in order[: min(total, sum(rooms)) - sum(whole)]:
        whole[line] += 1
    return whole


@settings(max_examples=300, deadline=None)
@given(carts, st.integers(0, 60_000), st.integers(0, 30_000), shares)
def test_spend_off_and_percent_against_arithmetic_by_fractions(cart: Cart, threshold: int, off: int, pays: int) -> None:
    cart = replace(cart, lines=tuple([replace(line, floor=0) for line in cart.lines]))
    spend = Promotion(name="spend", kind=PromotionKind.SPEND_OFF, threshold=threshold, off=off)
    percent = Promotion(name="percent", kind=PromotionKind.PERCENT, pays=pays)
    made = calculated(PromotionSet(promotions=(percent, spend)), cart)
    goods = sum(costs(cart).values())
    if cart.lines and goods >= threshold:
        goods -= min(off, goods)
    assert made.goods == int(Fraction(goods * pays, 10_000) + Fraction(1, 2))
