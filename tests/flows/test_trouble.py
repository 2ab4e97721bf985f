"""Systems that are down, answers that were lost, several runs at once, a run that is cancelled."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from prefect.client.orchestration import get_client

from ballast.domain.words import HoldReason, State, Step
from flows.lock_stock import lock_stock
from flows.rerun_orders import rerun_orders
from flows.send_outbox import send_outbox
from flows.ship_out import ship_out
from tasks.erp import book_outbound, reserve_stock
from tests.flows.stage import Ran, Stage, run, task_runs

SOON = [0.01, 0.01]
AFTER_A_PAUSE = timedelta(seconds=30)


async def attempts_of(ran: Ran) -> list[int]:
    """How often each task run of a run was tried."""
    await task_runs(ran)
    body = {"flow_runs": {"id": {"any_": [str(ran.id)]}}}
    async with get_client() as client:
        for _ in range(60):
            found = (await client.request("POST", "/task_runs/filter", json=body)).json()
            if all(one["state_type"] in ("COMPLETED", "FAILED") for one in found):
                break
            await asyncio.sleep(0.1)
    return [one["run_count"] for one in found]


async def paid_orders(stage: Stage, count: int) -> list[str]:
    orders = [await stage.placed() for _ in range(count)]
    for order_no in orders:
        await stage.world.act(order_no, "pay")
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    return orders


async def assert_reserved_once(stage: Stage, orders: Sequence[str]) -> None:
    for order_no in orders:
        assert await stage.state(order_no) is State.STOCK_LOCKED
        assert (await stage.world.truth(order_no))["erp"]["sale_order"]["saves"] == 1
    assert await stage.world.duplicates() == {}


async def test_while_the_erp_is_down_the_run_is_red_and_orders_keep_their_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve_stock, "retry_delay_seconds", SOON)
    orders = await paid_orders(stage, 3)
    await stage.world.faults(system="kingdee", error_rate=1.0)

    ran = await run(lock_stock)

    assert ran.state.is_failed()
    assert "1 chunk(s) failed; first: SystemDown: kingdee" in str(ran.state.message)
    assert await attempts_of(ran) == [3]
    for order_no in orders:
        row = await stage.order(order_no)
        assert (row.state, row.due_step, row.attempts, row.lease_owner) == ("PENDING_PAYMENT", "lock_stock", 0, None)
    assert await stage.alerts() == []
    await stage.world.calm()
    assert (await run(lock_stock)).name == "lock-stock nothing due", "orders rest a moment after a failed run"
    stage.later(AFTER_A_PAUSE)
    assert (await run(lock_stock)).name == "lock-stock 3 locked"
    await assert_reserved_once(stage, orders)


async def test_an_outage_of_the_world_costs_no_order(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the calls of an outage are cut, so that nobody knows their outcome: those orders are looked up."""
    monkeypatch.setattr(reserve_stock, "retry_delay_seconds", SOON)
    orders = await paid_orders(stage, 6)
    await stage.world.faults(system="kingdee", outage_seconds=60)
    await run(lock_stock)
    assert {await stage.state(order_no) for order_no in orders} == {State.PENDING_PAYMENT}
    await stage.world.calm()
    stage.later(AFTER_A_PAUSE)
    assert (await run(lock_stock)).name == "lock-stock 6 locked"
    await assert_reserved_once(stage, orders)


async def test_messages_of_a_system_that_is_down_wait_for_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_outbound, "retry_delay_seconds", SOON)
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    await stage.world.faults(system="kingdee", error_rate=1.0)
    ran = await run(send_outbox)
    assert ran.state.is_failed()
    told = await stage.rows("select kind, attempts, done_at, lease_owner from outbox order by kind")
    assert [(row.kind, row.attempts, row.done_at is None, row.lease_owner) for row in told] == [
        ("courier.subscribe", 1, False, None),
        ("erp.outbound", 0, True, None),
        ("shop.shipped", 1, False, None),
    ]
    await stage.world.calm()
    stage.later(AFTER_A_PAUSE)
    assert (await run(send_outbox)).name == "send-outbox 1 erp.outbound sent"
    assert [bill["status"] for bill in (await stage.world.truth(order_no))["erp"]["outstock"]] == ["C"]


