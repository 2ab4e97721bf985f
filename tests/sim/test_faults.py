"""Each fault does what it says, and the same seed does it to the same requests."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from sim.faults import FaultBoard
from tests.sim.conftest import OpenStage, Stage
from tests.sim.seller import delivery_order, sale_order
from tests.sim.test_kingdee import lines
from tests.sim.test_order_line import place

QUERY = "<request><deliveryOrderCode>SO1</deliveryOrderCode></request>"


async def disturb(stage: Stage, system: str = "*", **faults: Any) -> dict[str, Any]:
    return dict(await stage.call.world("faults", {"system": system, **faults}))


async def done(stage: Stage) -> Any:
    return (await stage.call.ask("faults"))["done"]


async def test_latency(stage: Stage) -> None:
    await disturb(stage, "qimen", latency_ms=[150, 200])
    began = time.monotonic()
    await stage.call.qimen("deliveryorder.query", QUERY)
    assert time.monotonic() - began > 0.14


async def test_errors_are_half_429_half_503_and_change_nothing(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await disturb(stage, "qimen", error_rate=1.0)
    bodies = [delivery_order(order, 1767600000).replace("SO1", f"T{n}") for n in range(20)]
    answers = [await stage.call.qimen("deliveryorder.create", body) for body in bodies]
    assert set(answers) == {"Too Many Requests", "Service Unavailable"}
    assert "wms_delivery_order" not in (await stage.call.ask("effects"))["counts"]
    counts = await done(stage)
    assert counts["qimen.error_429"] + counts["qimen.error_503"] == 20


async def test_success_without_effect(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await disturb(stage, success_without_effect=1.0)
    assert "<flag>success" in await stage.call.qimen("deliveryorder.create", delivery_order(order, 1767600000))
    assert "<flag>failure" in await stage.call.qimen("deliveryorder.query", QUERY)
    model = sale_order({"order_no": "SO1", **lines(("SKU-001", 1))}, 1767600000)
    saved = await stage.call.kingdee("Save", {"formid": "SAL_SaleOrder", "data": {"Model": model}})
    assert saved["Result"]["Number"] == "SO1"
    assert await stage.call.kingdee_query("SAL_SaleOrder", "FBillNo", "FBillNo = 'SO1'") == []


@pytest.mark.parametrize("hang", [0.0, 0.2])
async def test_timeout_after_effect(stage: Stage, hang: float) -> None:
    order = await place(stage, order_no="SO1")
    await disturb(stage, "qimen", timeout_after_effect=1.0, hang_seconds=hang)
    with pytest.raises(aiohttp.ClientError):
        await stage.call.qimen("deliveryorder.create", delivery_order(order, 1767600000))
    assert "<status>NEW" in await stage.call.qimen("deliveryorder.query", QUERY)  # reads are answered


async def test_outage_ends_by_itself(stage: Stage) -> None:
    await disturb(stage, "qimen", outage_seconds=0.3)
    for _ in range(6):
        try:
            assert await stage.call.qimen("deliveryorder.query", QUERY) == "Service Unavailable"
        except aiohttp.ClientError:
            continue
    assert (await done(stage))["qimen.outage"] >= 6
    await asyncio.sleep(0.3)
    assert "<flag>failure" in await stage.call.qimen("deliveryorder.query", QUERY)


async def test_duplicate_and_lost_webhooks(stage: Stage) -> None:
    await disturb(stage, "wechatpay", webhook_duplicate=1.0)
    await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay")
    await stage.call.world("settle")
    ids = [a.content["id"] for a in stage.received.of("wechatpay")]
    assert len(ids) == 2 and len(set(ids)) == 1
    await disturb(stage, webhook_lost=1.0)
    await place(stage, order_no="SO2")  # the shop's own backend loses nothing
    sent = (await stage.call.world("orders/SO2/pay"))["sent"]
    assert sent[0]["acknowledged"] is None
    assert len(stage.received.of("wechatpay")) == 2


async def test_reordered_webhook_comes_behind_later_ones(stage: Stage) -> None:
    await place(stage, order_no="SO1")
    await disturb(stage, "wechatpay", webhook_reorder=1.0)
    began = time.monotonic()
    step = asyncio.create_task(stage.call.world("orders/SO1/pay"))
    await asyncio.sleep(0.05)
    await place(stage, order_no="SO2")
    await step
    assert [a.source for a in stage.received.arrivals] == ["direct", "direct", "wechatpay"]
    assert 0.4 < time.monotonic() - began < 3.5


async def test_webhooks_are_repeated_until_acknowledged(stage: Stage) -> None:
    stage.received.refuse.add("direct")
    sent = (await stage.call.world("orders", {"order_no": "SO1"}))["sent"]
    assert sent[0]["acknowledged"] is False
    stage.received.refuse.clear()
    assert (await stage.call.world("settle"))["settled"]
    assert [a.content["event_id"] for a in stage.received.of("direct")] == [sent_id(sent)] * 2


def sent_id(sent: list[dict[str, Any]]) -> str:
    return str(sent[0]["body"].split('"event_id":"')[1].split('"')[0])


async def test_messages_wait_until_there_is_an_address(open_stage: OpenStage) -> None:
    stage = await open_stage()
    world = stage.town.world
    hooks = world.config.hooks
    world.sender.set_hooks(None)
    await stage.call.world("orders", {"order_no": "SO1"})
    assert (await stage.call.world("settle"))["settled"] is False
    await stage.call.world("hooks", {"hooks": hooks})
    assert (await stage.call.world("settle"))["settled"] is True
    assert len(stage.received.of("direct")) == 1


async def test_presets_and_unknown_names(stage: Stage) -> None:
    storm = (await stage.call.world("faults", {"preset": "storm"}))["settings"]["kingdee"]
    assert (storm["error_rate"], storm["latency_ms"]) == (0.05, [20, 400])
    calm = (await stage.call.world("faults", {"preset": "none"}))["settings"]["kingdee"]
    assert calm["error_rate"] == 0
    assert "error" in await disturb(stage, "sap", error_rate=1)
    assert "error" in await disturb(stage, "qimen", earthquakes=1)


def test_same_seed_same_faults_whatever_the_order() -> None:
    names = [("qimen", "confirm", f"SO{n}") for n in range(200)]
    fates = []
    for order in (names, names[::-1]):
        board = FaultBoard(9)
        board.command({"preset": "storm"})
        fates.append({name: board.decide_fate(*name) for name in order})
    assert fates[0] == fates[1]
    assert any(not fate.copies for fate in fates[0].values())
    assert any(len(fate.copies) == 2 for fate in fates[0].values())


def test_what_its_vendor_repeats_until_it_is_heard_is_never_lost() -> None:
    board = FaultBoard(1)
    board.command({"system": "*", "webhook_lost": 1.0})
    assert board.decide_fate("wechatpay", "TRANSACTION.SUCCESS", "T1").copies == ()
    assert board.decide_fate("wechatpay", "TRANSACTION.SUCCESS", "T1", insistent=True).copies


def test_some_messages_only_until_the_next_preset() -> None:
    board = FaultBoard(7)
    board.command({"preset": "storm"})
    board.command({"system": "qimen", "about": "returnorder.confirm", "webhook_lost": 1.0})
    assert [board.decide_fate("qimen", "returnorder.confirm", f"RT-{n}").copies for n in range(20)] == [()] * 20
    assert board.done_about == {"returnorder.confirm.webhook_lost": 20}
    assert sum(not board.decide_fate("qimen", "deliveryorder.confirm", f"SO-{n}").copies for n in range(100)) < 20
    board.command({"preset": "none"})
    assert board.decide_fate("qimen", "returnorder.confirm", "RT-1").copies == (0.0,)
