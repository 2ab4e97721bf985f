"""What-if over past orders, and why an order costs what it costs: by the commands that people type."""

from datetime import timedelta
from pathlib import Path

import orjson

from adapters.files.rule_books import write_rule_file
from ballast.domain.rules.prices import PriceKind, PriceRow, PriceSet
from ballast.domain.rules.promotions import Promotion, PromotionKind, PromotionSet
from ballast.domain.rules.risk import Action, RiskRule, RiskSet
from ballast.rules.books import Kind, RuleSet, sheets_of
from tests.flows.stage import SHELF, Stage
from tests.flows.test_gates import TEA, line, put, put_prices, stage_placed

SPEND = Promotion(name="spend-300-50", kind=PromotionKind.SPEND_OFF, priority=10, threshold=300_00, off=50_00)


def written(folder: Path, kind: Kind, wanted: RuleSet) -> str:
    file = folder / f"{kind}.xlsx"
    write_rule_file(file, kind, sheets_of(wanted), version=0, chinese=False)
    return str(file)


async def whole(stage: Stage) -> dict[str, int]:
    """How many rows each table has that a trial must not touch."""
    names = ("sales_order", "order_event", "order_gate", "hold", "alert", "rule_version", "outbox")
    return {name: (await stage.rows(f"select count(*) from {name}"))[0][0] for name in names}


async def test_a_draft_is_tried_over_past_orders_without_touching_them(stage: Stage, tmp_path: Path) -> None:
    await put_prices(stage)
    orders = [await stage_placed(stage, line(399_00, pieces)) for pieces in (1, 2, 3)]
    small = await stage_placed(stage, {"sku": SHELF[1], "quantity": 1, "unit_price": 5_00})
    before, since = await whole(stage), (stage.house.clock.now() - timedelta(hours=1)).isoformat()
    draft = written(tmp_path, Kind.PROMOTION, PromotionSet(promotions=(SPEND,)))

    said = orjson.loads(await stage.command("rules", "try", "promotion", draft, "--since", since, "--json"))

    assert (said["orders"], said["changed"], said["cheaper"], said["newly_held"]) == (4, 3, 3, 3)
    listed = 6 * 399_00 + 5_00
    assert said["now"]["revenue"] == {"CNY": listed} and said["then"]["revenue"] == {"CNY": listed - 150_00}
    assert (said["now"]["discounts"], said["then"]["discounts"]) == ({"CNY": 0}, {"CNY": 150_00})
    assert said["then"]["holds"] == {"PRICE_MISMATCH": 3}, "the shop knows nothing of that promotion"
    assert {one["order_no"] for one in said["most_affected"]} == set(orders) and small not in str(said)
    assert any("spend-300-50" in why for why in said["most_affected"][0]["why"])
    assert await whole(stage) == before
    shown = await stage.command("rules", "try", "promotion", draft, "--since", since)
    assert "4 orders, 3 would be different" in shown and f"{orders[2]}: 1197.00 now, 1147.00 then" in shown


async def test_prices_and_risk_are_tried_too_and_a_version_by_its_number(stage: Stage, tmp_path: Path) -> None:
    order_no = await stage_placed(stage, line(399_00))
    since = (stage.house.clock.now() - timedelta(hours=1)).isoformat()
    dear = PriceSet(
        products={TEA.sku: TEA}, rows=(PriceRow(row="all", kind=PriceKind.CONTRACT, sku=TEA.sku, price=410_00),)
    )
    await put(stage, dear, Kind.PRICE)
    said = orjson.loads(await stage.command("rules", "try", "price", "0", "--since", since, "--json"))
    assert said["let_go"] == 1 and said["most_affected"][0]["held_now"] == "PRICE_MISMATCH"
    strict = RiskSet(rules=(RiskRule(name="all", when="amount > 1", action=Action.REVIEW),))
    risk = written(tmp_path, Kind.RISK, strict)
    said = orjson.loads(await stage.command("rules", "try", "risk", risk, "--since", since, "--json"))
    assert said["then"]["rules_fired"] == {"all": 1} and said["most_affected"][0]["order_no"] == order_no
    assert "there is no price version 7" in await stage.command("rules", "try", "price", "7", "--since", since, code=2)


async def test_every_order_can_be_explained_with_the_versions_that_were_used(stage: Stage) -> None:
    await put_prices(stage, PriceRow(row="gold-tea", kind=PriceKind.TIER, tier="gold", sku=TEA.sku, price=329_00))
    order_no = await stage_placed(stage, line(329_00))
    book = PriceSet(products={TEA.sku: TEA})
    await put_over(stage, book)

    said = orjson.loads(await stage.command("rules", "explain", order_no, "--json"))

    assert said["versions"]["price"] == 1, "not the one that is in force by now"
    assert (said["lines"][0]["price"], said["lines"][0]["row"], said["own_total"]) == (399_00, "list", 329_00)
    assert [one["row"] for one in said["lines"][0]["passed_over"]] == ["gold-tea"]
    assert [look["outcome"]["held"] for look in said["gates"]] == ["PRICE_MISMATCH"]
    shown = await stage.command("rules", "explain", order_no)
    assert "399.00 to pay" in shown and "the order itself says 329.00" in shown and "held PRICE_MISMATCH" in shown
    assert "no order SO-0" in await stage.command("rules", "explain", "SO-0", code=1)


async def put_over(stage: Stage, wanted: PriceSet) -> None:
    from ballast.db.rule_sets import Wanted
    from ballast.rules.books import written_of
    from tasks import rules

    made = await rules.import_rules(stage.house, "price", written_of(Kind.PRICE, sheets_of(wanted)), by="li", note="")
    await rules.publish_version(stage.house, "price", made.version.version, Wanted(by="li", note="next", over=1))