async def test_an_order_that_the_shop_never_knows_is_given_up_in_the_end(stage: Stage) -> None:
    """The shop is up and answers: every try counts, and after the last one people hear of it."""
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    await stage.rows("delete from outbox where kind <> 'shop.shipped' returning id")
    await stage.rows("update sales_order set order_no = 'NOT-THERE' returning id")
    tries = stage.house.settings.patience.attempts * 2
    for _ in range(tries - 1):
        assert "1 shop.shipped again later" in (await run(send_outbox)).name
        stage.later(AFTER_A_PAUSE)
    assert "1 shop.shipped refused" in (await run(send_outbox)).name
    row = await stage.order("NOT-THERE")
    assert (row.state, row.hold_reason) == ("ON_HOLD", HoldReason.REFUSED_BY_SYSTEM)


async def test_a_run_that_ends_leaves_no_message_claimed(stage: Stage) -> None:
    """Everything that it took is sent or given back, however short its time; what is left would wait for a minute."""
    arrived = await stage.outbound()
    await stage.world.act(arrived, "sign")
    await stage.read()
    await stage.work(Step.SIGN_OFF)
    shipped = await stage.handed_over()
    await stage.ship(shipped)
    await stage.read()
    stage.configure(chunks_at_once=1)
    stage.patience(run_most=timedelta(milliseconds=20))
    await run(send_outbox)
    told = await stage.rows("select kind, lease_owner from outbox where done_at is null")
    assert [row.kind for row in told if row.lease_owner] == []


async def test_a_time_out_after_the_erp_did_it_is_looked_up(stage: Stage) -> None:
    order_no = await stage.paid()
    await stage.world.faults(system="kingdee", timeout_after_effect=1.0, hang_seconds=0.1)
    assert (await run(lock_stock)).name == "lock-stock 1 again later"
    assert (await stage.order(order_no)).attempts == 1
    await stage.world.calm()
    stage.later(AFTER_A_PAUSE)
    assert (await run(lock_stock)).name == "lock-stock 1 locked"
    await assert_reserved_once(stage, [order_no])


async def test_a_time_out_after_the_warehouse_did_it_is_looked_up(stage: Stage) -> None:
    order_no = await stage.locked()
    await stage.world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.1)
    assert (await run(ship_out)).name == "ship-out 1 again later"
    await stage.world.calm()
    stage.later(AFTER_A_PAUSE)
    assert (await run(ship_out)).name == "ship-out 1 handed over"
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1


async def test_a_time_out_after_the_shop_did_it_is_looked_up(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.ship(order_no)
    await stage.read()
    await stage.world.faults(system="wechat", timeout_after_effect=1.0, hang_seconds=0.1)
    assert "1 shop.shipped again later" in (await run(send_outbox)).name
    await stage.world.calm()
    stage.later(AFTER_A_PAUSE)
    assert (await run(send_outbox)).name == "send-outbox 1 shop.shipped sent"
    assert (await stage.world.truth(order_no))["shop"]["uploads"] == 1
    assert await stage.world.duplicates() == {}


async def test_an_order_that_got_no_answer_to_its_last_attempt_is_held_and_looked_up_when_rerun(stage: Stage) -> None:
    stage.patience(attempts=1)
    order_no = await stage.locked()
    await stage.world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.1)
    assert (await run(ship_out)).name == "ship-out 1 held"
    assert (await stage.order(order_no)).hold_reason == HoldReason.NO_ANSWER
    await stage.world.calm()
    assert (await run(rerun_orders, hold_reason=HoldReason.NO_ANSWER)).name == "rerun-orders 1 released"
    assert await stage.state(order_no) is State.STOCK_LOCKED
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1


async def test_two_runs_at_once_share_the_work_and_double_nothing(stage: Stage) -> None:
    stage.configure(chunk=4)
    orders = await paid_orders(stage, 24)
    both = await asyncio.gather(run(lock_stock), run(lock_stock))
    counts = [int(ran.name.removeprefix("lock-stock ").split()[0].replace("nothing", "0")) for ran in both]
    assert sum(counts) == 24
    await assert_reserved_once(stage, orders)
    locked = await stage.rows("select locked from stock_level where sku = 'SKU-001'")
    assert [row.locked for row in locked] == [48]


async def test_a_cancelled_run_gives_its_orders_back(stage: Stage) -> None:
    order_no = await stage.paid()
    await stage.world.faults(system="kingdee", latency_ms=[3000, 3000])
    running = asyncio.create_task(run(lock_stock))
    for _ in range(100):
        if (await stage.order(order_no)).lease_owner:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    row = await stage.order(order_no)
    assert (row.lease_owner, row.attempts, row.due_step) == (None, 0, "lock_stock")
    await stage.world.calm()
    stage.later(AFTER_A_PAUSE)
    assert (await run(lock_stock)).name == "lock-stock 1 locked"
    await assert_reserved_once(stage, [order_no])
