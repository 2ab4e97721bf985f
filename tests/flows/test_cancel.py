"""Cancelling: at every stage at which the outside still allows it, and what happens when it does not any more."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from adapters.wms.qimen.webhook import CONFIRM
from adapters.xml import parse
from ballast.db import cases, inbox
from ballast.db.claims import claim
from ballast.domain.words import HoldReason, State, Step, System
from ballast.ports import Message
from flows.cancel_orders import cancel_orders
from tasks.calling_off import call_off_chunk
from tasks.holding import hold_order
from tasks.rerun import rerun_order
from tests.adapters.wire import SAMPLES
from tests.flows.stage import SHELF, Stage, artifact, run
from tests.flows.test_holds import provider_says


async def cancel(stage: Stage, *numbers: str, **more: Any) -> dict[str, str]:
    said: dict[str, str] = await cancel_orders(numbers, "拍错了", "li", **more)
    return said


async def shop_cancels(stage: Stage, order_no: str) -> None:
    now = stage.house.clock.now()
    payload = {"order_no": order_no, "received_at": int(now.timestamp()), "reason": "拍错了"}
    message = Message(event_id=f"C-{order_no}", topic="order.cancelled", order_no=order_no, payload=payload)
    async with stage.house.transaction() as tx:
        await inbox.store(tx, [("direct", message)], now)
    await stage.read()


async def assert_ended_well(stage: Stage, order_no: str, *, paid: bool = True) -> None:
    """Closed, and nobody outside has anything of it any more."""
    await stage.send()
    if paid:
        await stage.world.act(order_no, "refunded")
        await stage.hear_the_shop()
        await stage.send()
    truth = await stage.world.truth(order_no)
    assert await stage.state(order_no) is State.CLOSED
    assert {row.state for row in await stage.rows("select state from stock_lock")} <= {"released"}
    assert sum(row.locked for row in await stage.rows("select locked from stock_level")) == 0
    assert truth["wms"]["status"] in (None, "CANCELED")
    sale = truth["erp"]["sale_order"]
    assert sale is None or (sale["cancelled"], sale["reserved"]) == (True, {})
    assert [refund["amount"] for refund in truth["refunds"]] == ([truth["total"]] if paid else [])
    assert truth["shop"]["order_state"] == (5 if paid else 0)
    assert {row.state for row in await stage.rows("select state from refund")} == ({"done"} if paid else set())
    undelivered = await stage.rows("select key from outbox where done_at is null")
    assert [row.key for row in undelivered] == []
    assert await stage.world.duplicates() == {}


@pytest.mark.parametrize("stage_of_order", ["placed", "paid", "locked", "handed_over"])
async def test_an_order_is_cancelled_at_every_stage_before_it_leaves(stage: Stage, stage_of_order: str) -> None:
    order_no = await getattr(stage, stage_of_order)()
    said = await cancel(stage, order_no)
    assert "called off" in said[order_no]
    assert said[order_no].endswith("now CLOSED")
    await assert_ended_well(stage, order_no, paid=stage_of_order != "placed")


async def test_cancelling_twice_changes_nothing_the_second_time(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await cancel(stage, order_no)
    version = (await stage.order(order_no)).version
    assert await cancel(stage, order_no) == {order_no: "it is closed already"}
    assert (await stage.order(order_no)).version == version
    await assert_ended_well(stage, order_no)


async def test_two_cancellations_at_once_are_one(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await asyncio.gather(cancel(stage, order_no), cancel(stage, order_no), shop_cancels(stage, order_no))
    await stage.work(Step.CALL_OFF)
    await assert_ended_well(stage, order_no)


async def test_a_paid_order_that_was_not_yet_judged_gives_its_money_back(stage: Stage) -> None:
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay")
    await stage.read()
    await cancel(stage, order_no)
    await assert_ended_well(stage, order_no)


async def test_the_provider_is_asked_before_an_unpaid_order_is_closed(stage: Stage) -> None:
    """Its notice was lost: the money is there all the same, and goes back."""
    order_no = await stage.placed()
    await stage.world.faults(system="wechatpay", webhook_lost=1.0)
    await stage.world.act(order_no, "pay")
    await stage.world.calm()
    await cancel(stage, order_no)
    await assert_ended_well(stage, order_no)


async def test_a_charge_that_comes_after_the_cancellation_goes_back(stage: Stage) -> None:
    order_no = await stage.placed()
    await cancel(stage, order_no)
    await stage.world.act(order_no, "pay")
    await stage.read()
    await assert_ended_well(stage, order_no)


async def test_an_order_that_is_held_is_cancelled_whatever_it_was_held_for(stage: Stage) -> None:
    await stage.put_on_shelf({SHELF[0]: 3})
    order_no = await stage.paid([(SHELF[0], 5)])  # no sum that a risk rule would look at
    await stage.work(Step.LOCK_STOCK)
    assert (await stage.order(order_no)).hold_reason == HoldReason.STOCK_SHORT
    await cancel(stage, order_no)
    await assert_ended_well(stage, order_no)


async def test_the_shops_own_cancellation_is_carried_out(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await shop_cancels(stage, order_no)
    assert (await stage.order(order_no)).hold_reason == HoldReason.CANCEL_ASKED
    await stage.work(Step.CALL_OFF)
    await assert_ended_well(stage, order_no)


async def test_a_refund_at_the_providers_console_calls_the_order_off(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await provider_says(stage, order_no, "SUCCESS")
    assert (await stage.order(order_no)).hold_reason == HoldReason.REFUNDED_ON_THE_WAY
    await stage.work(Step.CALL_OFF)
    assert await stage.state(order_no) is State.CLOSED
    truth = await stage.world.truth(order_no)
    assert (truth["wms"]["status"], truth["erp"]["sale_order"]["cancelled"]) == ("CANCELED", True)
    assert truth["refunds"] == []  # the one at the console was not ours, and there is no second
    assert len(await stage.rows("select 1 from outbox where kind = 'shop.refunded'")) == 1, "the shop has to show it"


async def test_what_the_warehouse_will_not_stop_becomes_a_return_and_goes_on(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.act(order_no, "report", status="PACKAGE")
    await stage.read()

    said = await cancel(stage, order_no)

    assert "a return is opened" in said[order_no]
    assert "不能取消" in said[order_no]
    assert await stage.state(order_no) is State.STOCK_LOCKED
    assert [row.why for row in await stage.rows("select why from return_case")]
    assert [a.level for a in await stage.alerts() if a.key.startswith("return:")] == ["warning"]
    assert (await stage.world.truth(order_no))["refunds"] == []
    await stage.ship(order_no)
    await stage.read()
    assert await stage.state(order_no) is State.OUTBOUND


async def test_what_has_left_becomes_a_return_and_stays_as_it_is(stage: Stage) -> None:
    order_no = await stage.outbound()
    said = await cancel(stage, order_no)
    assert "it has left the warehouse: a return is opened" in said[order_no]
    assert await stage.state(order_no) is State.OUTBOUND
    assert order_no in await stage.command("returns", "list")


async def test_the_goods_outrun_a_cancellation_that_waits(stage: Stage) -> None:
    """The confirm comes while the cancellation is held: it ends as a return, the order is outbound."""
    order_no = await stage.handed_over()
    await shop_cancels(stage, order_no)
    await stage.ship(order_no)
    await stage.read()
    assert (await stage.order(order_no)).held_from == State.OUTBOUND
    await stage.work(Step.CALL_OFF)
    assert await stage.state(order_no) is State.OUTBOUND
    assert len(await stage.rows("select 1 from return_case")) == 1
    truth = await stage.world.truth(order_no)
    assert (truth["refunds"], truth["wms"]["status"]) == ([], "DELIVERED")


async def test_a_confirm_during_the_cancellation_decides(stage: Stage) -> None:
    """The warehouse ships between our question and our writing: nothing is refunded, nothing is closed."""
    order_no = await stage.handed_over()
    await shop_cancels(stage, order_no)
    await stage.world.faults(system="qimen", latency_ms=[700, 700])
    async with stage.house.transaction() as tx:
        chunk = await claim(
            tx, Step.CALL_OFF, owner="test:cancel", most=5, now=stage.house.clock.now(), until=stage.house.lease()
        )
    working = asyncio.create_task(call_off_chunk.fn(chunk))
    await asyncio.sleep(0.2)
    await stage.ship(order_no)
    await stage.read()
    await working
    await stage.world.calm()
    await stage.work(Step.CALL_OFF)
    assert await stage.state(order_no) is State.OUTBOUND
    assert (await stage.world.truth(order_no))["refunds"] == []
    assert len(await stage.rows("select 1 from return_case")) == 1


async def test_a_cancellation_waits_for_the_call_that_is_under_way(stage: Stage) -> None:
    """The ERP is writing the sale order at this moment: voiding it before it is there would leave it behind."""
    order_no = await stage.paid()
    now = stage.house.clock.now()
    async with stage.house.transaction() as tx:
        await claim(tx, Step.LOCK_STOCK, owner="somebody at work", most=5, now=now, until=stage.house.lease())
    said = await cancel(stage, order_no)
    assert "within about a minute" in said[order_no]
    row = await stage.order(order_no)
    assert (row.state, row.lease_owner, row.due_step) == (State.ON_HOLD, None, Step.CALL_OFF)
    assert row.due_at > stage.house.clock.now()
    assert await stage.work(Step.CALL_OFF) == {}


@pytest.mark.parametrize("system", ["qimen", "kingdee"])
@pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect"])
async def test_a_cancellation_without_a_clear_answer_is_looked_up(stage: Stage, system: str, fault: str) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system=system, **{fault: 1.0}, hang_seconds=0.0)
    await cancel(stage, order_no)
    assert await stage.state(order_no) is State.ON_HOLD
    await stage.world.calm()
    await asyncio.sleep(0.05)
    await stage.work(Step.CALL_OFF)
    await assert_ended_well(stage, order_no)


async def test_a_warehouse_that_is_down_loses_no_cancellation(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", error_rate=1.0)
    said = await cancel(stage, order_no)
    assert "tried again later" in said[order_no]
    await stage.world.calm()
    await stage.rows("update sales_order set due_at = now() - interval '1 day' returning 1")
    await stage.work(Step.CALL_OFF)
    await assert_ended_well(stage, order_no)


async def test_what_the_erp_will_not_void_is_told_and_stays_on_hold(stage: Stage) -> None:
    """Somebody pushed the outbound bill in the ERP by hand: a person has to undo that first."""
    order_no = await stage.handed_over()
    async with stage.house.transaction() as tx:
        [case] = await cases.load(tx, now=stage.house.clock.now(), waits=stage.house.waits, order_nos=[order_no])
    await stage.house.erp.post_outbound(case.order())
    await cancel(stage, order_no)
    row = await stage.order(order_no)
    assert (row.state, row.hold_reason, row.due_at) == (State.ON_HOLD, HoldReason.CANCEL_ASKED, None)
    assert [a.level for a in await stage.alerts() if a.key == f"call_off:{order_no}"] == ["urgent"]
    assert (await stage.world.truth(order_no))["refunds"] == []


async def test_several_are_answered_one_by_one_and_the_form_shows_it(stage: Stage) -> None:
    paid, closed, gone = await stage.paid(), await stage.placed(), await stage.outbound()
    await cancel(stage, closed)
    ran = await run(cancel_orders, order_numbers=(f"{paid}, NOPE", closed, gone), why="拍错了", by="li")
    rows = {row["order"].split("]")[0].strip("["): row["what happened"] for row in await artifact(ran)}
    assert rows[paid].endswith("now CLOSED")
    assert rows["NOPE"] == "unknown order"
    assert rows[closed] == "it is closed already"
    assert "a return is opened" in rows[gone]
    assert ran.green


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(stage: Stage) -> None:
    order_no = await stage.handed_over()
    before = (await stage.order(order_no)).version
    assert await cancel(stage, order_no, dry_run=True) == {order_no: "would be: it is being stopped"}
    assert (await stage.order(order_no)).version == before


async def test_an_empty_form_says_so(stage: Stage) -> None:
    ran = await run(cancel_orders)
    assert not ran.green


async def test_goods_that_leave_after_the_closing_ring_at_once(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await cancel(stage, order_no)
    confirm = (SAMPLES / "qimen" / "confirm.xml").read_bytes().replace(b"SO20260102001", order_no.encode())
    payload = parse(confirm, System.QIMEN)["request"]
    message = Message(event_id="late", topic=CONFIRM, order_no=order_no, payload=payload)
    async with stage.house.transaction() as tx:
        await inbox.store(tx, [("qimen", message)], stage.house.clock.now())
    await stage.read()
    assert await stage.state(order_no) is State.CLOSED
    assert [a.level for a in await stage.alerts() if a.key.startswith("closed-at-work:")] == ["urgent"]


# -- again, and after it was let go on


async def test_asking_again_tries_again_at_once(stage: Stage) -> None:
    """The next attempt is an hour away; a person who mended what was in the way does not wait for it."""
    order_no = await stage.handed_over()
    stage.patience(back_off=timedelta(hours=1), back_off_most=timedelta(hours=1))
    await stage.world.faults(system="qimen", success_without_effect=1.0)
    said = await cancel(stage, order_no)
    assert said[order_no].startswith("it is being stopped: no clear answer yet, tried again later; now ON_HOLD")
    await stage.world.calm()
    assert (await cancel(stage, order_no))[order_no].endswith("now CLOSED")
    await assert_ended_well(stage, order_no)


async def test_who_let_an_order_go_on_may_cancel_it_after_all(stage: Stage) -> None:
    """The same person in the same words: each time is a judgement of its own. The shop's repeated message is none."""
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", success_without_effect=1.0)
    await cancel(stage, order_no)
    await stage.world.calm()
    assert (await rerun_order.fn(order_no, "li", "", False)).startswith("released from CANCEL_ASKED")
    said = await cancel(stage, order_no)
    assert said[order_no].endswith("now CLOSED")
    await assert_ended_well(stage, order_no)


