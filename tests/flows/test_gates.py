"""The gates: an order with wrong prices or under suspicion is stopped, with figures and rule, and a release counts."""

from datetime import timedelta
from typing import Any

import pytest

from ballast.db.cases import load
from ballast.db.rule_sets import Wanted
from ballast.domain.rules.prices import PriceKind, PriceOptions, PriceRow, PriceSet, Product
from ballast.domain.rules.promotions import Choice, Promotion, PromotionKind, PromotionOptions, PromotionSet
from ballast.domain.rules.risk import Action, RiskRule, RiskSet
from ballast.domain.words import HoldReason, State, Step
from ballast.rules.books import Kind, RuleSet, sheets_of, written_of
from flows.rerun_orders import rerun_orders
from flows.ship_out import ship_out
from flows.take_orders import take_orders
from tasks import rules
from tests.flows.stage import SHELF, Stage, artifact, run

TEA = Product(sku=SHELF[0], series="tea", list_price=399_00, floor=100_00)


async def put(stage: Stage, wanted: RuleSet, kind: Kind) -> None:
    book = written_of(kind, sheets_of(wanted), "book.xlsx")
    book.base = 0
    made = (await rules.import_rules(stage.house, kind, book, by="li", note="")).version
    await rules.publish_version(stage.house, kind, made.version, Wanted(by="li", note="now"))


async def put_prices(stage: Stage, *rows: PriceRow, **options: Any) -> None:
    wanted = PriceSet(products={TEA.sku: TEA}, tiers=("gold",), rows=rows, options=PriceOptions(**options))
    await put(stage, wanted, Kind.PRICE)


async def put_risk(stage: Stage, *made: RiskRule) -> None:
    await put(stage, RiskSet(rules=made), Kind.RISK)


def line(price: int, pieces: int = 1) -> dict[str, Any]:
    return {"sku": TEA.sku, "quantity": pieces, "unit_price": price}


async def push(stage: Stage, *lines: dict[str, Any], **spec: Any) -> str:
    """An order comes in, and is in the inbox only."""
    placed = await stage.world.place(lines=list(lines), script="normal", **spec)
    return str(placed["order"]["order_no"])


async def looks(stage: Stage, order_no: str) -> list[Any]:
    return list(
        await stage.rows(
            "select g.* from order_gate g join sales_order o on o.id = g.order_id where o.order_no = :no order by g.id",
            no=order_no,
        )
    )


async def test_an_order_with_another_price_than_the_quote_is_held_with_both_figures(stage: Stage) -> None:
    await put_prices(stage, PriceRow(row="gold-tea", kind=PriceKind.TIER, tier="gold", sku=TEA.sku, price=329_00))
    right = await push(stage, line(399_00))
    wrong = await push(stage, line(329_00))

    ran = await run(take_orders)

    assert ran.name == "take-orders 2 taken, 1 held"
    assert await stage.state(right) is State.PENDING_PAYMENT
    row = await stage.order(wrong)
    assert (row.state, row.hold_reason, row.held_from) == (State.ON_HOLD, HoldReason.PRICE_MISMATCH, "PENDING_PAYMENT")
    [shown] = await artifact(ran)
    said = f"line 1 {TEA.sku}: order says 329.00, price book v1 list price says 399.00"
    assert shown["evidence"] == said and wrong in shown["order"]
    assert [event.text for event in await events(stage, wrong)][-1] == said, "and in the order's timeline"
    assert [alert.text for alert in await stage.alerts()] == [said]
    [look] = await looks(stage, wrong)
    assert (look.stage, look.price_version, look.promotion_version, look.risk_version) == ("intake", 1, 0, 0)
    assert look.outcome["price"] == {"payable": 399_00, "agrees": False}


async def events(stage: Stage, order_no: str) -> list[Any]:
    return list(
        await stage.rows(
            "select e.* from order_event e join sales_order o on o.id = e.order_id "
            "where o.order_no = :no order by e.id",
            no=order_no,
        )
    )


async def test_a_tolerance_is_tolerated_and_the_gate_can_be_switched_off(stage: Stage) -> None:
    await put_prices(stage, tolerance=100)
    assert (await stage.order(await stage_placed(stage, line(398_00)))).state == State.PENDING_PAYMENT
    assert (await stage.order(await stage_placed(stage, line(397_99)))).state == State.ON_HOLD


