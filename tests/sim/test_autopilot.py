"""A whole small world by itself, and the same one twice."""

import asyncio
from typing import Any

from sim.script import Kind, write_script
from tests.sim.conftest import OpenStage, Stage
from tests.sim.seller import Seller


async def run_world(stage: Stage, orders: int, **more: Any) -> list[dict[str, Any]]:
    """Carries all orders with the least seller and returns the truth once nothing moves any more."""
    seller = Seller(stage.call, stage.town.world.clock.now)
    stage.received.listener = seller.hear
    await stage.call.world("start", {"orders": orders, "per_second": 400, **more})
    async with asyncio.timeout(30):
        while True:
            progress = await stage.call.ask("progress")
            if not progress["placing"] and progress["placed"] == progress["at_rest"] == orders:
                break
            await asyncio.sleep(0.1)
    assert progress["webhooks_failed"] == 0
    return list((await stage.call.ask("truth"))["orders"])


async def test_every_order_reaches_its_scripted_end(open_stage: OpenStage) -> None:
    stage = await open_stage(autopilot=True, speed=150_000.0, seed=5)
    orders = await run_world(stage, 120)
    for order in orders:
        outcomes = {parcel["outcome"] for parcel in order["parcels"]}
        if order["script"] == "short":
            assert order["erp"]["sale_order"]["status"] == "B"
            assert not order["parcels"]
        elif order["script"] == "lack":
            assert order["wms"]["status"] == "EXCEPTION"
        elif order["script"] == "exception_final":
            assert outcomes & {"refused", "damaged"}
        else:
            assert outcomes == {"signed"}
            assert order["erp"]["receipt_told"]
            assert order["shop"]["order_state"] == 3
            assert order["erp"]["outstock"][0]["quantities"] == order["wms"]["shipped"]
    effects = await stage.call.ask("effects")
    assert not any(effects["duplicates"].values())
    assert effects["oversold"] == {}


async def test_some_customers_pay_twice(open_stage: OpenStage) -> None:
    stage = await open_stage(autopilot=True, speed=150_000.0, seed=5)
    orders = await run_world(stage, 60, pay_twice=0.2)
    twice = [order for order in orders if len(order["payments"]) == 2]
    assert 3 < len(twice) < 25
    for order in twice:
        first, second = order["payments"]
        assert first["amount"] == second["amount"] and first["transaction_id"] != second["transaction_id"]


def test_scripts_have_the_shares_they_should() -> None:
    kinds = [write_script(3, k).kind for k in range(1, 4001)]
    share = {kind: kinds.count(kind) / len(kinds) for kind in Kind}
    assert 0.005 < share[Kind.SHORT] < 0.016
    assert 0.003 < share[Kind.LACK] < 0.012
    assert 0.007 < share[Kind.EXCEPTION_RESOLVES] < 0.018
    assert 0.002 < share[Kind.EXCEPTION_FINAL] < 0.009


async def test_in_a_prompt_world_all_goes_well_and_customers_wait_for_the_reminder(open_stage: OpenStage) -> None:
    """At the clock of the machine: an ordinary world would need days for it."""
    stage = await open_stage(autopilot=True, prompt=True, speed=1.0, seed=5)
    orders = await run_world(stage, 60)
    assert {order["script"] for order in orders} == {"normal"}
    assert {parcel["outcome"] for order in orders for parcel in order["parcels"]} == {"signed"}
    assert {order["shop"]["order_state"] for order in orders} == {3}
    effects = await stage.call.ask("effects")
    assert effects["counts"]["receipt_remind"] == 60  # a shop refuses to remind whoever has confirmed already


async def test_some_orders_are_refused_where_another_warehouse_has_everything(open_stage: OpenStage) -> None:
    stage = await open_stage(autopilot=True, speed=150_000.0, seed=5)
    orders = await run_world(stage, 60, refuses=0.2)
    ends = {order["wms"]["status"] for order in orders if order["script"] == "normal"}
    assert {"REJECT", "EXCEPTION", "DELIVERED"} <= ends


def test_same_seed_same_script() -> None:
    assert write_script(7, 42) == write_script(7, 42)
    assert write_script(7, 42) != write_script(8, 42)


async def test_same_seed_same_world(open_stage: OpenStage) -> None:
    """Times on the clock differ with the moment; content, script, carriers and scans do not."""
    worlds = []
    for _ in range(2):
        stage = await open_stage(autopilot=True, speed=150_000.0)
        worlds.append([essence(order) for order in await run_world(stage, 40)])
    assert worlds[0] == worlds[1]


def essence(order: dict[str, Any]) -> dict[str, Any]:
    parcels = [(p["waybill"], p["carrier"], p["items"], p["states"], p["outcome"]) for p in order["parcels"]]
    transactions = [payment["transaction_id"] for payment in order["payments"]]
    kept = {name: order[name] for name in ("order_no", "k", "total", "lines", "script")}
    return {**kept, "parcels": parcels, "transactions": transactions}