async def test_a_warehouse_that_was_never_asked_since_is_asked_again(stage: Stage) -> None:
    """It had never heard of the order; then the order was let go on and handed over. Its old yes stops nothing now."""
    order_no = await stage.locked()
    await stage.world.faults(system="kingdee", success_without_effect=1.0)
    await cancel(stage, order_no)
    [stopped] = await stage.rows("select state, receipt from effect where kind = 'wms.cancel'")
    assert (stopped.state, stopped.receipt["status"]) == ("done", "never heard of it")
    await stage.world.calm()
    assert "handed over" in await rerun_order.fn(order_no, "li", "", False)
    await shop_cancels(stage, order_no)
    await stage.work(Step.CALL_OFF)
    await assert_ended_well(stage, order_no)


async def test_a_refusal_says_who_refuses_and_why(stage: Stage) -> None:
    order_no = await stage.handed_over()
    async with stage.house.transaction() as tx:
        [case] = await cases.load(tx, now=stage.house.clock.now(), waits=stage.house.waits, order_nos=[order_no])
    await stage.house.erp.post_outbound(case.order())
    said = (await cancel(stage, order_no))[order_no]
    assert said.startswith(f"could not be called off: kingdee [12], order {order_no}: ")
    assert said.endswith("stop it by hand there, then cancel it again; now ON_HOLD (CANCEL_ASKED)")
    assert "could not be called off" in await stage.command("order", "show", order_no, "--json")