async def stage_placed(stage: Stage, *lines: dict[str, Any], **spec: Any) -> str:
    order_no = await push(stage, *lines, **spec)
    await stage.take_orders()
    return order_no


async def test_a_total_that_the_promotions_do_not_give_is_held(stage: Stage) -> None:
    await put_prices(stage)
    spend = Promotion(name="spend-300-50", kind=PromotionKind.SPEND_OFF, priority=10, threshold=300_00, off=50_00)
    member = Promotion(name="member-10", kind=PromotionKind.PERCENT, priority=20, pays=9000, first_order=False)
    options = PromotionOptions(choice=Choice.PRIORITY)
    await put(stage, PromotionSet(promotions=(spend, member), options=options), Kind.PROMOTION)
    customer = {"no": "C-1", "name": "王"}
    first = await stage_placed(stage, line(399_00), discount=50_00, customer=customer)
    assert (await stage.order(first)).state == State.PENDING_PAYMENT
    second = await stage_placed(stage, line(399_00), discount=84_90, customer=customer)
    assert (await stage.order(second)).state == State.PENDING_PAYMENT, "349.00 less a tenth is 314.10"
    third = await stage_placed(stage, line(399_00), discount=420_00 - 1_00 - 20_00, customer=customer)
    row = await stage.order(third)
    assert (row.state, row.hold_reason) == (State.ON_HOLD, HoldReason.PRICE_MISMATCH)
    [hold] = await stage.rows("select * from hold")
    assert hold.evidence == "order total 0.00, with promotions v1 it is 314.10"


async def test_a_gift_costs_nothing_where_a_promotion_gives_it_and_only_there(stage: Stage) -> None:
    cup_price = Product(sku=SHELF[1], list_price=20_00)
    await put(stage, PriceSet(products={TEA.sku: TEA, SHELF[1]: cup_price}), Kind.PRICE)
    cup = Promotion(
        name="cup", kind=PromotionKind.GIFT, threshold=300_00, gift_sku=SHELF[1], gift_quantity=1, priority=10
    )
    await put(stage, PromotionSet(promotions=(cup,)), Kind.PROMOTION)
    free = {"sku": SHELF[1], "quantity": 1, "unit_price": 0}
    given = await stage_placed(stage, line(399_00), free)
    assert (await stage.order(given)).state == State.PENDING_PAYMENT
    tea = {"sku": TEA.sku, "quantity": 1, "unit_price": 0}
    for_nothing = await stage_placed(stage, line(399_00), free, tea)
    assert (await stage.order(for_nothing)).hold_reason == HoldReason.PRICE_MISMATCH
    [hold] = await stage.rows("select * from hold")
    assert hold.evidence.startswith(f"line 3 {TEA.sku}: order says 0.00, price book v1 list price says 399.00")


async def test_a_released_price_is_accepted_and_the_order_goes_its_way(stage: Stage) -> None:
    await put_prices(stage)
    order_no = await stage_placed(stage, line(10_00))
    await stage.world.act(order_no, "pay")
    await stage.read()
    assert (await stage.order(order_no)).state == State.ON_HOLD, "paid, and still for a person to see"
    await run(rerun_orders, order_numbers=(order_no,), by="li", note="agreed by telephone")
    await stage.work(Step.CONFIRM_PAYMENT)
    await stage.work_on_stock_and_warehouse()
    assert await stage.state(order_no) is State.STOCK_LOCKED


REVIEW = RiskRule(name="dear", when="amount > 300", score=10, action=Action.REVIEW)
HOLD = RiskRule(name="pickup", when='contains(address, "代收点")', tag="pickup", action=Action.HOLD)
PICKUP = {"name": "李", "mobile": "13857400001", "province": "浙江省", "city": "宁波市", "district": "海曙区",
          "address": "菜鸟代收点 3 号"}  # fmt: skip


async def test_what_is_to_be_reviewed_is_stopped_before_stock_is_locked(stage: Stage) -> None:
    await put_risk(stage, REVIEW)
    order_no = await push(stage, line(399_00))
    ran = await run(take_orders)
    row = await stage.order(order_no)
    assert (row.state, row.hold_reason) == (State.ON_HOLD, HoldReason.RISK_SUSPECTED)
    assert (await artifact(ran))[0]["evidence"] == "risk v1 [dear] score 10: amount 399"


