"""Delivery orders in batches: the door looks at their form, the warehouse at the rest, and says later what became."""

import asyncio
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.sim.conftest import Stage
from tests.sim.receiver import read
from tests.sim.seller import delivery_order
from tests.sim.test_order_line import place

BATCH, ANSWER = "deliveryorder.batchcreate", "deliveryorder.batchcreate.answer"
QUERY = "<request><deliveryOrderCode>SO1</deliveryOrderCode></request>"
LATER = 1767700000


async def batch(stage: Stage, *numbers: str, **changes: str) -> str:
    """A batch of orders of these numbers; `changes`: what is written instead, by number."""
    order = await place(stage, order_no="SO1") if not stage.received.of("direct") else None
    order = order or stage.received.of("direct")[0].content["order"]
    documents = [delivery_order({**order, "order_no": no}, LATER) for no in numbers]
    inside = [one.partition("<request>")[2].removesuffix("</request>") for one in documents]
    inside = [one.replace(*changes.get(no, "|").split("|")) for no, one in zip(numbers, inside, strict=True)]
    body = "".join(f"<order>{one}</order>" for one in inside)
    return await stage.call.qimen(BATCH, f"<request><orders>{body}</orders></request>")


async def answers(stage: Stage, messages: int = 1) -> list[Element]:
    """What the warehouse said of each order, once it has said it in so many messages."""
    for _ in range(200):
        if len(heard := stage.received.of("qimen", ANSWER)) >= messages:
            return [order for one in heard for order in one.content.iterfind("orders/order")]
        await asyncio.sleep(0.01)
    raise AssertionError("the warehouse says nothing")


async def made(stage: Stage) -> int:
    return int((await stage.call.ask("effects"))["counts"].get("wms_delivery_order", 0))


async def test_a_batch_is_taken_on_at_once_and_made_later(stage: Stage) -> None:
    await stage.call.world("warehouse", {"batch_seconds": 0.2})
    assert "<flag>success" in await batch(stage, "SO1", "SO2")
    assert await made(stage) == 0
    assert "不存在" in await stage.call.qimen("deliveryorder.query", QUERY)
    said = await answers(stage)
    assert [(read(one, "deliveryOrderCode"), read(one, "flag")) for one in said] == [
        ("SO1", "success"), ("SO2", "success")]  # fmt: skip
    assert all(read(one, "orderInfo/deliveryOrderId").startswith("WMS") for one in said)
    assert await made(stage) == 2
    assert "<status>NEW</status>" in await stage.call.qimen("deliveryorder.query", QUERY)


async def test_the_door_names_what_it_refuses_and_takes_the_others(stage: Stage) -> None:
    reply = await batch(stage, "SO1", "SO2", SO2="<orderType>JYCK</orderType>|")
    assert "<flag>success" in reply
    assert "<orders><order><deliveryOrderCode>SO2</deliveryOrderCode><message>orderType" in reply
    assert [read(one, "deliveryOrderCode") for one in await answers(stage)] == ["SO1"]
    reply = await batch(stage, "SO3", SO3="<orderType>JYCK</orderType>|")
    assert "<flag>failure" in reply and "<deliveryOrderCode>SO3" in reply
    assert "<flag>failure" in await stage.call.qimen(BATCH, "<request><orders/></request>")


async def test_one_of_a_batch_is_refused_when_it_is_made(stage: Stage) -> None:
    await stage.call.world("warehouse", {"refuses": ["SO2"]})
    assert "<orders>" not in await batch(stage, "SO1", "SO2", "SO3", SO3="SKU-001|SKU-999")
    said = {read(one, "deliveryOrderCode"): one for one in await answers(stage)}
    assert {no: read(one, "flag") for no, one in said.items()} == {"SO1": "success", "SO2": "failure", "SO3": "failure"}
    assert "SKU-999" in read(said["SO3"], "message")
    assert await made(stage) == 1


async def test_a_repeated_batch_makes_nothing_twice(stage: Stage) -> None:
    await batch(stage, "SO1", "SO2")
    await batch(stage, "SO1", "SO2")
    said = await answers(stage, 2)
    assert sorted((read(one, "flag"), "已存在" in read(one, "message")) for one in said) == [
        ("failure", True), ("failure", True), ("success", False), ("success", False)]  # fmt: skip
    assert await made(stage) == 2


FAULTS: list[tuple[dict[str, Any], int, int]] = [
    ({"webhook_lost": 1.0}, 2, 0),
    ({"webhook_duplicate": 1.0}, 2, 2),
    ({"success_without_effect": 1.0}, 0, 0),
    ({"batch_refused": 1.0}, 0, 1),
]


@pytest.mark.parametrize(("faults", "orders", "messages"), FAULTS, ids=lambda value: str(value))
async def test_every_fault_of_a_batch(stage: Stage, faults: dict[str, Any], orders: int, messages: int) -> None:
    await stage.call.world("faults", {"system": "qimen", **faults})
    assert "<flag>success" in await batch(stage, "SO1", "SO2")
    await asyncio.sleep(0.15)
    await stage.call.world("faults", {"preset": "none"})
    await stage.call.world("settle")
    if messages:
        await answers(stage, messages)
    assert (await made(stage), len(stage.received.of("qimen", ANSWER))) == (orders, messages)


async def test_a_warehouse_that_knows_no_batches(stage: Stage) -> None:
    await stage.call.world("warehouse", {"batchcreate": False})
    assert "isv.invalid-method" in await batch(stage, "SO1", "SO2")
    await stage.call.world("warehouse")
    assert "<flag>success" in await batch(stage, "SO1", "SO2")


async def test_an_order_that_waits_to_be_made_is_not_at_rest_and_cannot_be_cancelled(stage: Stage) -> None:
    await stage.call.world("warehouse", {"batch_seconds": 0.2})
    await batch(stage, "SO1", "SO2")
    assert (await stage.call.ask("orders/SO1"))["at_rest"] is False
    cancel = "<request><warehouseCode>WH01</warehouseCode><orderCode>SO1</orderCode></request>"
    assert "不存在" in await stage.call.qimen("order.cancel", cancel)
    await answers(stage)
    assert "<flag>success" in await stage.call.qimen("order.cancel", cancel)