# -- returns


async def test_the_shops_cancellation_of_what_has_left_rings_once(stage: Stage) -> None:
    order_no = await stage.outbound()
    await shop_cancels(stage, order_no)
    await shop_cancels(stage, order_no)
    assert [a.level for a in await stage.alerts() if a.key.startswith("return:")] == ["warning"]


@pytest.mark.parametrize("meanwhile", ["nothing", "held", "at work"])
async def test_a_partly_shipped_order_becomes_a_return_and_stays_where_it_is(stage: Stage, meanwhile: str) -> None:
    """Said at once, rung once; a hold that waits for somebody's judgement is still there."""
    order_no = await stage.handed_over()
    await stage.world.act(order_no, "ship", packages=[{"items": {SHELF[0]: 1}}])
    await stage.read()
    if meanwhile == "held":
        await hold_order.fn(order_no, "the customer called", "wang", False)
    if meanwhile == "at work":
        await stage.rows("update sales_order set lease_owner = 'x', due_at = now() + interval '1 hour' returning 1")
    before, rung = await stage.order(order_no), len(await stage.alerts())

    said = await cancel(stage, order_no)

    assert said == {order_no: "it has left the warehouse: a return is opened for a person (拍错了)"}
    after = await stage.order(order_no)
    assert (after.state, after.hold_reason, after.due_step) == (before.state, before.hold_reason, before.due_step)
    assert after.lease_owner == before.lease_owner
    assert [a.key.split(":")[0] for a in (await stage.alerts())[rung:]] == ["return"]
    assert len(await stage.rows("select 1 from return_case")) == 1
    assert (await stage.world.truth(order_no))["refunds"] == []


async def test_one_order_that_cannot_be_read_does_not_stop_the_others(stage: Stage) -> None:
    spoilt, sound = await stage.handed_over(), await stage.handed_over()
    await stage.rows("update sales_order set receiver = '{}' where order_no = :no returning 1", no=spoilt)
    ran = await run(cancel_orders, order_numbers=(spoilt, sound), by="li")
    assert not ran.green
    assert spoilt in str(ran.state.message)
    rows = {row["order"].split("]")[0].strip("["): row["what happened"] for row in await artifact(ran)}
    assert rows[spoilt] == "failed: TypeError, see its task run"
    assert rows[sound].endswith("now CLOSED")
