"""Every mistake in a set of promotions is found, with its row and column; what is sound passes without a word."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ballast.domain.findings import Finding, Level
from ballast.domain.rules.calculating import Calculator
from ballast.domain.rules.prices import PriceSet, Product
from ballast.domain.rules.promotion_check import check_promotions
from ballast.domain.rules.promotions import (
    Cart,
    CartLine,
    Choice,
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
TEA = Product(sku="TEA", series="green", list_price=39_900, floor=20_000)
CUP = Product(sku="CUP", series="ware", list_price=3_900, floor=1_000)
PRICES = PriceSet(products={"TEA": TEA, "CUP": CUP}, tiers=("gold", "basic"))


def one(name: str, kind: PromotionKind, **fields: Any) -> Promotion:
    return Promotion(name=name, kind=kind, place=f"promotions row {name}", **fields)


def check(*promotions: Promotion, prices: PriceSet | None = None, **options: Any) -> list[Finding]:
    return check_promotions(
        PromotionSet(promotions=promotions, options=PromotionOptions(**options)), prices or PriceSet()
    )


def short(found: list[Finding]) -> list[tuple[str, str, str, str]]:
    return [(finding.level.value, finding.kind, finding.place, finding.column) for finding in found]


SPEND = one("spend", SPEND_OFF, threshold=30_000, off=5_000)


def test_a_sound_set_passes_without_a_word() -> None:
    sound = (
        one("spend", SPEND_OFF, priority=10, threshold=30_000, off=5_000, per_multiple=True, group="s", cap=9_900),
        one("member", PERCENT, priority=20, pays=9_000, first_order=False, tiers=("gold",), excludes=("fresh",)),
        one("fresh", COUPON, priority=30, code="FRESH", off=3_000, threshold=5_000, excludes=("member",)),
        one("day", FIXED_PRICE, price=3_500, skus=("CUP",), starts=AT, ends=AT + timedelta(days=1)),
        one("pair", NTH_ITEM, nth=2, pays=8_000, series=("ware",)),
        one("gift", GIFT, gift_sku="CUP", gift_quantity=1, threshold=50_000),
        one("post", FREE_SHIPPING, threshold=9_900, cap=1_500),
    )
    assert check(*sound, prices=PRICES) == []
    assert check() == []


@pytest.mark.parametrize(
    ("wrong", "kind", "column"),
    [
        (one("x", SPEND_OFF, threshold=100), "missing-field", "off"),
        (one("x", SPEND_OFF, off=100), "missing-field", "threshold"),
        (one("x", SPEND_OFF, off=101, threshold=100), "below-zero", "off"),
        (one("x", SPEND_OFF, off=-1, threshold=100), "negative", "off"),
        (one("x", PERCENT), "missing-field", "pays"),
        (one("x", PERCENT, pays=10_001), "share", "pays"),
        (one("x", PERCENT, pays=-1), "share", "pays"),
        (one("x", PERCENT, pays=9_000, threshold=-1), "negative", "threshold"),
        (one("x", PERCENT, pays=9_000, cap=-1), "negative", "cap"),
        (one("x", COUPON, off=100), "missing-field", "code"),
        (one("x", COUPON, code="C"), "missing-field", "off"),
        (one("x", COUPON, code="C", off=100, pays=9_000), "contradiction", "pays"),
        (one("x", COUPON, code="C", off=101, threshold=100), "below-zero", "off"),
        (one("x", FIXED_PRICE), "missing-field", "price"),
        (one("x", FIXED_PRICE, price=-1), "negative", "price"),
        (one("x", NTH_ITEM, pays=5_000), "missing-field", "nth"),
        (one("x", NTH_ITEM, pays=5_000, nth=1), "contradiction", "nth"),
        (one("x", NTH_ITEM, pays=5_000, nth=-2), "negative", "nth"),
        (one("x", NTH_ITEM, nth=2), "missing-field", "pays"),
        (one("x", GIFT, gift_quantity=1), "missing-field", "gift_sku"),
        (one("x", GIFT, gift_sku="CUP"), "missing-field", "gift_quantity"),
        (one("x", GIFT, gift_sku="CUP", gift_quantity=1, per_multiple=True), "contradiction", "per_multiple"),
        (one("x", PERCENT, pays=9_000, starts=AT, ends=AT), "period", "ends"),
        (one("x", PERCENT, pays=9_000, starts=AT, ends=AT - timedelta(days=1)), "period", "ends"),
        (one("x", PERCENT, pays=9_000, starts=AT.replace(tzinfo=None)), "no-time-zone", "starts"),
        (one("x", PERCENT, pays=9_000, excludes=("x",)), "excludes-itself", "excludes"),
        (one("x", PERCENT, pays=9_000, excludes=("spent",)), "unknown-promotion", "excludes"),
        (one("x", PERCENT, pays=9_000, skus=("TEE",)), "unknown-sku", "skus"),
        (one("x", PERCENT, pays=9_000, series=("grün",)), "unknown-series", "series"),
        (one("x", PERCENT, pays=9_000, tiers=("golden",)), "unknown-tier", "tiers"),
        (one("x", GIFT, gift_sku="MUG", gift_quantity=1), "unknown-sku", "gift_sku"),
        (one("spend", PERCENT, pays=9_000), "duplicate-name", "name"),
        (one(" ", PERCENT, pays=9_000), "no-name", "name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_has_its_row_and_column(wrong: Promotion, kind: str, column: str) -> None:
    assert ("error", kind, wrong.place, column) in short(check(SPEND, wrong, prices=PRICES))
    errors = [finding for finding in check(SPEND, wrong, prices=PRICES) if finding.level is Level.ERROR]
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("odd", "kind", "column"),
    [
        (one("x", PERCENT, pays=90), "share", "pays"),
        (one("x", PERCENT, pays=10_000), "no-effect", "pays"),
        (one("x", PERCENT, pays=9_000, cap=0), "no-effect", "cap"),
        (one("x", PERCENT, pays=9_000, off=100), "unused-field", "off"),
        (one("x", SPEND_OFF, off=10, threshold=100, pays=9_000), "unused-field", "pays"),
        (one("x", FIXED_PRICE, price=100, threshold=100), "unused-field", "threshold"),
        (one("x", PERCENT, pays=9_000, code="C"), "unused-field", "code"),
        (one("x", FREE_SHIPPING, nth=2), "unused-field", "nth"),
        (one("x", GIFT, gift_sku="CUP", gift_quantity=1, cap=1), "unused-field", "cap"),
        (one("x", COUPON, code="C", off=100), "duplicate-code", "code"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_odd_is_a_warning(odd: Promotion, kind: str, column: str) -> None:
    other = one("other", COUPON, code="C", off=50)
    assert short(check(other, odd)) == [("warning", kind, odd.place, column)]


def test_a_name_that_is_nearly_right_is_told() -> None:
    found = check(one("x", PERCENT, pays=9_000, skus=("TEAS",), excludes=("spent",)), SPEND, prices=PRICES)
    assert [str(finding) for finding in found if finding.level is Level.ERROR] == [
        "error: promotions row x, column skus: promotion x: unknown SKU TEAS, is TEA meant?",
        "error: promotions row x, column excludes: promotion x: it excludes spent, which is no promotion, "
        "is spend meant?",
    ]


def test_without_products_and_tiers_nothing_is_unknown() -> None:
    assert check(one("x", PERCENT, pays=9_000, skus=("A",), series=("b",), tiers=("c",))) == []


def test_options_are_checked() -> None:
    assert short(check(most=-1)) == [("error", "negative", "options", "most")]
    assert short(check(most=0)) == [("warning", "no-effect", "options", "most")]
    assert short(check(tolerance=-1)) == [("error", "negative", "options", "tolerance")]


def chain(*excludes: tuple[str, ...]) -> list[Promotion]:
    return [
        one(name, PERCENT, pays=9_000, channels=(name,), excludes=names)
        for name, names in zip("abcd", excludes, strict=False)
    ]


def test_exclusions_in_a_circle() -> None:
    found = check(*chain(("b",), ("c",), ("a",)))
    assert short(found) == [("error", "cyclic-exclusion", "promotions row a", "excludes")]
    assert "a excludes b excludes c excludes a" in found[0].text
    four = check(*chain(("b",), ("c",), ("d",), ("a",)))
    assert "a excludes b excludes c excludes d excludes a" in four[0].text
    half_mutual = check(*chain(("b",), ("a", "c"), ("a",)))
    assert [finding.kind for finding in half_mutual] == ["cyclic-exclusion"]


@pytest.mark.parametrize(
    "excludes",
    [
        (("b",), ("a",)),
        (("b", "c"), ("a", "c"), ("a", "b")),
        (("b", "c"), ("c",), ()),
        (("b",), ("c",), ("d",), ()),
    ],
)
def test_pairs_groups_and_chains_are_no_circles(excludes: tuple[tuple[str, ...], ...]) -> None:
    assert check(*chain(*excludes)) == []


def test_what_can_never_apply() -> None:
    small = one("small", SPEND_OFF, priority=1, threshold=10_000, off=1_000, group="g")
    big = one("big", SPEND_OFF, priority=2, threshold=30_000, off=5_000, group="g")
    assert short(check(big, small)) == [("warning", "unreachable", "promotions row big", "priority")]
    assert "small excludes it" in check(small, big)[0].text
    assert check(small, big, choice=Choice.BEST) == []
    for first, second in (
        ({"priority": 3}, {}),
        ({"group": "h"}, {}),
        ({"skus": ("TEA",)}, {}),
        ({"on": False}, {}),
        ({"starts": AT}, {}),
        ({"threshold": 40_000}, {}),
        ({"excludes": ("third",)}, {}),
    ):
        changed = one("small", SPEND_OFF, **{"priority": 1, "threshold": 10_000, "off": 1_000, "group": "g"} | first)
        third = one("third", SPEND_OFF, priority=9, threshold=1_000, off=1)
        assert [f.kind for f in check(changed, big, third, **second)] == [], first


def test_below_the_floor_has_an_example_order_that_is_true() -> None:
    member = one("member", PERCENT, priority=20, pays=5_500, first_order=False, tiers=("gold",))
    fresh = one("fresh", COUPON, priority=30, code="FRESH", off=3_000, series=("green",))
    spend = one("spend", SPEND_OFF, priority=10, threshold=30_000, off=5_000)
    found = check(spend, member, fresh, prices=PriceSet(products={"TEA": TEA}))
    assert short(found) == [
        ("warning", "below-floor", "promotions row member", "pays"),
        ("warning", "below-floor", "promotions row fresh", "off"),
    ]
    assert "2 x TEA at 399.00 each (tier gold, a returning customer, code FRESH) would cost 381.40" in found[1].text
    assert found[0].text == (
        "spend + member + fresh would go below the floor price: 1 x TEA at 399.00 (tier gold, a returning customer, "
        "code FRESH) would cost 161.95, the floor price is 200.00; the rest of the discount is cut off"
    )
    order = Cart(
        lines=(CartLine(line_no=1, sku="TEA", quantity=1, price=39_900, series="green", floor=20_000),),
        at=AT,
        tier="gold",
        coupons=("FRESH",),
    )
    made = Calculator(PromotionSet(promotions=(spend, member, fresh))).calculate(order)
    assert (made.goods, made.cut) == (20_000, 20_000 - 16_195)


def test_the_box_that_was_sold_for_minus_21() -> None:
    found = check(
        one("a", COUPON, priority=1, code="A", off=30_000),
        one("b", COUPON, priority=2, code="B", off=12_000),
        prices=PriceSet(products={"BOX": Product(sku="BOX", list_price=39_900)}),
    )
    assert short(found) == [("warning", "below-zero", "promotions row b", "off")]
    assert found[0].text == (
        "a + b would go below zero: 1 x BOX at 399.00 (code A and B) would cost -21.00; "
        "the rest of the discount is cut off"
    )


def test_a_coupon_without_threshold_on_something_cheap_is_only_a_warning() -> None:
    found = check(one("fresh", COUPON, code="C", off=5_000), prices=PRICES)
    assert short(found) == [("warning", "below-zero", "promotions row fresh", "off")]
    assert "1 x CUP at 39.00 (code C) would cost -11.00" in found[0].text


def test_more_pieces_are_tried_where_a_threshold_or_a_piece_needs_them() -> None:
    prices = PriceSet(products={"CUP": Product(sku="CUP", list_price=3_900, floor=3_000)})
    found = check(one("spend", SPEND_OFF, threshold=7_800, off=2_000), prices=prices)
    assert "2 x CUP at 39.00 each would cost 58.00, the floor price is 2 x 30.00" in found[0].text
    found = check(one("third", NTH_ITEM, nth=3, pays=0), prices=prices)
    assert "3 x CUP at 39.00 each would cost 78.00, the floor price is 3 x 30.00" in found[0].text


def test_what_cannot_come_together_is_not_added_up() -> None:
    half = {"pays": 7_000, "kind": PERCENT}
    prices = PriceSet(products={"TEA": TEA, "CUP": Product(sku="CUP")})

    def both(first: dict[str, Any], second: dict[str, Any], **options: Any) -> list[str]:
        promotions = (one("a", **half | first), one("b", **half | second))
        return [finding.kind for finding in check(*promotions, prices=prices, **options)]

    assert both({}, {}) == ["below-floor"]
    assert both({"group": "g"}, {"group": "g", "skus": ("TEA",)}) == []
    assert both({"excludes": ("b",)}, {"tiers": ("gold",)}) == []
    assert both({"channels": ("web",)}, {"channels": ("shop",)}) == []
    assert both({"channels": ("web", "app")}, {"channels": ("app",)}) == ["below-floor"]
    assert both({"first_order": True}, {"first_order": False}) == []
    assert both({"ends": AT}, {"starts": AT}) == []
    assert both({"ends": AT + timedelta(days=1)}, {"starts": AT}) == ["below-floor"]
    assert both({"skus": ("TEA",)}, {"skus": ("CUP",)}) == []
    assert both({"series": ("green",)}, {"skus": ("TEA",)}) == ["below-floor"]
    assert both({"on": False}, {}) == []
    assert both({}, {}, most=1) == []


def test_of_those_that_cannot_come_together_each_is_tried_with_the_rest() -> None:
    found = check(
        one("web", PERCENT, pays=7_000, channels=("web",)),
        one("shop", PERCENT, pays=9_900, channels=("shop",)),
        one("fresh", COUPON, code="C", off=9_000),
        prices=PriceSet(products={"TEA": TEA}),
    )
    assert [(finding.kind, finding.place) for finding in found] == [("below-floor", "promotions row fresh")]
    assert "web + fresh would go below the floor price: 1 x TEA at 399.00 (channel web, code C)" in found[0].text


def test_many_products_are_one_finding_with_the_worst() -> None:
    products = {
        f"T{number}": Product(sku=f"T{number}", list_price=10_000, floor=8_000 + number * 100) for number in range(15)
    }
    found = check(one("half", PERCENT, pays=5_000), prices=PriceSet(products=products))
    assert len(found) == 1
    assert "(and 14 more SKUs): 1 x T14 at 100.00 would cost 50.00, the floor price is 94.00" in found[0].text
