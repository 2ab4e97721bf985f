"""Reconciling: who agrees, who was not asked, what is mended through the normal doors, and what rings once."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from adapters.errors import Unavailable
from ballast.db.claims import Chunk, claim
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.ports import News
from flows.cancel_orders import cancel_orders
from flows.reconcile import reconcile
from flows.rerun_orders import rerun_orders
from tasks.reconcile import ask_everybody
from tasks.rerun import WORK
from tests.db.stage import read_case, statements
from tests.flows.stage import LINES, Ran, Stage, artifact, run


async def figures(stage: Stage) -> dict[str, Any]:
    """Of the last run."""
    found = await stage.rows("select figures from reconciliation order by id desc limit 1")
    return dict(found[0].figures)


async def checks(stage: Stage, order_no: str) -> dict[str, Any]:
    """System -> (verdict, what was done) of the last run."""
    found = await stage.rows(
        "select c.* from order_check c join sales_order o on o.id = c.order_id where o.order_no = :no "
        "and c.reconciliation_id = (select max(id) from reconciliation)",
        no=order_no,
    )
    return {row.system: (row.verdict, row.mended) for row in found}


async def look(stage: Stage, *numbers: str, **parameters: Any) -> Ran:
    return await run(reconcile, order_numbers=numbers, linger=0.0, **parameters)


ALL = {"erp", "wms", "courier", "shop", "payment"}


async def test_orders_all_along_the_way_agree(stage: Stage) -> None:
    await stage.placed()
    await stage.paid()
    await stage.locked()
    await stage.handed_over()
    await stage.outbound()
    signed = await stage.signed()
    ran = await run(reconcile, linger=0.0)
    assert ran.green and ran.name == "reconcile 6 orders, 100 %, 0 mended"
    found = await figures(stage)
    assert (found["asked"], found["agreeing"], found["share"], found["drifted"]) == (6, 6, 1.0, 0)
    assert 0.6 < found["low"] < found["high"] == 1.0
    assert found["seed"] is not None
    assert {system: verdict for system, (verdict, _) in (await checks(stage, signed)).items()} == dict.fromkeys(
        ALL, "agrees"
    )


# -- what we have not heard


async def test_a_lost_confirm_is_found_and_applied_without_waiting_for_its_quiet_time(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    waybill = await stage.ship(order_no)
    ran = await look(stage, order_no)
    assert ran.green and ran.name == "reconcile 1 orders, 0.00 %, 1 mended"
    assert await stage.state(order_no) is State.OUTBOUND
    assert (await checks(stage, order_no))["wms"] == ("ahead", "news applied; then agrees")
    assert [row.waybill for row in await stage.rows("select waybill from parcel")] == [waybill]
    [row] = await artifact(ran)
    assert row["Ballast"] == "STOCK_LOCKED" and row["warehouse"] == "OUTBOUND (status DELIVERED)"
    assert row["verdict"] == "warehouse: says what we have not heard"
    assert row["order"].startswith(f"[{order_no}](http") and row["what was done"].startswith("wms: news applied")
    await stage.world.calm()
    await stage.send()
    await stage.hear_the_shop()
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended", "the second run finds nothing"


async def test_a_lost_payment_notice_is_found(stage: Stage) -> None:
    order_no = await stage.placed()
    await stage.world.faults(system="wechatpay", webhook_lost=1.0)
    await stage.world.act(order_no, "pay")
    await look(stage, order_no)
    found = await checks(stage, order_no)
    assert found["payment"] == ("ahead", "news applied; then agrees")
    assert found["shop"] == ("ahead", "news noted; then agrees"), "it waits for the goods already"
    assert [row.state for row in await stage.rows("select state from payment")] == ["captured"]
    await stage.work(Step.CONFIRM_PAYMENT)
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"
    assert await stage.alerts() == []


async def test_a_second_charge_that_nobody_told_of_is_no_agreement(stage: Stage) -> None:
    """A closed order that was paid after all: the charge goes back, and people are told, as by a notice."""
    order_no = await stage.placed()
    stage.later(timedelta(days=2))
    await stage.work(Step.CONFIRM_PAYMENT)
    assert await stage.state(order_no) is State.CLOSED
    await stage.world.faults(system="wechatpay", webhook_lost=1.0)
    await stage.world.act(order_no, "pay")
    await look(stage, order_no)
    assert (await checks(stage, order_no))["payment"][0] == "ahead"
    assert [row.state for row in await stage.rows("select state from payment")] == ["surplus"]
    assert [alert.level for alert in await stage.alerts()] == ["urgent"]


async def test_a_silent_courier_is_asked_and_subscribed_once_more(stage: Stage) -> None:
    """Its yes to the subscription was none: nothing is pushed, and only asking shows it."""
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    await stage.world.faults(system="kdniao", success_without_effect=1.0)
    await stage.send()
    await stage.world.calm()
    await stage.hear_the_shop()
    await stage.world.act(order_no, "scan", state_ex="204")
    await look(stage, order_no)
    assert await stage.state(order_no) is State.IN_TRANSIT
    assert (await checks(stage, order_no))["courier"] == ("ahead", "news applied; then agrees")
    await stage.send()
    [parcel] = (await stage.world.truth(order_no))["parcels"]
    assert parcel["subscribed"] == 1
    await stage.world.act(order_no, "sign")
    await stage.read()
    await stage.work(Step.SIGN_OFF)
    assert await stage.state(order_no) is State.SIGNED


@pytest.mark.parametrize(("code", "reason"), [("404", HoldReason.COURIER_REFUSED), ("414", HoldReason.COURIER_DAMAGED)])
async def test_trouble_that_was_not_heard_holds_the_order_as_its_news_would(
    stage: Stage, code: str, reason: HoldReason
) -> None:
    order_no = await stage.outbound()
    await stage.world.faults(system="kdniao", webhook_lost=1.0)
    await stage.world.act(order_no, "scan", state_ex=code)
    await look(stage, order_no)
    assert (await stage.order(order_no)).hold_reason == reason
    assert [alert.key for alert in await stage.alerts()] == [f"hold:{order_no}:v{await version_before_hold(stage)}"]
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended", "held for what they say"


async def version_before_hold(stage: Stage) -> int:
    return int((await stage.rows("select version from sales_order"))[0].version) - 1


async def test_of_two_parcels_the_one_that_was_not_heard_of_is_found(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.act(order_no, "ship", packages=[{"items": {sku: n}, "waybill": f"YT{sku}"} for sku, n in LINES])
    await stage.read()
    await stage.send()
    await stage.hear_the_shop()
    await stage.world.act(order_no, "scan", state_ex="204", waybill=f"YT{LINES[0][0]}")
    await stage.read()
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"
    await stage.world.faults(system="kdniao", webhook_lost=1.0)
    await stage.world.act(order_no, "sign")
    await look(stage, order_no)
    assert (await checks(stage, order_no))["courier"] == ("ahead", "news applied; then agrees")
    signed = await stage.rows("select signed_at from parcel")
    assert all(row.signed_at for row in signed) and len(signed) == 2


async def test_an_order_that_left_in_part_agrees_until_the_rest_is_missed(stage: Stage) -> None:
    order_no = await stage.handed_over()
    (first, pieces), (second, rest) = LINES
    await stage.world.act(order_no, "ship", packages=[{"items": {first: pieces}, "waybill": "YT1"}])
    await stage.read()
    assert await stage.state(order_no) is State.STOCK_LOCKED
    await stage.send()
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.world.act(order_no, "ship", packages=[{"items": {second: rest}, "waybill": "YT2"}])
    await look(stage, order_no)
    assert await stage.state(order_no) is State.OUTBOUND
    assert sorted(row.waybill for row in await stage.rows("select waybill from parcel")) == ["YT1", "YT2"]


# -- what they have not heard


async def believe_sent(stage: Stage, kind: str) -> None:
    sent = "update outbox set done_at = created_at, due_at = null where kind = :kind and done_at is null returning 1"
    assert await stage.rows(sent, kind=kind)


async def lose_our_notice(stage: Stage, kind: str, system: str) -> str:
    """An order whose notice of this kind was believed to be taken, and was not: nothing read it back."""
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    await stage.world.faults(system=system, success_without_effect=1.0)
    await stage.send()
    await stage.world.calm()
    believed = "update effect set state = 'done', receipt = '{\"reference\": \"x\"}' where kind = :kind returning 1"
    assert await stage.rows(believed, kind=kind)
    await believe_sent(stage, kind)
    await stage.send()
    await stage.hear_the_shop()
    return order_no


async def test_a_shop_that_lost_our_notice_is_told_again_exactly_once(stage: Stage) -> None:
    order_no = await lose_our_notice(stage, "shop.shipped", "wechat")
    assert (await stage.world.truth(order_no))["shop"]["tracking"] == []
    ran = await look(stage, order_no)
    assert ran.name == "reconcile 1 orders, 0.00 %, 1 mended"
    assert (await checks(stage, order_no))["shop"] == ("behind", "sent again: shop.shipped; then behind, under way")
    await stage.send()
    await stage.hear_the_shop()
    shop = (await stage.world.truth(order_no))["shop"]
    assert (shop["order_state"], shop["uploads"], len(shop["tracking"])) == (2, 1, 1)
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"
    assert (await stage.world.truth(order_no))["shop"]["uploads"] == 1
    assert sum((await stage.world.get("effects"))["duplicates"].values()) == 0
    assert "shop does not show it" in str(await stage.rows("select text from order_event where actor = 'ballast'"))


async def test_an_erp_without_our_outbound_bill_gets_it(stage: Stage) -> None:
    order_no = await lose_our_notice(stage, "erp.outbound", "kingdee")
    assert (await stage.world.truth(order_no))["erp"]["outstock"] == []
    await look(stage, order_no)
    assert (await checks(stage, order_no))["erp"][0] == "behind"
    await stage.send()
    [bill] = (await stage.world.truth(order_no))["erp"]["outstock"]
    assert bill["status"] == "C"
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"


async def test_an_erp_that_does_not_know_of_the_arrival_is_told_again(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.world.act(order_no, "sign")
    await stage.read()
    await stage.work(Step.SIGN_OFF)
    await believe_sent(stage, "erp.receipt")
    await stage.send()
    await stage.hear_the_shop()
    await look(stage, order_no)
    assert (await checks(stage, order_no))["erp"][1].startswith("sent again: erp.receipt")
    await stage.send()
    assert (await stage.world.truth(order_no))["erp"]["receipt_told"]
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"


async def test_a_warehouse_that_forgot_the_order_gets_it_again(stage: Stage) -> None:
    order_no = await stage.locked()
    await stage.world.faults(system="qimen", success_without_effect=1.0)
    await stage.work(Step.SHIP_OUT)
    await stage.world.calm()
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 0
    await look(stage, order_no)
    assert (await checks(stage, order_no))["wms"][1].startswith("handed over again")
    await stage.work(Step.SHIP_OUT)
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"


async def test_a_notice_that_is_due_is_under_way_and_counted_but_rings_nobody(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    ran = await look(stage, order_no)
    found = await checks(stage, order_no)
    assert found["shop"] == ("behind", "under way; then behind")
    assert found["erp"] == ("behind", "under way; then behind")
    assert ran.name == "reconcile 1 orders, 0.00 %, 0 mended"
    assert (await figures(stage))["mended"] == {"orders": 0, "under way": 2}
    assert await stage.alerts() == []
    await stage.send()
    truth = await stage.world.truth(order_no)
    assert (truth["shop"]["uploads"], len(truth["erp"]["outstock"])) == (1, 1)


# -- who does not answer


async def test_a_system_that_is_down_is_not_asked_and_agrees_with_nobody(stage: Stage) -> None:
    numbers = [await stage.outbound() for _ in range(3)]
    await stage.world.faults(system="kingdee", outage_seconds=30)
    ran = await look(stage, *numbers)
    await stage.world.calm()
    assert not ran.green and ran.name == "reconcile 3 orders, 100 %, 0 mended, not asked: erp"
    found = await figures(stage)
    assert found["systems"]["erp"]["asked"] == 0 and found["systems"]["erp"]["share"] is None
    assert found["not_asked"]["erp"] == {"no_answer": 3, "not_concerned": 0, "configured": True}
    assert found["systems"]["wms"]["agreeing"] == 3
    assert (await checks(stage, numbers[0]))["erp"] == ("not_asked", "")
    assert "kingdee" in str(ran.state.message)


async def test_a_system_that_took_no_question_of_a_chunk_is_left_alone_for_the_rest_of_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [await stage.outbound() for _ in range(6)]
    stage.configure(chunk=3, chunks_at_once=1)
    asked: list[str] = []

    async def ask(number: str) -> Any:
        asked.append(number)
        raise Unavailable(System.QIMEN, "no connection", order_no=number)

    monkeypatch.setattr(stage.house.wms, "ask", ask)
    ran = await look(stage, *numbers)
    assert not ran.green and len(asked) == 3
    found = await figures(stage)
    assert found["not_asked"]["wms"]["no_answer"] == 6 and found["asked"] == 6
    said = await stage.rows("select said from order_check where system = 'wms' and verdict = 'not_asked' order by 1")
    assert [row.said[:13] for row in said] == ["it took no qu"] * 3 + ["qimen, order "] * 3


async def test_more_orders_need_no_more_statements(stage: Stage) -> None:
    numbers = [await stage.outbound() for _ in range(4)]
    ids = [(await stage.order(number)).id for number in numbers]
    counts = []
    for some in (ids[:1], ids):
        with statements(stage.house.engine) as asked:
            await ask_everybody.fn(1, some, mending=True)
        counts.append(sum("call_limit" not in sql for sql, _ in asked))  # limits are told by time, not by order
    assert counts[0] == counts[1]


async def test_a_system_that_is_not_configured_is_said_to_be_so(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.house.roles.pop("erp").close()
    stage.configure(kingdee=None)
    ran = await look(stage, order_no)
    assert ran.green and ran.name == "reconcile 1 orders, 100 %, 0 mended"
    assert (await figures(stage))["not_asked"]["erp"]["configured"] is False
    assert set(await checks(stage, order_no)) == ALL - {"erp"}


async def test_an_unknown_code_rings_once_and_is_no_agreement(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.world.act(order_no, "report", status="WIBBLE")
    for _ in range(2):
        await look(stage, order_no)
    assert (await checks(stage, order_no))["wms"][0] == "not_asked"
    assert [alert.key for alert in await stage.alerts()] == ["code:qimen:status:WIBBLE"]


# -- what contradicts


async def test_a_contradiction_rings_once(stage: Stage) -> None:
    """The warehouse says that it dropped what has left."""
    order_no = await stage.outbound()
    await stage.world.act(order_no, "report", status="CANCELED")
    await stage.read()
    for _ in range(2):
        ran = await look(stage, order_no)
        assert ran.name == "reconcile 1 orders, 0.00 %, 0 mended"
    assert (await checks(stage, order_no))["wms"] == ("contradicts", "alert; then contradicts")
    [alert] = await stage.alerts()
    assert alert.key == f"drift:{order_no}:wms:contradicts:left/off"
    assert await stage.state(order_no) is State.OUTBOUND, "what has left cannot be kept by a hold"


async def test_a_sale_order_that_somebody_voided_holds_what_is_still_here(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await void(stage, order_no)
    await look(stage, order_no)
    assert (await checks(stage, order_no))["erp"] == ("contradicts", "held: ERP_REFUSED; then agrees")
    order = await stage.order(order_no)
    assert (order.state, order.held_from, order.hold_reason) == ("ON_HOLD", "STOCK_LOCKED", "ERP_REFUSED")
    assert len(await stage.alerts()) == 1
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"


async def void(stage: Stage, order_no: str) -> None:
    await stage.house.erp.cancel((await read_case(stage.house, order_no)).order())


async def test_looking_without_mending_changes_nothing(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await void(stage, order_no)
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.ship(order_no)
    before, history = await stage.order(order_no), await stage.history(order_no)
    ran = await look(stage, order_no, mend=False)
    assert ran.name == "reconcile 1 orders, 0.00 %, 0 mended"
    assert {system: one[0] for system, one in (await checks(stage, order_no)).items() if one[0] != "agrees"} == {
        "erp": "contradicts",
        "wms": "ahead",
    }
    assert await stage.order(order_no) == before and await stage.history(order_no) == history
    assert await stage.alerts() == [] and await stage.rows("select 1 from outbox where due_at is not null") == []


async def test_cancelled_refunded_and_held_orders_agree(stage: Stage) -> None:
    cancelled, unpaid, short = await stage.handed_over(), await stage.placed(), await stage.paid([("SKU-054", 2)])
    await cancel_orders((cancelled, unpaid))
    await stage.send()
    await stage.world.act(cancelled, "refunded")
    await stage.hear_the_shop()
    await stage.send()
    await stage.work(Step.LOCK_STOCK)
    states = [await stage.state(no) for no in (cancelled, unpaid, short)]
    assert states == [State.CLOSED, State.CLOSED, State.ON_HOLD]
    ran = await look(stage, cancelled, unpaid, short)
    assert ran.name == "reconcile 3 orders, 100 %, 0 mended", await artifact(ran)


async def test_a_lease_is_not_taken_from_a_step_that_is_at_work(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.ship(order_no)
    await stage.rows(
        "update sales_order set lease_owner = 'ship_out:else', due_at = :until where order_no = :no returning 1",
        until=stage.house.lease(),
        no=order_no,
    )
    version = (await stage.order(order_no)).version
    ran = await look(stage, order_no, mend=False)
    assert (await stage.order(order_no)).lease_owner == "ship_out:else"
    assert (await stage.order(order_no)).version == version
    assert ran.name == "reconcile 1 orders, 0.00 %, 0 mended", "it was looked at again later in the run"
    await look(stage, order_no)
    assert (await checks(stage, order_no))["wms"] == ("ahead", "under way; then ahead")
    assert (await stage.order(order_no)).lease_owner == "ship_out:else"


# -- which orders


async def test_a_sample_is_drawn_again_by_its_seed(stage: Stage) -> None:
    for _ in range(6):
        await stage.placed()
    await stage.outbound()
    for _ in range(2):
        await run(reconcile, sample=3, seed=7, linger=0.0)
    found = await stage.rows("select reconciliation_id, order_id from order_check group by 1, 2 order by 1, 2")
    ids = sorted({row.reconciliation_id for row in found})
    first, second = ([row.order_id for row in found if row.reconciliation_id == one] for one in ids)
    assert first == second and len(first) == 3
    assert {await one_state(stage, order_id) for order_id in first} == {"PENDING_PAYMENT", "OUTBOUND"}


async def one_state(stage: Stage, order_id: int) -> str:
    return str((await stage.rows("select state from sales_order where id = :id", id=order_id))[0].state)


async def test_what_changed_since_and_unknown_numbers(stage: Stage) -> None:
    await stage.placed()
    stage.later(timedelta(minutes=5))
    since = stage.house.clock.now()
    changed = await stage.paid()
    await run(reconcile, since=since, linger=0.0)
    assert [row.order_no for row in await stage.rows(
        "select distinct o.order_no from order_check c join sales_order o on o.id = c.order_id"
    )] == [changed]  # fmt: skip
    ran = await look(stage, changed, "NO-SUCH-ORDER")
    assert ran.name == "reconcile 1 orders, 100 %, 0 mended, 1 unknown"
    assert {"order": "NO-SUCH-ORDER", "Ballast": "unknown order 订单不存在"} in await artifact(ran)


async def test_no_orders_at_all_is_no_figure(stage: Stage) -> None:
    ran = await run(reconcile, linger=0.0)
    assert ran.green and ran.name == "reconcile 0 orders, -, 0 mended"
    assert (await figures(stage))["share"] is None


# -- money


def answers(stage: Stage, monkeypatch: pytest.MonkeyPatch, role: str, told: list[News]) -> None:
    """A system says just this of every order from now on."""

    async def ask(order_no: str) -> list[News]:
        return [replace(one, order_no=order_no) for one in told]

    monkeypatch.setattr(getattr(stage.house, role), "ask", ask)


def one_word(system: System, field: str, said: str, event: Event, state: State | None = None) -> News:
    at = datetime(2026, 1, 5, 4, tzinfo=UTC)
    return News(system=system, order_no="", happened_at=at, field=field, said=said, event=event, state=state)


MONEY_WENT = one_word(System.WECHATPAY, "trade_state", "REFUND", Event.NOTED, State.CLOSED)
UNPAID = one_word(System.WECHATPAY, "trade_state", "NOTPAY", Event.NOTED, State.PENDING_PAYMENT)
SHOP_REFUNDED = one_word(System.WECHAT, "order_state", "5", Event.REFUNDED)


async def test_what_provider_and_shop_call_refunded_is_held_before_it_leaves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = await stage.handed_over()
    answers(stage, monkeypatch, "payment", [MONEY_WENT])
    answers(stage, monkeypatch, "storefront", [SHOP_REFUNDED])
    await look(stage, order_no)
    order = await stage.order(order_no)
    assert (order.state, order.hold_reason) == ("ON_HOLD", "REFUNDED_ON_THE_WAY")
    assert (order.due_step, (await checks(stage, order_no))["shop"]) == (
        "call_off",
        ("contradicts", "held: REFUNDED_ON_THE_WAY; then agrees"),
    )


async def test_money_that_went_back_without_our_knowledge_rings_and_holds_nothing_when_it_may_be_a_part(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = await stage.handed_over()
    answers(stage, monkeypatch, "payment", [MONEY_WENT])
    for _ in range(2):
        await look(stage, order_no)
    assert await stage.state(order_no) is State.STOCK_LOCKED
    [alert] = await stage.alerts()
    assert (alert.key, alert.level) == (f"drift:{order_no}:payment:contradicts:locked/off", "urgent")


async def test_goods_that_nobody_paid_for_stay_here(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no, gone = await stage.handed_over(), await stage.outbound()
    answers(stage, monkeypatch, "payment", [UNPAID])
    await look(stage, order_no, gone)
    assert (await stage.order(order_no)).hold_reason == HoldReason.PAYMENT_MISMATCH
    assert await stage.state(gone) is State.OUTBOUND
    assert {alert.key.split(":")[0] for alert in await stage.alerts()} == {"hold", "drift"}


async def test_what_a_person_let_pass_is_not_held_for_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order_no = await stage.handed_over()
    answers(stage, monkeypatch, "payment", [UNPAID])
    await look(stage, order_no)
    await rerun_orders((order_no,), by="li")
    ran = await look(stage, order_no)
    assert ran.name == "reconcile 1 orders, 0.00 %, 0 mended", "it still differs, and says so"
    assert await stage.state(order_no) is State.STOCK_LOCKED


async def test_a_refund_whose_notice_was_lost_is_found(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await cancel_orders((order_no,))
    await stage.send()
    await stage.world.faults(system="wechatpay", webhook_lost=1.0)
    await stage.world.act(order_no, "refunded")
    await look(stage, order_no)
    assert (await checks(stage, order_no))["payment"] == ("ahead", "news applied; then agrees")
    assert [row.state for row in await stage.rows("select state from refund")] == ["done"]


# -- while others work


async def test_a_step_at_work_keeps_its_lease_and_its_order_is_looked_at_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step claims the order while it is asked about, and ends before the run does."""
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.ship(order_no)
    await stage.rows("update sales_order set due_at = now() - interval '1 s' returning 1")
    real, owners = stage.house.storefront.ask, list[str]()

    async def ask(number: str) -> Any:
        if not owners:
            async with stage.house.transaction() as tx:
                owners.append("ship_out:other")
                chunk = await claim(
                    tx, Step.SHIP_OUT, owner=owners[0], most=1, now=stage.house.clock.now(), until=stage.house.lease()
                )
                assert chunk.ids
            asyncio.get_running_loop().call_later(0.5, lambda: owners.append("over"))
        return await real(number)

    monkeypatch.setattr(stage.house.storefront, "ask", ask)
    stage.patience(linger=timedelta(seconds=1))
    working = asyncio.create_task(_work_on(stage, owners))
    ran = await run(reconcile, order_numbers=[order_no], linger=5.0)
    await working
    assert ran.green
    assert await stage.state(order_no) is State.OUTBOUND
    assert len(await stage.rows("select 1 from order_event where event = 'SHIPPED'")) == 1


