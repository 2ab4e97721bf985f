"""From the door to the ERP: whoever was promised a piece gets it, nobody else does, and nobody pays for nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ballast.domain.words import HoldReason, State, Step
from ballast.settings import DoorSettings
from flows.sync_inventory import sync_inventory
from tests.flows.stage import Stage, run


def open_door(stage: Stage, **door: Any) -> None:
    stage.configure(door=DoorSettings(**door))


async def erp_has(stage: Stage, sku: str, pieces: int) -> None:
    """In one warehouse, and nothing in the other; our ledger knows it."""
    await stage.world.post("stock", {"sku": sku, "quantity": pieces, "warehouse": "WH01"})
    await stage.world.post("stock", {"sku": sku, "quantity": 0, "warehouse": "WH02"})
    await run(sync_inventory)


async def order(stage: Stage, sku: str, pieces: int = 1) -> str:
    """Placed at the shop, which pushes it; its number."""
    placed = await stage.world.place(lines=[{"sku": sku, "quantity": pieces}], script="normal")
    return str(placed["order"]["order_no"])


async def rush(stage: Stage, sku: str, buyers: int, pieces: int) -> None:
    """Everybody orders one piece at once; who was not refused pays; what was paid is locked, here and in the ERP."""
    await erp_has(stage, sku, pieces)
    open_door(stage)
    sold = [row.on_hand - row.locked for row in await stage.rows(
        "select on_hand, locked from stock_level where sku = :sku and on_hand > 0", sku=sku)]  # fmt: skip
    assert sold == [pieces]
    numbers = await asyncio.gather(*(order(stage, sku) for _ in range(buyers)))
    truth = [await stage.world.truth(number) for number in numbers]
    taken = [one["order_no"] for one in truth if not one["refused"]]
    assert len(taken) == pieces
    await stage.take_orders()
    await asyncio.gather(*(stage.world.act(number, "pay") for number in taken))
    await stage.read()
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"confirmed": pieces}
    assert await stage.work(Step.LOCK_STOCK) == {"locked": pieces}
    locked = await stage.rows("select sum(quantity) as n, count(distinct order_id) as orders from stock_lock")
    assert [tuple(row) for row in locked] == [(pieces, pieces)]
    reserved = [(await stage.world.truth(number))["erp"]["sale_order"] for number in numbers]
    assert sum(bill is not None for bill in reserved) == pieces
    assert sku not in (await stage.world.get("effects"))["oversold"]
    assert await stage.rows("select 1 from stock_reservation") == []


async def test_of_sixty_buyers_of_the_last_twenty_pieces_twenty_get_one(stage: Stage) -> None:
    await rush(stage, "SKU-044", buyers=60, pieces=20)


@pytest.mark.slow
async def test_of_a_thousand_buyers_of_the_last_hundred_pieces_a_hundred_get_one(stage: Stage) -> None:
    await rush(stage, "SKU-045", buyers=1000, pieces=100)


async def test_who_orders_too_much_and_is_held_goes_on_when_the_goods_come_and_he_pays(stage: Stage) -> None:
    await erp_has(stage, "SKU-046", 1)
    open_door(stage, intake="hold")
    order_no = await order(stage, "SKU-046", 3)
    await stage.take_orders()
    held = await stage.order(order_no)
    assert (held.state, held.hold_reason) == (State.ON_HOLD, HoldReason.STOCK_SHORT)
    await erp_has(stage, "SKU-046", 3)
    assert await stage.state(order_no) is State.PENDING_PAYMENT
    await stage.world.act(order_no, "pay")
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    assert await stage.work(Step.LOCK_STOCK) == {"locked": 1}


async def test_who_is_held_and_never_pays_is_closed_after_the_provider_was_asked(stage: Stage) -> None:
    await erp_has(stage, "SKU-047", 1)
    open_door(stage, intake="hold")
    order_no, paid = await order(stage, "SKU-047", 3), await order(stage, "SKU-047", 4)
    await stage.take_orders()
    stage.later(timedelta(hours=25))
    await stage.world.faults(system="wechatpay", webhook_lost=1.0)
    try:
        await stage.world.act(paid, "pay")
    finally:
        await stage.world.faults(preset="none")
    said = await stage.work(Step.CONFIRM_PAYMENT)
    assert said == {"closed unpaid": 1, "still held": 1}, "the provider knew of the charge that nobody had told of"
    assert [await stage.state(number) for number in (order_no, paid)] == [State.CLOSED, State.ON_HOLD]
