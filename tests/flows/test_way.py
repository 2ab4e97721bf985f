"""The whole way of one order, step by step, by the flows as they run in production."""

from collections.abc import Awaitable, Callable

import pytest

from ballast.domain.words import State
from flows.confirm_payment import confirm_payment
from flows.lock_stock import lock_stock
from flows.read_inbox import read_inbox
from flows.send_outbox import send_outbox
from flows.ship_out import ship_out
from flows.sign_off import sign_off
from flows.sync_inventory import sync_inventory
from flows.take_orders import take_orders
from tests.flows.stage import LINES, Stage, artifact, run, task_runs


async def test_an_order_goes_from_payment_to_sign_off_with_one_effect_each(stage: Stage) -> None:
    world = stage.world
    placed = await world.place(lines=[{"sku": sku, "quantity": pieces} for sku, pieces in LINES], script="normal")
    order_no = placed["order"]["order_no"]
    assert (await run(take_orders)).name == "take-orders 1 taken"
    assert await stage.state(order_no) is State.PENDING_PAYMENT

    await world.act(order_no, "pay")
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"
    row = await stage.order(order_no)
    assert row.state == State.PENDING_PAYMENT and row.paid_at is not None and row.due_step == "lock_stock"

    ran = await run(lock_stock)
    assert ran.name == "lock-stock 1 locked" and ran.green
    assert await artifact(ran) == [{"did": "locked", "count": "1"}]
    assert len(await task_runs(ran)) == 1
    assert await stage.state(order_no) is State.STOCK_LOCKED

    assert (await run(ship_out)).name == "ship-out 1 handed over"
    await stage.ship(order_no)
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert await stage.state(order_no) is State.OUTBOUND
    sent = await run(send_outbox)
    assert {"1 courier.subscribe sent", "1 shop.shipped sent", "1 erp.outbound sent"} <= set(
        sent.name.removeprefix("send-outbox ").split(", ")
    )

    await world.act(order_no, "scan", state_ex="204")
    await run(read_inbox)
    assert await stage.state(order_no) is State.IN_TRANSIT
    await world.act(order_no, "sign")
    await run(read_inbox)
    assert (await run(sign_off)).name == "sign-off 1 signed"
    assert await stage.state(order_no) is State.SIGNED
    await run(send_outbox)

    await assert_each_effect_once(stage, order_no)
    assert [event for event in await stage.history(order_no) if event != "NOTED"] == [
        "PAYMENT_CAPTURED",
        "PAYMENT_CONFIRMED",
        "STOCK_LOCKED",
        "WAREHOUSE_PROGRESS",
        "SHIPPED",
        "SCANNED",
        "PARCEL_SIGNED",
        "SIGNED",
    ]


async def assert_each_effect_once(stage: Stage, order_no: str) -> None:
    truth = await stage.world.truth(order_no)
    assert truth["erp"]["sale_order"]["saves"] == 1
    assert [bill["status"] for bill in truth["erp"]["outstock"]] == ["C"]
    assert truth["erp"]["receipt_told"]
    assert truth["wms"]["creates"] == 1
    assert truth["shop"]["uploads"] == 1
    assert [parcel["subscribed"] for parcel in truth["parcels"]] == [True]
    assert await stage.world.duplicates() == {}


@pytest.mark.parametrize("flow", [take_orders, read_inbox, confirm_payment, lock_stock, ship_out, sign_off])
async def test_a_run_that_finds_nothing_says_so_and_leaves_no_table(
    stage: Stage, flow: Callable[[], Awaitable[None]]
) -> None:
    ran = await run(flow)  # type: ignore[arg-type]  # pytest's parameters lose the type of a flow
    assert ran.green
    assert ran.name.endswith(" nothing due")
    assert await artifact(ran) == []


async def test_sync_inventory_takes_the_figures_of_the_erp(stage: Stage) -> None:
    await stage.world.post("stock", {"sku": "SKU-058", "quantity": 77, "warehouse": "WH02"})
    ran = await run(sync_inventory)
    assert ran.green
    found = await stage.rows("select on_hand from stock_level where sku = 'SKU-058' and warehouse = 'CK002'")
    assert [row.on_hand for row in found] == [77]
    assert (await run(sync_inventory)).name == "sync-inventory nothing due"