async def _work_on(stage: Stage, owners: list[str]) -> None:
    """What the step does with its claim, once it comes to it."""
    while "over" not in owners:
        await asyncio.sleep(0.05)
    found = await stage.rows("select id, lease_owner from sales_order")
    assert found[0].lease_owner == owners[0], "its lease was left alone"
    await WORK[Step.SHIP_OUT](Chunk(Step.SHIP_OUT, owners[0], (found[0].id,)))


async def test_two_runs_at_once_mend_once(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.ship(order_no)
    await asyncio.gather(look(stage, order_no), look(stage, order_no))
    await stage.world.calm()
    await stage.send()
    truth = await stage.world.truth(order_no)
    assert (truth["shop"]["uploads"], len(truth["erp"]["outstock"])) == (1, 1)
    assert len(await stage.rows("select 1 from order_event where event = 'SHIPPED'")) == 1


async def test_who_does_not_answer_the_second_time_does_not_agree_by_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.ship(order_no)
    real, asked = stage.house.wms.ask, list[str]()

    async def ask(number: str) -> Any:
        asked.append(number)
        if len(asked) > 2:
            raise Unavailable(System.QIMEN, "gone", order_no=number)
        return await real(number)

    monkeypatch.setattr(stage.house.wms, "ask", ask)
    ran = await look(stage, order_no)
    assert len(asked) == 3 and ran.green
    found = await figures(stage)
    assert (found["before"]["overall"]["share"], found["after"]["overall"]["share"]) == (0.0, 0.0)
    assert found["after"]["systems"]["wms"]["asked"] == 1


async def test_an_alert_is_over_when_the_systems_agree_again(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.world.act(order_no, "report", status="CANCELED")
    await stage.read()
    await look(stage, order_no)
    [ringing] = await stage.alerts()
    await stage.world.act(order_no, "report", status="DELIVERED")
    await stage.read()
    await look(stage, order_no, mend=False)
    assert (await stage.alerts())[0].ended_at is None, "who only looks changes nothing"
    await look(stage, order_no)
    [over] = await stage.alerts()
    assert ringing.ended_at is None and over.ended_at is not None


async def test_a_code_that_is_mapped_to_what_no_order_can_take_spoils_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, lost = await stage.outbound(), await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.ship(lost)
    real = stage.house.storefront.ask

    async def ask(number: str) -> Any:
        event = Event.STOCK_LOCKED if number == odd else Event.NOTED
        strange = one_word(System.WECHAT, "order_state", "77", event, State.SIGNED)
        return [replace(strange, order_no=number)] if number == odd else await real(number)

    monkeypatch.setattr(stage.house.storefront, "ask", ask)
    ran = await look(stage, odd, lost)
    assert ran.green and await stage.state(lost) is State.OUTBOUND
    assert [alert.key for alert in await stage.alerts()] == [f"drift:{odd}:shop:ahead:left/arrived"]


# -- forms and pages


async def test_a_wrong_form_says_so_and_asks_nobody(stage: Stage) -> None:
    both = await run(reconcile, order_numbers=["SO1"], since=stage.house.clock.now())
    assert not both.green and "either which orders or since when" in str(both.state.message)
    naive = await run(reconcile, since=datetime(2026, 1, 5))  # noqa: DTZ001  # that is the point
    assert not naive.green and "no time zone" in str(naive.state.message)
    assert await stage.rows("select 1 from reconciliation") == []
    for wrong in ({"sample": 0}, {"sample": 10**6}, {"linger": -1.0}):
        assert not (await run(reconcile, **wrong)).green


async def test_the_accuracy_page_tells_every_system_and_the_last_runs(stage: Stage) -> None:
    order_no = await stage.outbound()
    await look(stage, order_no)
    ran = await look(stage, order_no)
    async with get_client() as client:
        body = {"artifacts": {"flow_run_id": {"any_": [str(ran.id)]}}}
        found = {one["key"]: one for one in (await client.request("POST", "/artifacts/filter", json=body)).json()}
    page = found["reconcile-accuracy"]["data"]
    assert "| overall (orders) | 1 | 1 | 100 % | 20.65 - 100 % | 100 % | 0 | 0 | 0 |  |" in page
    assert all(f"| {name} | 1 | 1 | 100 % |" in page for name in ("ERP", "warehouse", "courier", "shop", "payment"))
    assert page.count("| orders | 1 | 100 % | 100 % | 0 | 0 |") == 2
    assert found["reconcile-progress"]["data"] == 100.0


async def test_the_commands_tell_the_same(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.world.act(order_no, "report", status="CANCELED")
    await stage.read()
    await look(stage, order_no)
    [past] = json.loads(await stage.command("reconcile-history", "--json"))
    of_it = past["figures"]
    assert (past["scope"], of_it["drifted"], of_it["before"]["overall"]["share"]) == ("orders", 1, 0.0)
    assert "0.00 %" in await stage.command("reconcile-history", "--last", "1")
    shown = json.loads(await stage.command("order", "show", order_no, "--json"))
    wms = next(one for one in shown["reconciled"] if one["system"] == "wms")
    assert (wms["theirs"], wms["verdict"]) == ("CLOSED", "contradicts")
    assert "warehouse: CLOSED (status CANCELED), contradicts: alert" in await stage.command("order", "show", order_no)


async def test_a_code_with_another_note_still_stands_for_its_state(stage: Stage) -> None:
    order_no = await stage.outbound()
    await stage.rows(
        "insert into status_map (system, field, code, event, note, version, changed_by, changed_at) "
        "values ('kingdee', 'SAL_OUTSTOCK.FDocumentStatus', 'C', 'NOTED', 'our words', 1, 'li', now()) returning 1"
    )
    assert (await look(stage, order_no)).name == "reconcile 1 orders, 100 %, 0 mended"
    assert (await checks(stage, order_no))["erp"] == ("agrees", "")
