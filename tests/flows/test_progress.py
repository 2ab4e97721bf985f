"""Bars of long runs: written late and seldom, right at the end, and no reason for a run to fail."""

import asyncio
import gc
import json
from typing import Any
from weakref import ref

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

import flows.progress as progress
from ballast.db.engine import make_engine
from ballast.db.left import letters_left, messages_left, orders_left
from ballast.domain.words import Step
from flows.lock_stock import lock_stock
from flows.progress import Progress
from flows.runs import answer_each, start
from tests.flows.stage import Ran, Stage, run
from tests.web.stage import NOWHERE


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars begin after moments, not seconds."""
    monkeypatch.setattr(progress, "BEGIN", 0.05)
    monkeypatch.setattr(progress, "EVERY", 0.05)


async def bars(ran: Ran) -> list[tuple[str, float]]:
    """(description, percent) of the progress artifacts that a run left."""
    async with get_client() as client:
        body = {"artifacts": {"flow_run_id": {"any_": [str(ran.id)]}, "type": {"any_": ["progress"]}}}
        found = (await client.request("POST", "/artifacts/filter", json=body)).json()
    return [(one["description"], float(json.loads(one["data"]) if isinstance(one["data"], str) else one["data"]))
            for one in found]  # fmt: skip


@flow(name="rerun-orders", flow_run_name="rerun-orders")
async def slow_form(count: int, seconds: float, fail: bool = False) -> dict[str, str]:
    """A form over many orders."""
    run = await start("rerun-orders")

    async def work(order_no: str) -> str:
        await asyncio.sleep(seconds)
        if fail and order_no == "SO3":
            raise ValueError("no")
        return "released"

    return await answer_each(run, [f"SO{n}" for n in range(count)], work)


async def test_a_long_form_has_one_bar_that_ends_full(stage: Stage) -> None:
    ran = await run(slow_form, count=60, seconds=0.3)
    assert await bars(ran) == [("**rerun-orders**: 60", 100.0)]


async def test_a_short_run_has_none(stage: Stage) -> None:
    assert await bars(await run(slow_form, count=3, seconds=0.0)) == []


async def test_a_form_that_failed_says_how_far_it_got(stage: Stage) -> None:
    ran = await run(slow_form, count=40, seconds=0.3, fail=True)
    assert not ran.green and ran.name == "rerun-orders 39 released, 1 failed"
    assert await bars(ran) == [("**rerun-orders**: 40", 100.0)], "all were looked at"


async def test_a_step_counts_what_is_left(stage: Stage) -> None:
    stage.patience()
    object.__setattr__(stage.house, "settings", stage.house.settings.model_copy(update={"chunk": 2}))
    for _ in range(6):
        await stage.paid()
    await stage.world.faults(system="kingdee", latency_ms=[150, 150])
    ran = await run(lock_stock)
    assert ran.name == "lock-stock 6 locked"
    [(words, percent)] = await bars(ran)
    assert (words, percent) == ("**lock-stock**: 6", 100.0)


async def test_what_is_left_is_counted(stage: Stage) -> None:
    for _ in range(3):
        await stage.paid()
    async with stage.house.transaction() as tx:
        now = stage.house.clock.now()
        assert await orders_left(tx, Step.LOCK_STOCK, now) == 3
        assert await orders_left(tx, Step.SHIP_OUT, now) == 0
        assert await letters_left(tx, "news") == 0 and await messages_left(tx, now) == 0


async def test_a_bar_that_cannot_be_written_stops_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    async def refuse(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("away")

    monkeypatch.setattr(progress, "acreate_progress_artifact", refuse)
    assert (await run(slow_form, count=40, seconds=0.2)).green


async def test_while_the_database_is_down_the_bar_waits() -> None:
    engine = make_engine(NOWHERE)

    async def left() -> int:
        async with engine.connect():
            return 0

    bar = Progress("x", left=left)
    await bar.show()
    assert bar.of == 0 and bar.artifact is None
    await engine.dispose()


async def test_a_forgotten_run_is_written_no_more() -> None:
    bar = Progress("x")
    bar.begin()
    writing, kept = bar.writing, ref(bar)
    assert writing is not None
    del bar
    gc.collect()
    assert kept() is None
    await asyncio.wait_for(writing, 5)


async def test_what_is_done_while_we_ask_is_not_left() -> None:
    bar = Progress("x", done=100)

    async def left() -> int:
        bar.done = 300
        return 100

    bar.left, shown = left, []

    async def write(percent: float, key: str, words: str) -> None:
        shown.append((percent, words))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "acreate_progress_artifact", write)
        await bar.show()
    assert shown == [(75.0, "**x**: 300 of 400")]
