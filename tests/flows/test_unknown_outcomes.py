"""A call whose outcome is not known, and a yes that was none: one effect in the end, whatever was answered."""

import pytest

from adapters.wms.qimen.client import Qimen
from ballast.db import effects
from ballast.domain.words import State, Step
from ballast.ports import News
from tests.flows.stage import Stage


async def pass_quiet_time(stage: Stage) -> None:
    """As if nobody had said anything for long enough: everything that waits is due."""
    await stage.rows("update sales_order set due_at = now() - interval '1 minute' where due_at is not null returning 1")


async def test_a_warehouse_that_said_yes_and_knows_nothing_gets_the_order_again(stage: Stage) -> None:
    order_no = await stage.locked()
    await stage.world.faults(system="qimen", success_without_effect=1.0)
    assert await stage.work(Step.SHIP_OUT) == {"handed over": 1}
    await stage.world.calm()
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 0

    await pass_quiet_time(stage)
    await stage.work(Step.SHIP_OUT)  # asks
    await stage.work(Step.SHIP_OUT)  # hands over again

    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1
    await stage.ship(order_no)
    await stage.read()
    assert await stage.state(order_no) is State.OUTBOUND


async def test_an_order_that_the_warehouse_knows_is_not_handed_over_again(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await pass_quiet_time(stage)
    await stage.work(Step.SHIP_OUT)
    assert await stage.work(Step.SHIP_OUT) == {}
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1
    assert await stage.world.duplicates() == {}


async def test_an_order_that_a_file_calls_handed_over_is_not_handed_over(stage: Stage) -> None:
    """The warehouse may have it by another number: a second delivery order would ship it twice."""
    order_no = await stage.locked()
    key = f"wms.create:{order_no}"
    async with stage.house.transaction() as tx:
        now, row = stage.house.clock.now(), await stage.order(order_no)
        await effects.begin(tx, "wms.create", [(key, row.id, "from a file")], now)
        done = effects.Result(key=key, state="done", receipt={"reference": effects.BEFORE_IMPORT})
        await effects.finish(tx, [done], now)
    for _ in range(2):
        await pass_quiet_time(stage)
        await stage.work(Step.SHIP_OUT)
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 0


async def test_an_order_that_the_warehouse_spoke_of_is_not_handed_over_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_no = await stage.handed_over()
    await stage.world.act(order_no, "report", status="PICK")
    await stage.read()

    async def nothing(_: Qimen, __: str) -> tuple[News, ...]:
        return ()

    monkeypatch.setattr(Qimen, "ask", nothing)
    await pass_quiet_time(stage)
    assert await stage.work(Step.SHIP_OUT) == {"nothing new": 1}
    assert await stage.work(Step.SHIP_OUT) == {}


@pytest.mark.parametrize("step", [Step.LOCK_STOCK, Step.SHIP_OUT])
@pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect"])
async def test_a_step_ends_with_one_effect(stage: Stage, step: Step, fault: str) -> None:
    order_no = await (stage.paid() if step is Step.LOCK_STOCK else stage.locked())
    await stage.world.faults(system="*", **{fault: 1.0}, hang_seconds=0.0)
    await stage.work(step)
    await stage.world.calm()
    for _ in range(3):
        await pass_quiet_time(stage)
        await stage.work(step)
    truth = await stage.world.truth(order_no)
    assert truth["erp"]["sale_order"]["status"] == "C"
    assert truth["wms"]["creates"] == (1 if step is Step.SHIP_OUT else 0)
    assert await stage.world.duplicates() == {}


@pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect"])
async def test_every_notice_of_an_outbound_order_arrives_once(stage: Stage, fault: str) -> None:
    """Shop, ERP and courier, each without a clear answer at first."""
    order_no = await stage.handed_over()
    waybill = await stage.ship(order_no)
    await stage.read()
    await stage.world.faults(system="*", **{fault: 1.0}, hang_seconds=0.0)
    await stage.send()
    await stage.world.calm()
    for _ in range(4):
        await stage.rows("update outbox set due_at = now() - interval '1 minute' where due_at is not null returning 1")
        await stage.send()
    truth = await stage.world.truth(order_no)
    assert truth["shop"]["tracking"] == [waybill]
    assert [bill["status"] for bill in truth["erp"]["outstock"]] == ["C"]
    assert await stage.rows("select key from outbox where done_at is null") == []
    assert await stage.world.duplicates() == {}


@pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect"])
async def test_a_refund_goes_back_once(stage: Stage, fault: str) -> None:
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay", twice=True)
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    await stage.world.faults(system="wechatpay", **{fault: 1.0}, hang_seconds=0.0)
    await stage.send()
    await stage.world.calm()
    for _ in range(3):
        await pass_quiet_time(stage)
        await stage.rows("update outbox set due_at = now() - interval '1 minute' where due_at is not null returning 1")
        await stage.send()
    await stage.world.act(order_no, "refunded")
    await stage.world.post("settle")
    await stage.read()
    assert len((await stage.world.truth(order_no))["refunds"]) == 1
    assert [row.state for row in await stage.rows("select state from refund")] == ["done"]
    assert await stage.world.duplicates() == {}
