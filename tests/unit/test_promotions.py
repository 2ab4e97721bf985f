"""What an order costs: each kind of promotion, each fate, to the cent and with its reason."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ballast.domain.rules.calculating import Calculator
from ballast.domain.rules.promotions import (
    Calculation,
    Cart,
    CartLine,
    Choice,
    Fate,
    Gift,
    Outcome,
    Promotion,
    PromotionKind,
    PromotionOptions,
    PromotionSet,
)

AT = datetime(2026, 11, 11, tzinfo=UTC)
SPEND_OFF, PERCENT, FIXED_PRICE, NTH_ITEM, GIFT, COUPON, FREE_SHIPPING = (
    PromotionKind.SPEND_OFF,
    PromotionKind.PERCENT,
    PromotionKind.FIXED_PRICE,
    PromotionKind.NTH_ITEM,
    PromotionKind.GIFT,
    PromotionKind.COUPON,
    PromotionKind.FREE_SHIPPING,
)


def one(name: str, kind: PromotionKind, **fields: Any) -> Promotion:
    return Promotion(name=name, kind=kind, **fields)


def line(number: int = 1, price: int = 39_900, quantity: int = 1, sku: str = "TEA", **fields: Any) -> CartLine:
    return CartLine(line_no=number, sku=sku, quantity=quantity, price=price, **fields)


def cart(*lines: CartLine, at: datetime = AT, **fields: Any) -> Cart:
    return Cart(lines=lines or (line(),), at=at, **fields)


def calculate(order: Cart, *promotions: Promotion, **options: Any) -> Calculation:
    return Calculator(PromotionSet(promotions=promotions, options=PromotionOptions(**options))).calculate(order)


def told(made: Calculation) -> Mapping[str, Outcome]:
    return {outcome.name: outcome for outcome in made.outcomes}


def fates(made: Calculation) -> dict[str, str]:
    return {outcome.name: outcome.fate.value for outcome in made.outcomes}


SPEND = one("满300减50", SPEND_OFF, priority=10, threshold=30_000, off=5_000)
MEMBER = one("老客专享9折", PERCENT, priority=20, first_order=False, pays=9_000)
FRESH = one("新品尝鲜券", COUPON, priority=30, code="FRESH", off=3_000, excludes=("老客专享9折",))


@pytest.mark.parametrize("choice", Choice)
def test_a_returning_member_without_a_coupon(choice: Choice) -> None:
    made = calculate(cart(), SPEND, MEMBER, FRESH, choice=choice)
    assert (made.payable, made.lines) == (31_410, {1: 31_410})
    assert [(outcome.off, outcome.why) for outcome in made.outcomes] == [
        (5_000, "300.00 reached: 50.00 off 399.00"),
        (3_490, "pays 90% of 349.00 after 满300减50: 34.90 off"),
        (0, "code FRESH was not brought"),
    ]


@pytest.mark.parametrize("choice", Choice)
def test_the_coupon_chosen_instead(choice: Choice) -> None:
    made = calculate(cart(coupons=("FRESH",), first_order=True), SPEND, MEMBER, FRESH, choice=choice)
    assert made.payable == 31_900
    assert fates(made) == {"满300减50": "applied", "老客专享9折": "skipped", "新品尝鲜券": "applied"}
    assert told(made)["老客专享9折"].why == "only for returning customers"
    assert told(made)["新品尝鲜券"].why == "code FRESH: 30.00 off 349.00 after 满300减50"


def test_both_asked_for_the_first_in_order_wins() -> None:
    made = calculate(cart(coupons=("FRESH",)), FRESH, MEMBER, SPEND)
    assert made.payable == 31_410
    coupon = told(made)["新品尝鲜券"]
    assert (coupon.fate, coupon.off) == (Fate.EXCLUDED, 0)
    assert coupon.why == "not together with 老客专享9折 (applied before); would have taken 30.00"


def test_both_asked_for_the_better_one_wins_and_the_figures_are_told() -> None:
    made = calculate(cart(coupons=("FRESH",)), SPEND, MEMBER, FRESH, choice=Choice.BEST)
    assert made.payable == 31_410
    assert told(made)["新品尝鲜券"].fate is Fate.EXCLUDED
    assert told(made)["新品尝鲜券"].why == (
        "not together with 老客专享9折: with it and 满300减50 the order would cost 319.00, now it costs 314.10"
    )
    small = calculate(cart(line(price=20_000), coupons=("FRESH",)), SPEND, MEMBER, FRESH, choice=Choice.BEST)
    assert small.payable == 17_000  # here the coupon is worth more than the member's 20.00
    assert fates(small) == {"满300减50": "skipped", "老客专享9折": "excluded", "新品尝鲜券": "applied"}


# each kind


def test_spend_off_per_multiple_and_once() -> None:
    each = one("each", SPEND_OFF, threshold=10_000, off=1_000, per_multiple=True)
    made = calculate(cart(), each)
    assert (made.goods, told(made)["each"].why) == (36_900, "100.00 reached 3 times: 30.00 off 399.00")
    once = one("once", SPEND_OFF, threshold=10_000, off=1_000)
    assert calculate(cart(), once).goods == 38_900


@pytest.mark.parametrize(("price", "goods"), [(29_999, 29_999), (30_000, 25_000), (30_001, 25_001)])
def test_a_threshold_is_reached_to_the_cent(price: int, goods: int) -> None:
    made = calculate(cart(line(price=price)), SPEND)
    assert made.goods == goods
    if price < 30_000:
        assert told(made)[SPEND.name].why == "needs 300.00, lines in scope cost 299.99"


def test_a_threshold_looks_at_what_lines_in_scope_cost_at_that_moment() -> None:
    first = one("first", SPEND_OFF, priority=1, off=10_000, threshold=10_000)
    made = calculate(cart(), first, SPEND)
    assert made.goods == 29_900
    assert told(made)[SPEND.name].why == "needs 300.00, lines in scope cost 299.00 after first"
    tea = one("tea", SPEND_OFF, threshold=30_000, off=5_000, series=("tea",))
    made = calculate(cart(line(1, 20_000, series="tea"), line(2, 20_000)), tea)
    assert told(made)["tea"].why == "needs 300.00, lines in scope cost 200.00"


@pytest.mark.parametrize(
    ("price", "pays", "goods"), [(999, 5_000, 500), (5, 9_000, 5), (4, 9_000, 4), (6, 9_000, 5), (333, 6_667, 222)]
)
def test_what_is_paid_is_rounded_half_up(price: int, pays: int, goods: int) -> None:
    assert calculate(cart(line(price=price)), one("share", PERCENT, pays=pays)).goods == goods


def test_a_share_is_rounded_once_for_all_lines() -> None:
    made = calculate(cart(*[line(number, 5) for number in range(1, 11)]), one("half", PERCENT, pays=5_000))
    assert made.goods == 25
    assert made.lines == {1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 3, 7: 3, 8: 3, 9: 3, 10: 3}


def test_a_fixed_price_lowers_and_never_raises() -> None:
    fixed = one("fixed", FIXED_PRICE, price=5_000)
    made = calculate(cart(line(1, 6_000, 3), line(2, 4_000)), fixed)
    assert made.lines == {1: 15_000, 2: 4_000}
    assert told(made)["fixed"].per_line == {1: 3_000}
    assert told(calculate(cart(line(price=4_000)), fixed))["fixed"].why == "takes nothing off 40.00"


def test_every_second_piece_the_dearest_first_over_all_lines() -> None:
    half = one("half", NTH_ITEM, nth=2, pays=5_000)
    made = calculate(cart(line(1, 1_000), line(2, 3_000), line(3, 2_000, 2)), half)  # 30, 20, 20, 10: the 2nd and 4th
    assert told(made)["half"].per_line == {1: 500, 3: 1_000}
    assert told(made)["half"].why == "piece 2 of every 2 pays 50%: 15.00 off 2 of the pieces"
    assert calculate(cart(line(quantity=1)), half).cut == 0
    assert told(calculate(cart(line(quantity=1)), half))["half"].fate is Fate.SKIPPED


def test_every_third_piece_for_nothing() -> None:
    free = one("free", NTH_ITEM, nth=3, pays=0)
    assert [calculate(cart(line(price=100, quantity=n)), free).goods for n in (2, 3, 5, 6)] == [200, 200, 400, 400]


def test_gifts_once_and_per_multiple() -> None:
    once = one("once", GIFT, gift_sku="CUP", gift_quantity=2, threshold=10_000)
    each = one("each", GIFT, gift_sku="SPOON", gift_quantity=1, threshold=10_000, per_multiple=True)
    made = calculate(cart(), once, each)
    assert (made.goods, made.cut) == (39_900, 0)
    assert made.gifts == (Gift("SPOON", 3, "each"), Gift("CUP", 2, "once"))
    assert told(made)["each"].why == "100.00 reached 3 times (lines in scope cost 399.00): 3 x SPOON for nothing"
    assert calculate(cart(line(price=9_999)), once, each).gifts == ()


def test_free_shipping_takes_the_freight_up_to_its_cap() -> None:
    free = one("free", FREE_SHIPPING, threshold=9_900)
    made = calculate(cart(freight=1_200), free)
    assert (made.goods, made.freight, made.payable) == (39_900, 0, 39_900)
    assert told(made)["free"].freight_off == 1_200
    capped = calculate(cart(freight=1_200), one("free", FREE_SHIPPING, cap=1_000))
    assert (capped.freight, capped.cut) == (200, 200)
    assert told(calculate(cart(), free))["free"].why == "there is no freight to take off"
    again = calculate(cart(freight=1_200), free, one("more", FREE_SHIPPING))
    assert told(again)["more"].why == "there is no freight to take off after free"


def test_a_coupon_takes_what_is_payable_and_no_freight() -> None:
    coupon = one("coupon", COUPON, code="C", off=50_000)
    made = calculate(cart(freight=1_200, coupons=("C", "C")), coupon)
    assert (made.goods, made.freight, made.cut) == (0, 1_200, 10_100)
    assert "101.00 because nothing goes below its floor price or zero" in told(made)["coupon"].why
    share = one("share", COUPON, code="C", pays=9_000, threshold=30_000)
    made = calculate(cart(coupons=("C",)), SPEND, share)
    assert (made.goods, told(made)["share"].why) == (
        31_410,
        "code C: pays 90% of 349.00 after 满300减50: 34.90 off",
    )


def test_a_coupon_without_a_code_is_for_nobody() -> None:
    made = calculate(cart(coupons=("",)), one("coupon", COUPON, off=1_000))
    assert (made.goods, made.outcomes[0].why) == (39_900, "a coupon without a code")


def test_coupons_come_after_everything_of_the_same_priority() -> None:
    coupon, share = one("a", COUPON, code="C", off=10_000), one("z", PERCENT, pays=5_000)
    made = calculate(cart(coupons=("C",)), coupon, share)
    assert [outcome.name for outcome in made.outcomes] == ["z", "a"]
    assert made.goods == 19_950 - 10_000
    earlier = calculate(cart(coupons=("C",)), one("a", COUPON, code="C", off=10_000, priority=1), share)
    assert earlier.goods == 14_950


# allocation


def test_a_discount_is_portioned_by_largest_remainder() -> None:
    made = calculate(
        cart(line(1, 3_333), line(2, 3_333), line(3, 3_334)), one("off", SPEND_OFF, off=1_000, threshold=1)
    )
    assert told(made)["off"].per_line == {1: 333, 2: 333, 3: 334}
    equal = calculate(cart(line(7, 100), line(3, 100), line(5, 100)), one("off", SPEND_OFF, off=100, threshold=1))
    assert told(equal)["off"].per_line == {3: 34, 5: 33, 7: 33}


def test_what_does_not_fit_above_a_floor_the_other_lines_give() -> None:
    off = one("off", SPEND_OFF, threshold=1, off=6_000)
    made = calculate(cart(line(1, 10_000, floor=9_000), line(2, 10_000, floor=1_000)), off)
    assert (made.lines, made.cut) == ({1: 9_000, 2: 5_000}, 0)


def test_what_fits_nowhere_is_cut_off_and_reported() -> None:
    made = calculate(cart(line(floor=30_000)), SPEND, MEMBER, FRESH, one("more", PERCENT, pays=5_000, priority=40))
    assert (made.goods, made.lines) == (30_000, {1: 30_000})
    assert made.cut == 0 + (31_410 - 15_705) - (31_410 - 30_000)
    assert told(made)["more"].cut == made.cut
    assert "cut off: 142.95 because nothing goes below its floor price" in told(made)["more"].why


def test_a_line_below_its_floor_keeps_its_price() -> None:
    made = calculate(cart(line(1, 900, floor=1_000), line(2, 1_000)), one("half", PERCENT, pays=5_000))
    assert made.lines == {1: 900, 2: 50}


def test_a_floor_is_per_piece() -> None:
    made = calculate(cart(line(price=1_000, quantity=3, floor=900)), one("half", PERCENT, pays=5_000))
    assert made.lines == {1: 2_700}


def test_a_cap_bounds_what_one_order_gets() -> None:
    made = calculate(cart(), one("half", PERCENT, pays=5_000, cap=1_000))
    assert (made.goods, made.cut) == (38_900, 19_950 - 1_000)
    assert told(made)["half"].why == ("pays 50% of 399.00: 10.00 off; cut off: 189.50 by its cap of 10.00")


# scope


def test_skus_or_series_choose_lines() -> None:
    half = one("half", PERCENT, pays=5_000, skus=("CUP",), series=("green",))
    made = calculate(cart(line(1, 100, sku="CUP"), line(2, 100, series="green"), line(3, 100, series="black")), half)
    assert made.lines == {1: 50, 2: 50, 3: 100}
    assert told(calculate(cart(), half))["half"].why == "no line is in scope"


@pytest.mark.parametrize(
    ("limit", "order", "why"),
    [
        ({"channels": ("web",)}, {"channel": "shop"}, "only for channel web, the order is from shop"),
        ({"tiers": ("gold", "vip")}, {}, "only for tier gold, vip, the customer has none"),
        ({"customers": ("C1",)}, {"customer": "C2"}, "not for this customer"),
        ({"first_order": True}, {"first_order": False}, "only for a customer's first order"),
        ({"first_order": False}, {"first_order": True}, "only for returning customers"),
        ({"when": "amount > 3"}, {"met": frozenset({"other"})}, "its condition does not hold: amount > 3"),
        ({"on": False}, {}, "switched off"),
    ],
)
def test_who_is_not_meant_gets_nothing_and_reads_why(limit: dict[str, Any], order: dict[str, Any], why: str) -> None:
    half = one("half", PERCENT, pays=5_000)
    made = calculate(cart(**order), one("half", PERCENT, pays=5_000, **limit))
    assert (made.goods, made.outcomes[0].fate, made.outcomes[0].why) == (39_900, Fate.SKIPPED, why)
    assert calculate(cart(**order), half).goods == 19_950


def test_who_is_meant_gets_it() -> None:
    limits = one(
        "half", PERCENT, pays=5_000, channels=("web",), tiers=("gold",), customers=("C1",), first_order=True, when="x"
    )
    order = cart(channel="web", tier="gold", customer="C1", first_order=True, met=frozenset({"half"}))
    assert calculate(order, limits).goods == 19_950


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(-1, "starts 2026-11-11"), (0, ""), (3_599, ""), (3_600, "ended 2026-11-11 01:00")],
)
def test_a_period_holds_from_its_start_until_before_its_end(seconds: int, why: str) -> None:
    hour = one("hour", PERCENT, pays=5_000, starts=AT, ends=AT + timedelta(hours=1))
    made = calculate(cart(at=AT + timedelta(seconds=seconds)), hour)
    assert made.goods == (39_900 if why else 19_950)
    assert not why or made.outcomes[0].why == why


# exclusion and choice


def test_of_a_group_the_first_is_applied() -> None:
    big = one("big", SPEND_OFF, priority=1, threshold=50_000, off=9_000, group="spend")
    small = one("small", SPEND_OFF, priority=2, threshold=30_000, off=5_000, group="spend")
    tiny = one("tiny", SPEND_OFF, priority=3, threshold=10_000, off=1_000, group="spend")
    made = calculate(cart(), tiny, small, big)
    assert (made.goods, fates(made)) == (34_900, {"big": "skipped", "small": "applied", "tiny": "excluded"})
    assert told(made)["tiny"].why == "not together with small (applied before); would have taken 10.00"


def test_exclusion_holds_whoever_names_the_other() -> None:
    first, second = one("first", PERCENT, pays=9_000, priority=1), one("second", PERCENT, pays=8_000, priority=2)
    for named in (
        (first, one("second", PERCENT, pays=8_000, priority=2, excludes=("first",))),
        (one("first", PERCENT, pays=9_000, priority=1, excludes=("second",)), second),
    ):
        assert fates(calculate(cart(), *named)) == {"first": "applied", "second": "excluded"}
    assert calculate(cart(), first, second).goods == 28_728


def test_what_takes_nothing_uses_up_neither_group_nor_limit() -> None:
    nothing = one("nothing", PERCENT, pays=9_000, priority=1, group="g", skus=("CUP",))
    made = calculate(
        cart(line(1, 100, sku="CUP", floor=100), line(2, 1_000)),
        nothing,
        one("half", PERCENT, pays=5_000, priority=2, group="g"),
        most=1,
    )
    assert fates(made) == {"nothing": "skipped", "half": "applied"}
    assert (told(made)["nothing"].cut, made.goods) == (10, 100 + 1_000 - 550)
    assert told(made)["nothing"].why.startswith("nothing may be taken off 1.00; cut off: 0.10")


def test_at_most_so_many_promotions_gifts_and_freight_count() -> None:
    promotions = (
        one("a", GIFT, priority=1, gift_sku="CUP", gift_quantity=1),
        one("b", FREE_SHIPPING, priority=2),
        one("c", PERCENT, priority=3, pays=5_000),
    )
    made = calculate(cart(freight=1_000), *promotions, most=2)
    assert fates(made) == {"a": "applied", "b": "applied", "c": "excluded"}
    assert told(made)["c"].why == "at most 2 promotions per order: a, b applied before; would have taken 199.50"
    best = calculate(cart(freight=1_000), *promotions, most=1, choice=Choice.BEST)
    assert (fates(best), best.payable) == ({"a": "excluded", "b": "excluded", "c": "applied"}, 20_950)
    assert told(best)["b"].why == (
        "at most 1 per order, c cost the customer less: with it the order would cost 399.00, now it costs 209.50"
    )
    assert calculate(cart(), *promotions, most=0).goods == 39_900


def test_the_best_choice_looks_at_what_goes_together_not_at_each_alone() -> None:
    """`big` is the best by itself, but keeps out two that are worth more together."""
    promotions = (
        one("big", SPEND_OFF, priority=1, threshold=1, off=10_000, excludes=("left", "right")),
        one("left", SPEND_OFF, priority=2, threshold=1, off=6_000),
        one("right", SPEND_OFF, priority=3, threshold=1, off=6_000),
    )
    assert calculate(cart(), *promotions).goods == 29_900
    best = calculate(cart(), *promotions, choice=Choice.BEST)
    assert (best.goods, fates(best)) == (27_900, {"big": "excluded", "left": "applied", "right": "applied"})
    assert told(best)["big"].why == (
        "not together with left, right: with it the order would cost 299.00, now it costs 279.00"
    )


def test_the_best_choice_leaves_out_only_what_another_one_excludes() -> None:
    """`early` spoils the threshold of `late`, but nothing that is applied excludes it: so it is no alternative."""
    promotions = (
        one("early", SPEND_OFF, priority=1, threshold=1, off=1_000, excludes=("rival",)),
        one("late", SPEND_OFF, priority=2, threshold=39_900, off=5_000),
        one("rival", SPEND_OFF, priority=3, threshold=1, off=100),
    )
    best = calculate(cart(), *promotions, choice=Choice.BEST)
    assert (best.goods, fates(best)["early"]) == (34_800, "excluded")  # with `rival` it may be left out
    alone = calculate(cart(), *promotions[:2], choice=Choice.BEST)
    assert (alone.goods, fates(alone)) == (38_900, {"early": "applied", "late": "skipped"})
    third = one("third", SPEND_OFF, priority=4, threshold=1, off=5_000, excludes=("rival",))
    both = calculate(cart(), *promotions, third, choice=Choice.BEST)
    assert (both.goods, fates(both)["early"], fates(both)["late"]) == (33_900, "applied", "skipped")


def test_where_two_cost_the_same_the_first_in_order_is_taken() -> None:
    first = one("first", SPEND_OFF, priority=1, threshold=1, off=500, group="g")
    second = one("second", COUPON, priority=2, code="C", off=500, group="g")
    made = calculate(cart(coupons=("C",)), second, first, choice=Choice.BEST)
    assert fates(made) == {"first": "applied", "second": "excluded"}
    assert told(made)["second"].why.endswith("would cost 394.00 as well, and what is applied comes first")
    gifts = (
        one("cup", GIFT, priority=1, gift_sku="CUP", gift_quantity=1, threshold=90_000, group="g"),
        one("spoon", GIFT, priority=2, gift_sku="SPOON", gift_quantity=1, group="g"),
    )
    assert calculate(cart(), *gifts, choice=Choice.BEST).gifts == (Gift("SPOON", 1, "spoon"),)


def test_too_many_alternatives_fall_back_to_the_order_and_say_so() -> None:
    promotions = [
        one(f"{group}-{side}", SPEND_OFF, priority=side, threshold=1, off=100 + side, group=f"g{group}")
        for group in range(11)
        for side in (1, 2)
    ]
    made = calculate(cart(), *promotions, choice=Choice.BEST)
    assert made.goods == 39_900 - 11 * 101
    assert told(made)["0-2"].why.endswith("; too many alternatives to compare: the first in order was taken")
    fewer = calculate(cart(), *promotions[:20], choice=Choice.BEST)
    assert fewer.goods == 39_900 - 10 * 102


# what cannot be calculated


def test_names_and_line_numbers_are_unique() -> None:
    with pytest.raises(ValueError, match="two promotions are named 'a'"):
        Calculator(PromotionSet(promotions=(one("a", PERCENT, pays=9_000), one("a", COUPON, code="C", priority=1))))
    with pytest.raises(ValueError, match="two lines have number 1"):
        calculate(cart(line(1), line(2), line(1, sku="CUP")))


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (cart(line(quantity=0)), "line 1 needs a quantity"),
        (cart(line(price=-1)), "line 1 needs a quantity"),
        (cart(line(floor=-1)), "line 1 needs a quantity"),
        (cart(freight=-1), "negative freight"),
        (cart(at=AT.replace(tzinfo=None)), "time without a time zone"),
    ],
)
def test_a_cart_that_cannot_be_is_refused(order: Cart, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        calculate(order, SPEND)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="promotion 'a' has a time without a time zone"):
        Calculator(PromotionSet(promotions=(one("a", PERCENT, pays=9_000, starts=AT.replace(tzinfo=None)),)))


def test_nothing_at_all() -> None:
    assert calculate(cart()).payable == 39_900
    made = Calculator(PromotionSet(promotions=(SPEND,))).calculate(Cart(lines=(), at=AT))
    assert (made.payable, made.lines, made.outcomes[0].why) == (0, {}, "no line is in scope")


def test_nonsense_never_raises_a_price() -> None:
    promotions = (
        one("a", SPEND_OFF, off=-5_000),
        one("b", PERCENT, pays=12_000),
        one("c", PERCENT, pays=-5_000, cap=-1),
        one("d", NTH_ITEM, nth=0, pays=5_000),
        one("e", NTH_ITEM, nth=1, pays=20_000),
        one("f", FIXED_PRICE),
        one("g", GIFT),
        one("h", PERCENT),
        one("i", COUPON, code="C"),
        one("j", FREE_SHIPPING, cap=-1),
    )
    made = calculate(cart(coupons=("C",), freight=100), *promotions)
    assert (made.goods, made.freight, made.gifts) == (39_900, 100, ())
    assert {outcome.fate for outcome in made.outcomes} == {Fate.SKIPPED}
