"""The long-lived process is told to end: in time, in order, with nothing left claimed and nothing done twice."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.states import Cancelled, Scheduled

from ballast.domain.words import State, Step
from deployments.apply import apply
from deployments.automations import POOL
from deployments.stopping import UnderWay
from deployments.worker import HouseWorker
from flows.hold_orders import hold_orders
from flows.lock_stock import lock_stock
from tests.flows.serving import Serving, serving, until
from tests.flows.stage import Stage, run

log = logging.getLogger(__name__)

OPEN = ["RUNNING", "PENDING", "CANCELLING"]


@pytest.fixture
async def client(prefect_api: str) -> AsyncIterator[PrefectClient]:
    await apply()
    async with get_client() as opened:
        yield opened


async def runs(client: PrefectClient, *states: str) -> list[dict[str, Any]]:
    body = {"flow_runs": {"state": {"type": {"any_": list(states)}}}}
    found: list[dict[str, Any]] = (await client.request("POST", "/flow_runs/filter", json=body)).json()
    return found


async def orders_claimed(stage: Stage) -> bool:
    return bool(await stage.rows("select 1 from sales_order where lease_owner is not null"))


async def nothing_is_claimed(stage: Stage) -> None:
    for table in ("sales_order", "outbox"):
        left = await stage.rows(f"select * from {table} where lease_owner is not null")
        assert left == [], table


async def test_what_takes_too_long_is_cut_off_and_found_by_who_comes_next(
    stage: Stage, client: PrefectClient, books_url: str
) -> None:
    numbers = [await stage.paid() for _ in range(3)]
    await stage.world.faults(system="kingdee", latency_ms=[14_000, 14_000])
    before = {run["id"] for run in await runs(client, *OPEN)}
    async with serving(books_url, stage.world) as serve:
        await until(lambda: orders_claimed(stage), said=serve.said)
        log.info("ended %.1f s after SIGTERM, in the midst of calls that hang", await serve.stop())
        assert serve.process.returncode == 0 and "did not finish" in serve.said(), serve.said()
    await nothing_is_claimed(stage)
    soon = stage.house.clock.now() + timedelta(seconds=11)
    assert max([(await stage.order(number)).due_at for number in numbers]) <= soon
    assert {run["id"] for run in await runs(client, *OPEN)} <= before

    await stage.world.calm()
    await until(lambda: _saved(stage, numbers))  # the calls that were cut off had their effect late
    stage.later(timedelta(seconds=11))
    await stage.work(Step.LOCK_STOCK)
    for number in numbers:
        assert await stage.state(number) is State.STOCK_LOCKED
        assert (await stage.world.truth(number))["erp"]["sale_order"]["saves"] == 1
    assert await stage.world.duplicates() == {}


async def _saved(stage: Stage, numbers: list[str]) -> bool:
    return all([(await stage.world.truth(number))["erp"]["sale_order"] is not None for number in numbers])


async def test_what_can_be_finished_is_finished(stage: Stage, client: PrefectClient, books_url: str) -> None:
    number = await stage.paid()
    await stage.world.faults(system="kingdee", latency_ms=[600, 600])
    async with serving(books_url, stage.world) as serve:
        await until(lambda: orders_claimed(stage), said=serve.said)
        await serve.stop()
        assert serve.process.returncode == 0 and "did not finish" not in serve.said(), serve.said()
    await nothing_is_claimed(stage)
    assert await stage.state(number) is State.STOCK_LOCKED
    done = [run["name"] for run in await runs(client, "COMPLETED")]
    assert "lock-stock 1 locked" in done
    [effect] = await stage.rows("select state, attempts from effect where kind = 'erp.reserve'")
    assert (effect.state, effect.attempts) == ("done", 1)


async def test_a_run_of_the_pool_is_cut_off_in_the_same_way(
    stage: Stage, client: PrefectClient, books_url: str
) -> None:
    number = await stage.handed_over()
    await hold_orders([number], why="recall", by="li")
    await stage.world.faults(system="qimen", latency_ms=[30_000, 30_000])
    deployment = await client.read_deployment_by_name("rerun-orders/rerun-orders")
    asked = await client.create_flow_run_from_deployment(
        deployment.id, parameters={"order_numbers": [number], "by": "li"}
    )
    async with serving(books_url, stage.world, PREFECT_WORKER_QUERY_SECONDS="1") as serve:
        await until(lambda: orders_claimed(stage), said=serve.said)
        await _stops_in_order(serve)
    await nothing_is_claimed(stage)
    run = await client.read_flow_run(asked.id)
    assert run.state is not None and run.state.is_crashed(), run.state


async def _stops_in_order(serve: Serving) -> None:
    await serve.stop()
    assert serve.process.returncode == 0, serve.said()


async def test_messages_that_were_claimed_are_given_back(stage: Stage, client: PrefectClient, books_url: str) -> None:
    number = await stage.handed_over()
    await stage.ship(number)
    await stage.read()
    await stage.world.faults(system="wechat", latency_ms=[14_000, 14_000])

    async def claimed() -> bool:
        return bool(await stage.rows("select 1 from outbox where lease_owner is not null and kind = 'shop.shipped'"))

    async with serving(books_url, stage.world) as serve:
        await until(claimed, said=serve.said)
        await _stops_in_order(serve)
    await nothing_is_claimed(stage)
    [message] = await stage.rows("select due_at, attempts from outbox where kind = 'shop.shipped'")
    assert message.attempts == 0 and message.due_at <= stage.house.clock.now() + timedelta(seconds=11)


async def test_runs_outlive_who_started_them_and_end_together() -> None:
    under_way, said = UnderWay(), list[str]()

    async def work(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            said.append("finished")
        except asyncio.CancelledError:
            said.append("cut off")
            raise

    starters = [asyncio.create_task(under_way.run(work(seconds))) for seconds in (0.2, 60)]
    await asyncio.sleep(0)
    for starter in starters:
        starter.cancel()
    await asyncio.gather(*starters, return_exceptions=True)
    assert said == []
    assert await under_way.end(lambda: False, finish=0.5) == 1
    assert said == ["finished", "cut off"]


@pytest.mark.parametrize("brings", [True, False])
async def test_who_is_about_to_bring_a_run_is_waited_for(brings: bool) -> None:
    under_way, coming = UnderWay(), brings
    done = asyncio.Event()

    async def bring() -> None:
        nonlocal coming
        await asyncio.sleep(0.1)
        coming = False
        await under_way.run(_set(done))

    bringing = asyncio.create_task(bring())
    assert await under_way.end(lambda: coming, finish=5.0) == 0
    assert done.is_set() is brings
    await bringing


async def _set(done: asyncio.Event) -> None:
    done.set()


async def test_a_process_that_ends_takes_nothing_new(stage: Stage, client: PrefectClient) -> None:
    under_way = UnderWay()
    worker = HouseWorker(work_pool_name=POOL, name="ends", under_way=under_way)
    worker._has_successfully_synced = True  # else it would not ask for runs in any case
    await under_way.end(lambda: False)
    assert await worker.get_and_submit_flow_runs() == []

    number = await stage.paid()
    stage.house.stopping = True
    assert (await run(lock_stock)).green
    assert (await stage.order(number)).lease_owner is None and await stage.state(number) is State.PENDING_PAYMENT


async def test_a_run_is_not_taken_before_its_time(client: PrefectClient) -> None:
    """It would be under way, wait for its time while the process ends, and be cut off holding its deployment's slot."""
    deployment = await client.read_deployment_by_name("close-runs/close-runs")
    async with HouseWorker(work_pool_name=POOL, name="early") as worker:
        in_time = datetime.now(UTC) + timedelta(seconds=9)
        soon = await client.create_flow_run_from_deployment(deployment.id, state=Scheduled(scheduled_time=in_time))
        taken = [run.id for run in await worker.get_and_submit_flow_runs()]
        await client.set_flow_run_state(soon.id, Cancelled(), force=True)
    assert soon.id not in taken
