"""`POST /quote`: who may ask, what is answered, what is refused."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from ballast.db.rule_sets import Wanted
from ballast.domain.rules.prices import PriceKind, PriceRow, PriceSet, Product
from ballast.domain.rules.promotions import Promotion, PromotionKind, PromotionSet
from ballast.rules.books import Kind, RuleSet, sheets_of, written_of
from ballast.wiring import House
from tasks import rules
from tests.db.stage import make_order, place
from tests.web.stage import Stage, make_house, open_stage

KEY = "key-of-the-shop"
TEA = Product(sku="TEA", name="Tea", series="tea", list_price=399_00, floor=100_00)
GOLD = PriceRow(row="gold-tea", kind=PriceKind.TIER, tier="gold", sku="TEA", price=329_00)
SPEND = Promotion(name="spend-300-50", kind=PromotionKind.SPEND_OFF, priority=10, threshold=300_00, off=50_00)
MEMBER = Promotion(
    name="member-10", kind=PromotionKind.PERCENT, priority=20, pays=9000, first_order=False, excludes=("fresh-30",)
)
FRESH = Promotion(name="fresh-30", kind=PromotionKind.COUPON, priority=30, code="FRESH", off=30_00)


@pytest.fixture
async def shop(a_house: House, database_url: str) -> AsyncIterator[Stage]:
    house = make_house(database_url, quote_key=SecretStr(KEY))
    async with open_stage(house) as opened:
        yield opened
    await house.close()


async def put(house: House, wanted: RuleSet, kind: Kind) -> None:
    book = written_of(kind, sheets_of(wanted), "book.xlsx")
    book.base = 0
    made = (await rules.import_rules(house, kind, book, by="li", note="")).version
    await rules.publish_version(house, kind, made.version, Wanted(by="li", note="now"))


async def ask(shop: Stage, status: int = 200, *, key: str = KEY, **question: Any) -> dict[str, Any]:
    answer = await shop.http.post("/quote", json=question, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_a_quote_says_price_row_promotions_and_why(shop: Stage) -> None:
    await put(shop.house, PriceSet(products={"TEA": TEA}, tiers=("gold",), rows=(GOLD,)), Kind.PRICE)
    await put(shop.house, PromotionSet(promotions=(SPEND, MEMBER, FRESH)), Kind.PROMOTION)
    one = [{"sku": "TEA", "quantity": 1}]

    said = await ask(shop, lines=one, customer="C-1", first_order=False)
    assert (said["goods"], said["payable"], said["versions"]["price"]) == (314_10, 314_10, 1)
    assert said["lines"][0] | {"passed_over": []} == {
        "line_no": 1, "sku": "TEA", "quantity": 1, "price": 399_00, "row": "list", "kind": "list",
        "tax_included": True, "amount": 314_10, "passed_over": [],
    }  # fmt: skip
    assert [other["row"] for other in said["lines"][0]["passed_over"]] == ["gold-tea"]
    both = await ask(shop, lines=one, customer="C-1", first_order=False, coupons=["FRESH"])
    assert both["payable"] == 314_10
    assert {outcome["name"]: outcome["fate"] for outcome in both["promotions"]} == {
        "spend-300-50": "applied", "member-10": "applied", "fresh-30": "excluded",
    }  # fmt: skip
    first = await ask(shop, lines=one, customer="nobody-yet", coupons=["FRESH"])
    assert first["first_order"] is True and first["payable"] == 319_00
    assert (await ask(shop, lines=one, tier="gold"))["lines"][0]["row"] == "gold-tea"


async def test_codes_that_no_promotion_has_are_told(shop: Stage) -> None:
    off = replace(FRESH, name="old", code="OLD", on=False)
    await put(shop.house, PriceSet(products={"TEA": TEA}), Kind.PRICE)
    await put(shop.house, PromotionSet(promotions=(FRESH, off)), Kind.PROMOTION)
    said = await ask(shop, lines=[{"sku": "TEA", "quantity": 1}], coupons=["FRESH", "FRSEH", "OLD", "FRSEH"])
    assert said["unknown_coupons"] == ["FRSEH", "OLD"] and said["payable"] == 369_00


async def test_what_is_known_of_a_customer_need_not_be_said(shop: Stage) -> None:
    await put(shop.house, PriceSet(products={"TEA": TEA}, tiers=("gold",), rows=(GOLD,)), Kind.PRICE)
    await place(shop.house, make_order("SO-1", customer_no="C-7", customer_tier="gold"))
    said = await ask(shop, lines=[{"sku": "TEA", "quantity": 1}], customer="C-7", explain=False)
    assert (said["tier"], said["first_order"], said["lines"][0]["price"]) == ("gold", False, 329_00)
    assert "passed_over" not in said["lines"][0]


async def test_a_line_without_a_price_is_said_and_not_summed(shop: Stage) -> None:
    await put(shop.house, PriceSet(products={"TEA": TEA}), Kind.PRICE)
    said = await ask(shop, lines=[{"sku": "TEA", "quantity": 2}, {"sku": "CUP", "quantity": 1}])
    assert (said["unpriced"], said["payable"], said["lines"][1]["price"]) == ([2], 798_00, None)
    own = await ask(shop, lines=[{"sku": "CUP", "quantity": 3, "unit_price": 10_00}])
    assert (own["unpriced"], own["payable"]) == ([], 30_00)


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ({}, "lines"),
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": "TEA", "quantity": 0}]}, "quantity"),
        ({"lines": [{"sku": "TEA", "quantity": "2"}]}, "quantity"),
        ({"lines": [{"sku": "TEA", "quantity": 1, "colour": "green"}]}, "colour"),
        ({"lines": [{"sku": "TEA", "quantity": 1}], "at": "2026-12-12"}, "at"),
        ({"lines": [{"sku": "TEA", "quantity": 1}], "currency": "XYZ"}, "XYZ"),
        ({"lines": [{"sku": "A", "quantity": 1, "line_no": 1}, {"sku": "B", "quantity": 1, "line_no": 1}]}, "line_no"),
        ({"lines": [{"sku": "A", "quantity": 1}], "coupons": ["x"] * 21}, "coupons"),
    ],
)
async def test_what_is_wrong_with_a_question_is_named(shop: Stage, question: dict[str, Any], what: str) -> None:
    assert what in (await ask(shop, 400, **question))["error"]


async def test_only_who_has_the_key_may_ask(shop: Stage, stage: Stage) -> None:
    assert (await stage.http.post("/quote", json={})).status_code == 404, "no key is set: there is no such door"
    for _ in range(10):
        assert "error" in await ask(shop, 401, key="guess")
    assert "error" in await ask(shop, 429, key=KEY, lines=[{"sku": "TEA", "quantity": 1}])


async def test_bodies_are_bounded_and_have_to_be_json(shop: Stage) -> None:
    auth = {"authorization": f"Bearer {KEY}"}
    assert (await shop.http.post("/quote", content=b"{", headers=auth)).status_code == 400
    assert (await shop.http.post("/quote", content=b" " * 200_000, headers=auth)).status_code == 413
