"""The automations on a real Prefect server: an event or a failed run becomes an alert through the real web door."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect import flow, tags
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events import emit_event
from pydantic import SecretStr

from ballast.cli.examining import _automations
from ballast.db.alerts import raise_alerts
from ballast.db.engine import bell
from ballast.domain.words import State
from deployments.automations import BLOCK, POOL, TRIGGERS, apply_automations, what_is_missing
from deployments.serve import Listener
from flows.lock_stock import lock_stock
from tests.contracts.outside import ROOT
from tests.flows.serving import until
from tests.flows.stage import Stage, run
from tests.web.stage import HOOK_KEY, open_stage


@pytest.fixture
async def client(prefect_api: str) -> AsyncIterator[PrefectClient]:
    async with get_client() as opened:
        yield opened


@pytest.fixture
async def watched(stage: Stage, client: PrefectClient) -> AsyncIterator[Stage]:
    """The automations on the server, calling a web process of this stage."""
    async with open_stage(stage.house) as web:
        await apply_automations(client, f"http://127.0.0.1:{web.port}/hooks/prefect", HOOK_KEY)
        yield stage
    for one in await automations(client):
        await client.delete_automation(one["id"])  # what other tests let fail rings at nobody's door


async def automations(client: PrefectClient) -> list[dict[str, Any]]:
    return list((await client.request("POST", "/automations/filter", json={})).json())


async def alerts(stage: Stage, begins: str) -> list[Any]:
    sql = "select * from alert where starts_with(key, :begins) order by id"
    return list(await stage.rows(sql, begins=f"prefect:{begins}"))


async def test_applying_twice_is_applying_once(watched: Stage, client: PrefectClient, prefect_api: str) -> None:
    before = await automations(client)
    assert {one["name"] for one in before} == {name for name, *_ in TRIGGERS.values()}
    assert all(not one["description"].isascii() and len(one["description"]) > 40 for one in before)
    await apply_automations(client, "http://127.0.0.1:9/hooks/prefect", HOOK_KEY)
    after = await automations(client)
    assert [(one["id"], one["trigger"]["id"]) for one in after] == [(one["id"], one["trigger"]["id"]) for one in before]


async def test_the_key_is_kept_as_a_secret(watched: Stage, prefect_api: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        path = f"{prefect_api}/block_types/slug/custom-webhook/block_documents/name/{BLOCK}"
        shown = (await http.get(path)).raise_for_status().text
    assert HOOK_KEY not in shown and "{{key}}" in shown


async def test_a_run_that_fails_twice_rings_once_per_flow(watched: Stage) -> None:
    name = f"lock-stock-{uuid4().hex[:6]}"

    @flow(name=name)
    async def failing() -> None:
        raise RuntimeError('the ERP <b>took</b> "nothing"\n{{key}}')

    with tags("ballast", "step"):
        await run(failing)
        assert not await alerts(watched, f"step-failed:{name}")
        for _ in range(3):
            await run(failing)

    async def rung() -> bool:
        return bool(await alerts(watched, f"step-failed:{name}"))

    await until(rung)
    [alert] = await alerts(watched, f"step-failed:{name}")
    assert (alert.level, alert.title) == ("warning", f"{name} failed twice within ten minutes")
    assert 'the ERP <b>took</b> "nothing" {{key}}' in alert.text and "/runs/flow-run/" in alert.text


async def test_what_is_not_ours_rings_nobody(watched: Stage) -> None:
    @flow(name="somebody-elses")
    async def failing() -> None:
        raise RuntimeError("not ours")

    @flow(name="by-hand")
    async def by_hand() -> None:
        raise RuntimeError("a form that was filled in wrongly")

    for _ in range(3):
        await run(failing)
        with tags("ballast", "by-hand"):
            await run(by_hand)
    await test_a_run_that_fails_twice_rings_once_per_flow(watched)  # by then the others would have rung, too
    assert not await alerts(watched, "step-failed:somebody-elses")
    assert not await alerts(watched, "step-failed:by-hand")


async def test_a_worker_that_is_gone_rings_and_its_return_ends_it(watched: Stage, client: PrefectClient) -> None:
    await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
    for worker in (await client.request("POST", "/work_pools/ballast/workers/filter", json={})).json():
        await client.request("DELETE", f"/work_pools/ballast/workers/{worker['name']}")  # other tests' last words
    beat = {"name": "w", "heartbeat_interval_seconds": 1}
    await client.request("POST", "/work_pools/ballast/workers/heartbeat", json=beat)

    async def rung() -> bool:
        return bool(await alerts(watched, "worker-gone:ballast"))

    await until(rung, 60)  # the server looks every 15 s for who has been silent for three beats
    [alert] = await alerts(watched, "worker-gone:ballast")
    assert alert.level == "urgent" and "deployments.serve" in alert.text and alert.ended_at is None
    await client.request("POST", "/work_pools/ballast/workers/heartbeat", json=beat)

    async def ended() -> bool:
        return (await alerts(watched, "worker-gone:ballast"))[0].ended_at is not None

    await until(ended)


async def test_people_hear_of_it_though_nobody_listens(watched: Stage) -> None:
    """No listener, no worker, no run: the web process tells what is due."""
    async with watched.house.transaction() as tx:
        row = {"key": "sla:SO1", "level": "urgent", "title": "SO1 red", "text": "", "order_id": None}
        await raise_alerts(tx, [row], watched.house.clock.now())
    emit_event("ballast.sla.red", resource={"prefect.resource.id": "ballast.order.SO1"})

    async def told() -> bool:
        return bool(await watched.rows("select 1 from alert_notice where sent_at is not null"))

    await until(told)


@pytest.mark.parametrize("level", ["red", "yellow"])
async def test_a_breach_rings_the_bell(watched: Stage, level: str, books_url: str) -> None:
    heard: list[str] = []
    async with bell(books_url, heard.append):
        emit_event(f"ballast.sla.{level}", resource={"prefect.resource.id": "ballast.order.SO1"})

        async def rung() -> bool:
            return "alerts" in heard

        await until(rung)


async def test_what_is_missing_is_named(stage: Stage, client: PrefectClient, prefect_api: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        assert "no automation «Ballast: worker gone»" in await what_is_missing(http, prefect_api)
        await apply_automations(client, "http://127.0.0.1:9/hooks/prefect", HOOK_KEY)
        assert await what_is_missing(http, prefect_api) == []
        [gone] = [one for one in await automations(client) if one["name"] == "Ballast: worker gone"]
        await client.pause_automation(gone["id"])
        assert await what_is_missing(http, prefect_api) == ["«Ballast: worker gone» is switched off"]
        await apply_automations(client, "http://127.0.0.1:9/hooks/prefect", HOOK_KEY)
        assert await what_is_missing(http, prefect_api) == ["«Ballast: worker gone» is switched off"]
    for one in await automations(client):
        await client.delete_automation(one["id"])


async def test_doctor_says_what_is_not_well(
    stage: Stage, client: PrefectClient, prefect_api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(**changes: Any) -> tuple[bool, str]:
        house = replace(stage.house, settings=stage.house.settings.model_copy(update=changes))
        seen = await _automations(house)
        assert seen.ok or seen.mend
        return seen.ok, seen.text

    missing = await found()
    assert missing[0] is False and f"no automation «{TRIGGERS['worker-gone'][0]}»" in missing[1]
    await apply_automations(client, "http://127.0.0.1:9/hooks/prefect", HOOK_KEY)
    async with open_stage(stage.house) as web:
        url = f"http://127.0.0.1:{web.port}/hooks/prefect"
        assert await found(prefect_hook_url=url) == (True, "5 on the server, all of them on")
        assert await found(prefect_hook_url=url, prefect_hook_key=None) == (
            False,
            "BALLAST_PREFECT_HOOK_KEY is not set: nobody lets them in",
        )
        wrong = SecretStr("another key")
        assert await found(prefect_hook_url=url, prefect_hook_key=wrong) == (False, f"{url} answers 401")
    assert await found(prefect_hook_url=url) == (False, f"{url}: ConnectError")
    monkeypatch.delenv("PREFECT_API_URL")
    assert await found() == (False, "PREFECT_API_URL is not set")
    for one in await automations(client):
        await client.delete_automation(one["id"])


async def test_what_the_listener_starts_is_tagged_like_its_deployment(stage: Stage, client: PrefectClient) -> None:
    listener = Listener(stage.house, answers={"lock_stock": lock_stock})
    order_no = await stage.paid()
    duties = [asyncio.create_task(duty) for duty in listener.duties()]
    listener.heard("lock_stock")

    async def tagged() -> bool:
        body = {"flow_runs": {"tags": {"all_": ["ballast", "step"]}, "name": {"any_": ["lock-stock 1 locked"]}}}
        found = (await client.request("POST", "/flow_runs/filter", json=body)).json()
        return len(found) == 1 and await stage.state(order_no) is State.STOCK_LOCKED

    try:
        await until(tagged)
    finally:
        for duty in duties:
            duty.cancel()
        await asyncio.wait(duties)


@pytest.mark.parametrize("key", ["", HOOK_KEY])
async def test_the_command_puts_everything_on_the_server(client: PrefectClient, key: str) -> None:
    """Without a key: the deployments, and a sentence."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("BALLAST_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deployments.apply", cwd=ROOT,
        env={**env, **({"BALLAST_PREFECT_HOOK_KEY": key} if key else {})},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    there = {one["name"] for one in (await client.request("POST", "/deployments/filter", json={})).json()}
    assert {"lock-stock", "answer-alerts", "sum-up"} <= there
    rings = {one["name"] for one in await automations(client)}
    if key:
        assert process.returncode == 0 and "answer-alerts\n" in said and "Ballast: worker gone\n" in said, said
        assert rings == {name for name, *_ in TRIGGERS.values()}
    else:
        assert process.returncode == 1 and "BALLAST_PREFECT_HOOK_KEY is not set" in said and not rings, said
    for one in await automations(client):
        await client.delete_automation(one["id"])
