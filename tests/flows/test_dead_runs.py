"""Runs of a killed process are closed and their slots freed; runs that live are left alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Cancelling, Pending, Running

import flows.runs as runs
import tasks.dead_runs as dead_runs
from ballast.db import beats
from deployments.apply import apply
from flows.close_runs import FLOWS, close_runs
from tasks.dead_runs import QUIET
from tasks.policy import BEAT
from tests.flows.serving import serving, until
from tests.flows.stage import Stage, run
from tests.flows.test_deployments import ENTRIES, ask_for


@pytest.fixture
async def client(prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PrefectClient]:
    """The server with our deployments; suspicion and watching take moments instead of minutes."""
    monkeypatch.setattr(dead_runs, "QUIET", dict.fromkeys(dead_runs.QUIET, timedelta(0)))
    monkeypatch.setattr(dead_runs, "WATCH", timedelta(seconds=1.5))
    monkeypatch.setattr(runs, "BEAT", timedelta(seconds=0.3))
    await apply()
    async with get_client() as opened:
        yield opened


async def slots(client: PrefectClient, name: str) -> int:
    """How many runs of a deployment hold a slot."""
    deployment = await client.read_deployment_by_name(f"{name}/{name}")
    assert deployment.global_concurrency_limit is not None
    found = (await client.request("GET", f"/v2/concurrency_limits/{deployment.global_concurrency_limit.id}")).json()
    return int(found["active_slots"])


def test_every_flow_of_ours_is_looked_after() -> None:
    assert sorted(FLOWS) == sorted(ENTRIES)


async def test_the_run_of_a_killed_process_is_closed_and_holds_no_slot(
    stage: Stage, client: PrefectClient, books_url: str
) -> None:
    await stage.world.faults(system="kingdee", latency_ms=[30_000, 30_000])
    asked = await ask_for(client, "sync-inventory")

    async def runs_now() -> bool:
        return bool((await client.read_flow_run(asked.id)).start_time)

    async with serving(books_url, stage.world, PREFECT_WORKER_QUERY_SECONDS="1") as serve:
        await until(runs_now, said=serve.said)
        serve.process.kill()
        await serve.process.wait()
    assert await slots(client, "sync-inventory") == 1
    ran = await run(close_runs)
    assert ran.green and "closed" in ran.name, ran.name
    state = (await client.read_flow_run(asked.id)).state
    assert state is not None and state.is_crashed() and "gave no sign of life" in str(state.message)
    assert await slots(client, "sync-inventory") == 0
    await stage.world.calm()

    fresh = await ask_for(client, "sync-inventory")

    async def completed() -> bool:
        state = (await client.read_flow_run(fresh.id)).state
        return state is not None and state.is_completed()

    async with serving(books_url, stage.world, PREFECT_WORKER_QUERY_SECONDS="1") as serve:
        await until(completed, said=serve.said)


async def test_a_long_run_that_lives_is_left_alone(stage: Stage, client: PrefectClient) -> None:
    may_end = asyncio.Event()

    @flow(name="sync-inventory")
    async def long_one() -> None:
        one = await runs.start("sync-inventory")
        await may_end.wait()
        await one.finish()

    living = asyncio.create_task(run(long_one))
    await until(lambda: _is_there(stage, "select 1 from run_beat"))
    said = await dead_runs.close_dead_runs(stage.house, FLOWS)
    assert said["alive"] == 1
    may_end.set()
    assert (await living).green


async def _is_there(stage: Stage, question: str) -> bool:
    return bool(await stage.rows(question))


async def test_a_run_is_not_judged_while_the_database_was_away(
    stage: Stage, client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await ask_for(client, "sync-inventory")
    await client.set_flow_run_state(asked.id, Running(), force=True)
    real = beats.signs
    seen: list[int] = []

    async def restarted(tx: Any, ids: Sequence[str]) -> beats.Signs:
        seen.append(len(ids))
        signs = await real(tx, ids)
        return beats.Signs(signs.beats, signs.database_since + timedelta(seconds=len(seen)))

    with monkeypatch.context() as patch:
        patch.setattr(dead_runs.beats, "signs", restarted)
        assert set(await dead_runs.close_dead_runs(stage.house, FLOWS)) == {"left for the next time"}
    assert (await dead_runs.close_dead_runs(stage.house, FLOWS))["closed"] >= 1


@pytest.mark.parametrize(("left", "becomes"), [(Pending, "CRASHED"), (Cancelling, "CANCELLED")])
async def test_a_run_that_never_began_or_was_being_cancelled_frees_its_slot_too(
    stage: Stage, client: PrefectClient, left: Callable[[], State[Any]], becomes: str
) -> None:
    asked = await ask_for(client, "check-stock")
    await client.set_flow_run_state(asked.id, Pending())  # as a worker does it: this takes the slot
    await client.set_flow_run_state(asked.id, left())
    assert await slots(client, "check-stock") == 1
    assert (await dead_runs.close_dead_runs(stage.house, FLOWS))["closed"] >= 1
    state = (await client.read_flow_run(asked.id)).state
    assert state is not None and state.type.value == becomes and "gave no sign of life" in str(state.message)
    assert await slots(client, "check-stock") == 0


@pytest.mark.parametrize("just", [Pending, Running, Cancelling])
async def test_what_has_just_begun_is_left_alone(
    stage: Stage, client: PrefectClient, monkeypatch: pytest.MonkeyPatch, just: Callable[[], State[Any]]
) -> None:
    """A process takes its time to start, and a run says for the first time after a while that it lives."""
    monkeypatch.setattr(dead_runs, "QUIET", QUIET)
    asked = await ask_for(client, "check-stock")
    for state in (Pending(), just()):
        await client.set_flow_run_state(asked.id, state)
    assert await dead_runs.close_dead_runs(stage.house, FLOWS) == {}
    assert (await client.read_flow_run(asked.id)).state_type == just().type
    assert min(QUIET.values()) >= BEAT * 3
    await client.set_flow_run_state(asked.id, Cancelled(), force=True)


async def test_the_run_of_another_program_is_left_alone(stage: Stage, client: PrefectClient) -> None:
    @flow(name="not-of-ours")
    async def theirs() -> str:
        assert (await dead_runs.close_dead_runs(stage.house, FLOWS))["closed"] == 0
        return "finished"

    assert await theirs() == "finished"


async def test_a_run_that_ended_meanwhile_keeps_its_end(stage: Stage, client: PrefectClient) -> None:
    ended = await run(close_runs)
    said = await dead_runs._close(client, {"id": str(ended.id), "state_type": "RUNNING"})
    assert said == "ended by themselves"
    state = (await client.read_flow_run(ended.id)).state
    assert state is not None and state.is_completed()


async def test_signs_of_long_ago_are_forgotten(stage: Stage) -> None:
    now = stage.house.clock.machine_now()
    async with stage.house.transaction() as tx:
        await beats.beat(tx, "old", now - timedelta(days=2))
        await beats.beat(tx, "new", now)
        await beats.beat(tx, "new", now)
        assert await beats.forget_old(tx, now) == 1
        assert (await beats.signs(tx, ["old", "new"])).beats == {"new": 2}
