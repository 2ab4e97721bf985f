"""Two and four workers on one database: limits of other systems hold over all of them, by the systems' own counts."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from ballast.db.alerts import raise_alerts
from ballast.domain.words import State
from ballast.ports import Digest, Item
from ballast.sending import send_due
from ballast.wiring import House
from deployments.apply import apply
from tests.contracts.outside import feishu_for
from tests.flows.serving import Serving, serving, until
from tests.flows.stage import LINES, Stage, open_house

ORDERS = 60
TIGHT = {
    "BALLAST_CHUNK": "10",
    "BALLAST_KINGDEE__MAX_CALLS": "3",
    "BALLAST_KINGDEE__BILLS_PER_CALL": "1",  # each call its own: there are many
    "BALLAST_QIMEN__MAX_CALLS": "5",
    "BALLAST_QIMEN__CALLS_PER_SECOND": "20",
    "BALLAST_PATIENCE__NEXT_IN_LINE": "PT0S",  # all of them at once
}


@asynccontextmanager
async def workers(stage: Stage, url: str, count: int, **more: str) -> AsyncIterator[list[Serving]]:
    """So many serve processes that are ready."""
    await apply()
    async with AsyncExitStack() as stack:
        yield await asyncio.gather(
            *(stack.enter_async_context(serving(url, stage.world, **TIGHT, **more)) for _ in range(count))
        )


async def work_to_do(stage: Stage) -> list[str]:
    """Orders that are paid, in a world that takes its time."""
    lines = [{"sku": sku, "quantity": pieces} for sku, pieces in LINES]
    placed = [await stage.world.place(lines=lines, script="normal") for _ in range(ORDERS)]
    numbers = [str(one["order"]["order_no"]) for one in placed]
    await stage.world.faults(system="kingdee", latency_ms=[80, 120])
    await stage.world.faults(system="qimen", latency_ms=[150, 250])
    await stage.world.post("calls")
    return numbers


async def pay(stage: Stage, numbers: list[str]) -> None:
    await asyncio.gather(*(stage.world.act(number, "pay") for number in numbers))


async def handed_over(stage: Stage) -> bool:
    found = await stage.rows("select count(*) from effect where kind = 'wms.create' and state = 'done'")
    return bool(found[0].count == ORDERS)


async def held_to_the_limits(stage: Stage) -> None:
    told = await stage.world.get("calls")
    assert told["kingdee"]["most_at_once"] == 3, told
    assert told["qimen"]["most_at_once"] <= 5, told
    assert 10 <= told["qimen"]["most_in_a_second"] <= 20, told


async def nothing_was_done_twice(stage: Stage, numbers: list[str]) -> None:
    assert await stage.world.duplicates() == {}
    for number in numbers:
        truth = await stage.world.truth(number)
        assert (truth["erp"]["sale_order"]["saves"], truth["wms"]["creates"]) == (1, 1), number
        assert await stage.state(number) is State.STOCK_LOCKED
    twice = await stage.rows(
        "select order_id, event from order_event where moved group by order_id, event having count(*) > 1"
    )
    assert twice == []
    again = await stage.rows("select key, attempts from effect where attempts > 1")
    assert again == [], "somebody else had begun it before"


async def calls_of(one: Serving) -> int:
    answer = await one.ask("/metrics")
    assert answer is not None
    found = re.findall(r'^ballast_adapter_calls_total\{.*?system="(?:kingdee|qimen)".*\} (\S+)$', answer.text, re.M)
    return int(sum(float(count) for count in found))


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
async def test_limits_hold_over_all_workers_and_all_of_them_work(stage: Stage, books_url: str, count: int) -> None:
    numbers = await work_to_do(stage)
    async with workers(stage, books_url, count) as them:
        await pay(stage, numbers)
        await until(lambda: handed_over(stage), 90, them[0].said)
        shares = [await calls_of(one) for one in them]
        assert all(shares), shares
        await asyncio.gather(*(one.stop() for one in them))
    await held_to_the_limits(stage)
    await nothing_was_done_twice(stage, numbers)
    assert await stage.rows("select * from call_limit where shares <> '{}'") == [], "whoever ends gives its slots back"


@pytest.mark.slow
async def test_a_killed_worker_leaves_its_work_and_its_slots_to_the_other(stage: Stage, books_url: str) -> None:
    numbers = await work_to_do(stage)
    async with workers(stage, books_url, 2, BALLAST_PATIENCE__LEASE="PT5S") as (one, other):
        await pay(stage, numbers)
        await until(lambda: _both_hold_slots(stage), 30, one.said)
        one.process.kill()
        await until(lambda: handed_over(stage), 120, other.said)
    await held_to_the_limits(stage)
    assert await stage.world.duplicates() == {}
    for number in numbers:
        assert await stage.state(number) is State.STOCK_LOCKED


@asynccontextmanager
async def two_houses(stage: Stage, url: str, **channels: Any) -> AsyncIterator[list[House]]:
    """What two processes have: nothing in common but the database and the robot."""
    houses = [open_house(url, stage.world) for _ in range(2)]
    for one in houses:
        one.settings = one.settings.model_copy(update=channels)
    try:
        yield houses
    finally:
        for one in houses:
            await one.close()


async def test_a_robots_second_is_not_overrun_by_two_processes(stage: Stage, books_url: str) -> None:
    await stage.world.post("robot", {"robot": "feishu", "per_second": 5})
    await stage.world.post("calls")
    message = Digest("t", (Item("l"),))
    async with two_houses(stage, books_url, feishu=feishu_for(stage.world)) as houses:
        await asyncio.gather(*(house.channels["feishu"].send(message) for _ in range(6) for house in houses))
    told = (await stage.world.get("calls"))["feishu"]
    assert told["calls"] == 12
    assert told["most_in_a_second"] <= 5, told


async def test_a_robots_minute_is_shared_by_two_processes(stage: Stage, books_url: str) -> None:
    await stage.world.post("calls")
    robot = stage.house.settings.dingtalk
    assert robot is not None
    async with two_houses(stage, books_url, dingtalk=robot.model_copy(update={"per_minute": 3})) as houses:
        for number in range(8):
            alert = {"key": f"k{number}", "level": "warning", "title": f"SO{number}", "text": "x"}
            async with stage.house.transaction() as tx:
                await raise_alerts(tx, [alert], stage.house.clock.now())
            await asyncio.gather(*(send_due(house) for house in houses))
    assert (await stage.world.get("calls"))["dingtalk"]["calls"] == 3


async def _both_hold_slots(stage: Stage) -> bool:
    found = await stage.rows("select shares from call_limit where system = 'kingdee'")
    return bool(found) and sum(share["slots"] > 0 for share in found[0].shares.values()) == 2