async def test_what_is_held_before_shipping_goes_that_far_and_a_release_is_remembered(stage: Stage) -> None:
    await put_risk(stage, HOLD)
    order_no = await stage_placed(stage, line(20_00), receiver=PICKUP)
    assert [event.text for event in await events(stage, order_no)][-1] == "risk v1 [pickup] score 0", "it is marked"
    await stage.world.act(order_no, "pay")
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    await stage.work(Step.LOCK_STOCK)

    assert (await run(ship_out)).name == "ship-out 1 held"
    row = await stage.order(order_no)
    assert (row.state, row.hold_reason, row.held_from) == (State.ON_HOLD, HoldReason.RISK_SUSPECTED, "STOCK_LOCKED")
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 0, "the warehouse has not heard of it"
    assert "代收点" not in str([alert.text for alert in await stage.alerts()]), "an address is nobody else's business"

    await run(rerun_orders, order_numbers=(order_no,), by="li", note="known")
    assert await stage.state(order_no) is State.STOCK_LOCKED
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1, "the same rule does not stop it again"
    assert [look.outcome["held"] for look in await looks(stage, order_no)][:2] == [None, "RISK_SUSPECTED"]


async def test_a_new_rule_stops_what_was_released_for_another(stage: Stage) -> None:
    await put_risk(stage, HOLD, RiskRule(name="many", when="customer_orders_1d >= 2", score=5, action=Action.HOLD))
    customer = {"no": "C-9", "name": "王"}
    order_no = await stage_placed(stage, line(20_00), receiver=PICKUP, customer=customer)
    await stage.world.act(order_no, "pay")
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    await stage.work(Step.LOCK_STOCK)
    await stage.work(Step.SHIP_OUT)
    await stage_placed(stage, line(20_00), customer=customer)  # now this customer has two
    await run(rerun_orders, order_numbers=(order_no,), by="li", note="known")
    assert (await stage.order(order_no)).hold_reason == HoldReason.RISK_SUSPECTED
    holds = await stage.rows("select evidence from hold order by id")
    assert [row.evidence for row in holds] == [
        "risk v1 [pickup] score 0",
        "risk v1 [many] score 5: customer_orders_1d 2",
    ]


async def test_burst_of_one_address_is_seen_whole_before_shipping(stage: Stage) -> None:
    await put_risk(stage, RiskRule(name="burst", when="ip_orders_1h >= 5", action=Action.HOLD))
    ids = [await one_of_a_burst(stage, number) for number in range(5)]
    async with stage.house.transaction() as tx:
        found = await load(tx, now=stage.house.clock.now(), waits=stage.house.waits, order_nos=ids)
        from tasks.gates import before_shipping

        suspected = await before_shipping(stage.house, tx, found)
    assert len(suspected) == 5, "the first four, too"


async def one_of_a_burst(stage: Stage, number: int) -> str:
    """As it came in: what the shop tells of its origin is written beside it."""
    order_no = await stage_placed(stage, line(20_00))
    await stage.rows(
        "update order_origin set ip = '198.51.100.7' where order_id = "
        "(select id from sales_order where order_no = :no) returning order_id",
        no=order_no,
    )
    return order_no


async def test_broken_rules_stop_no_order_and_somebody_hears_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_prices(stage)
    await stage.rows("update rule_version set sheets = '{\"prices\": 1}' returning version")
    order_no = await stage_placed(stage, line(1_00))
    assert await stage.state(order_no) is State.PENDING_PAYMENT, "what came with Ballast has no prices"
    assert [alert.key for alert in await stage.alerts()] == ["rules:price:v1"]


async def test_an_order_that_cannot_be_judged_goes_on_and_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_prices(stage)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr("tasks.gates.judge", fail)
    one, other = await push(stage, line(1_00)), await push(stage, line(399_00))
    assert (await run(take_orders)).name == "take-orders 2 taken"
    assert {await stage.state(order_no) for order_no in (one, other)} == {State.PENDING_PAYMENT}
    assert [(alert.level, "nobody thought of this" in alert.text) for alert in await stage.alerts()] == [
        ("urgent", True),
        ("urgent", True),
    ]


async def test_one_that_was_never_paid_is_not_for_ever_on_hold(stage: Stage) -> None:
    await put_prices(stage)
    order_no = await stage_placed(stage, line(1_00))
    stage.later(timedelta(hours=25))
    assert dict(await stage.work(Step.CONFIRM_PAYMENT)) == {"closed unpaid": 1}
    assert await stage.state(order_no) is State.CLOSED
