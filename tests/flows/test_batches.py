"""Delivery orders in a batch: the warehouse takes them on, and says later what became of each."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from adapters.wms.qimen.batch import ANSWER
from ballast.clock import to_local
from ballast.domain.words import HoldReason, State, Step
from flows.ship_out import ship_out
from tasks.rerun import rerun_order
from tests.contracts.wms_contract import creates
from tests.flows.stage import Stage, run
from tests.flows.test_cancel import cancel

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def stage(stage: Stage) -> AsyncIterator[Stage]:
    """The same house, whose warehouse takes batches."""
    assert stage.house.settings.qimen is not None
    stage.configure(qimen=stage.house.settings.qimen.model_copy(update={"orders_per_call": 20}))
    yield stage
    await stage.world.post("warehouse")


async def hand_over(stage: Stage, count: int = 3, **warehouse: object) -> list[str]:
    """So many orders of one moment, taken on by the warehouse in one call; their numbers."""
    numbers = [await stage.locked() for _ in range(count)]
    if "refuses" in warehouse:
        warehouse["refuses"] = numbers[:1]
    await stage.world.post("warehouse", warehouse)
    assert await stage.work(Step.SHIP_OUT) == {"handed over": count}
    return numbers


async def hear(stage: Stage, numbers: list[str]) -> None:
    """The batch is made, and its answer has acted."""
    for order_no in numbers:
        await creates(stage.world, order_no)
    await stage.world.post("settle")
    await stage.read()


async def answer_about(stage: Stage, order_no: str) -> Mapping[str, Any]:
    """What the warehouse said of one order, once it has."""
    for _ in range(100):
        if found := await stage.rows("select payload from inbox where payload->>'_topic' = :topic and order_no = :no",
                                     topic=ANSWER, no=order_no):  # fmt: skip
            return dict(found[0].payload)
        await asyncio.sleep(0.02)
    raise AssertionError(f"nothing was said of {order_no}")


async def hear_again(stage: Stage, order_no: str, payload: Mapping[str, Any]) -> None:
    """The stored answer is read once more, saying this."""
    await stage.rows(
        "update inbox set state = 'new', payload = cast(:payload as jsonb) "
        "where payload->>'_topic' = :topic and order_no = :no returning 1",
        payload=json.dumps(payload),
        topic=ANSWER,
        no=order_no,
    )
    await stage.read()


async def make_all_due(stage: Stage) -> None:
    await stage.rows("update sales_order set due_at = now() - interval '1 minute' where due_at is not null returning 1")


async def said(stage: Stage, order_no: str) -> list[str]:
    found = await stage.rows(
        "select e.text from order_event e join sales_order o on o.id = e.order_id where o.order_no = :no order by e.id",
        no=order_no,
    )
    return [row.text for row in found]


async def made(stage: Stage, numbers: list[str]) -> list[int]:
    return [(await stage.world.truth(order_no))["wms"]["creates"] for order_no in numbers]


async def test_orders_of_a_batch_are_made_shipped_and_told(stage: Stage) -> None:
    numbers = await hand_over(stage)
    assert (await stage.world.get("progress"))["calls"]["qimen.deliveryorder.batchcreate"] >= 1
    await hear(stage, numbers)
    assert await made(stage, numbers) == [1, 1, 1]
    assert any(text.startswith("delivery order WMS") for text in await said(stage, numbers[0]))
    await stage.ship(numbers[0])
    await stage.read()
    assert await stage.state(numbers[0]) is State.OUTBOUND
    assert [await stage.state(order_no) for order_no in numbers[1:]] == [State.STOCK_LOCKED] * 2


async def test_one_that_the_answer_refuses_is_held_and_handed_over_again_when_released(stage: Stage) -> None:
    numbers = await hand_over(stage, refuses=True)
    await hear(stage, numbers[1:])
    refused = await stage.order(numbers[0])
    assert (refused.state, refused.hold_reason) == (State.ON_HOLD, HoldReason.WAREHOUSE_REFUSED)
    assert [await stage.state(order_no) for order_no in numbers[1:]] == [State.STOCK_LOCKED] * 2
    [alert] = await stage.alerts()
    assert "仓库拒绝接单" in alert.text
    await rerun_order.fn(numbers[0], "ann", "the warehouse mended it", False)  # asks, and hears that it is not there
    await stage.work(Step.SHIP_OUT)
    assert await made(stage, numbers) == [1, 1, 1]
    assert await stage.state(numbers[0]) is State.STOCK_LOCKED


async def test_an_order_that_the_answer_refused_stays_held_however_often_it_is_asked_about(stage: Stage) -> None:
    numbers = await hand_over(stage, refuses=True)
    await hear(stage, numbers[1:])
    for _ in range(2):
        stage.later(stage.house.settings.patience.warehouse_quiet + MINUTE)
        await run(ship_out)
    assert (await stage.order(numbers[0])).hold_reason == HoldReason.WAREHOUSE_REFUSED
    assert await made(stage, numbers) == [0, 1, 1]


@pytest.mark.parametrize("fault", ["webhook_lost", "batch_refused", "success_without_effect"])
async def test_a_lost_answer_is_found_in_time(stage: Stage, fault: str) -> None:
    """Made or not: after the usual quiet time the warehouse is asked, and gets what it does not know."""
    await stage.world.faults(system="qimen", **{"webhook_lost": 1.0, fault: 1.0})
    numbers = await hand_over(stage, 2)
    if fault == "webhook_lost":
        await hear(stage, numbers)
    await stage.world.post("settle")
    await stage.read()
    await creates(stage.world, numbers[0])  # whatever was to come has come
    await stage.world.calm()
    stage.later(stage.house.settings.patience.warehouse_quiet - MINUTE)
    assert (await run(ship_out)).name == "ship-out nothing due"
    stage.later(2 * MINUTE)
    await run(ship_out)
    await run(ship_out)
    assert await made(stage, numbers) == [1, 1]
    assert await stage.world.duplicates() == {}


async def test_a_repeated_or_late_answer_moves_nothing(stage: Stage) -> None:
    await stage.world.faults(system="qimen", webhook_duplicate=1.0)
    numbers = await hand_over(stage, 1 + 1)
    await hear(stage, numbers)
    await stage.world.calm()
    history = await stage.history(numbers[0])
    await stage.ship(numbers[0])
    await stage.read()
    before = await stage.order(numbers[0])
    await hear_again(stage, numbers[0], await answer_about(stage, numbers[0]))
    after = await stage.order(numbers[0])
    assert (after.state, after.progress, after.due_at) == (State.OUTBOUND, before.progress, before.due_at)
    assert (await stage.history(numbers[0]))[: len(history)] == history


async def test_a_refusal_that_comes_after_the_goods_left_holds_nothing(stage: Stage) -> None:
    numbers = await hand_over(stage, refuses=True)
    await hear(stage, numbers[1:])
    refusal = await answer_about(stage, numbers[0])
    await stage.ship(numbers[1])
    await stage.read()
    before = {"createTime": to_local(stage.house.clock.now() - MINUTE)}
    await hear_again(stage, numbers[1], {**refusal, "deliveryOrderCode": numbers[1], "orderInfo": before})
    assert await stage.state(numbers[1]) is State.OUTBOUND


async def test_a_time_out_is_looked_into_and_ends_with_one_delivery_order(stage: Stage) -> None:
    numbers = [await stage.locked() for _ in range(3)]
    await stage.world.post("warehouse", {"batch_seconds": 0.3})
    await stage.world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.0)
    assert await stage.work(Step.SHIP_OUT) == {"again later": 3}
    await stage.world.calm()
    await make_all_due(stage)
    await stage.work(Step.SHIP_OUT)
    for order_no in numbers:  # the batch of the first attempt is made, too: each of it is there already
        assert "已存在" in (await answer_about(stage, order_no))["message"]
    await stage.read()
    assert await made(stage, numbers) == [1, 1, 1]
    assert [await stage.state(order_no) for order_no in numbers] == [State.STOCK_LOCKED] * 3
    assert await stage.world.duplicates() == {}


async def test_an_order_cancelled_before_it_is_made_waits_for_the_answer_and_is_stopped(stage: Stage) -> None:
    """Never heard of is no stop here: the batch is made a moment later, and would be shipped."""
    numbers = await hand_over(stage, 2, batch_seconds=1.5)
    assert "no clear answer yet" in (await cancel(stage, numbers[0]))[numbers[0]]
    assert (await stage.order(numbers[0])).hold_reason == HoldReason.CANCEL_ASKED
    await hear(stage, numbers)
    await make_all_due(stage)
    await stage.work(Step.CALL_OFF)
    assert await stage.state(numbers[0]) is State.CLOSED
    truth = await stage.world.truth(numbers[0])
    assert (truth["wms"]["creates"], truth["wms"]["status"]) == (1, "CANCELED")
    assert await stage.state(numbers[1]) is State.STOCK_LOCKED


async def test_a_cancelled_order_whose_answer_is_lost_is_called_off_after_the_quiet_time(stage: Stage) -> None:
    await stage.world.faults(system="qimen", success_without_effect=1.0)
    numbers = await hand_over(stage, 2)
    await stage.world.calm()
    await cancel(stage, numbers[0])
    assert await stage.state(numbers[0]) is State.ON_HOLD
    stage.later(stage.house.settings.patience.warehouse_quiet + MINUTE)
    await stage.work(Step.CALL_OFF)
    assert await stage.state(numbers[0]) is State.CLOSED
    assert (await stage.world.truth(numbers[0]))["wms"]["creates"] == 0


async def test_a_cancelled_order_that_the_answer_refuses_is_called_off(stage: Stage) -> None:
    numbers = await hand_over(stage, 2, batch_seconds=1.5, refuses=True)
    await cancel(stage, numbers[0])
    await hear(stage, numbers[1:])
    assert (await stage.order(numbers[0])).hold_reason == HoldReason.CANCEL_ASKED
    await make_all_due(stage)
    await stage.work(Step.CALL_OFF)
    assert await stage.state(numbers[0]) is State.CLOSED


async def test_a_delivery_order_that_is_made_after_its_order_was_closed_rings(stage: Stage) -> None:
    """Nobody knew of the batch: its call was not answered, and the cancellation was faster than the second look."""
    numbers = [await stage.locked() for _ in range(2)]
    await stage.world.post("warehouse", {"batch_seconds": 1.5})
    await stage.world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.0)
    await stage.work(Step.SHIP_OUT)
    await stage.world.calm()
    await cancel(stage, numbers[0])
    assert await stage.state(numbers[0]) is State.CLOSED
    await hear(stage, numbers)
    assert [one.key for one in await stage.alerts() if one.level == "urgent"] == [f"made-too-late:{numbers[0]}"]
    assert await stage.state(numbers[0]) is State.CLOSED


async def test_a_late_answer_about_an_order_that_was_stopped_does_not_ring(stage: Stage) -> None:
    await stage.world.faults(system="qimen", webhook_reorder=1.0)  # its answer comes after half a second or more
    numbers = await hand_over(stage, 2)
    for order_no in numbers:
        await creates(stage.world, order_no)
    await stage.world.calm()
    await stage.rows(  # as after the quiet time: what the warehouse says when it is asked counts
        "update effect set done_at = now() - interval '2 days' where kind = 'wms.create' returning 1"
    )
    await cancel(stage, numbers[0])
    assert await stage.state(numbers[0]) is State.CLOSED
    await hear(stage, numbers)
    assert [one for one in await stage.alerts() if one.level == "urgent"] == []
