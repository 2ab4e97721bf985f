"""Prefect's own tables stay small: what `ballast up` tells its server takes old runs away, with all that is theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import make_engine, rows, run
from ballast.db.upgrade import create_database
from deployments.machine import KEPT_SMALL
from tests.flows.prefect_server import prefect_process

ROOT = Path(__file__).parents[2]
SOON = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "1",
}
"""Not every hour, so that a test sees it."""


def test_a_server_of_one_s_own_is_told_the_same() -> None:
    guide = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    assert [f"{name}={value}" for name, value in KEPT_SMALL.items() if f"\n{name}={value}\n" not in guide] == []


async def test_old_runs_and_events_go_with_all_that_is_theirs(server_url: str, tmp_path: Path) -> None:
    await create_database(server_url, "prefect_vacuum", fresh=True)
    url = server_url.replace("/postgres?", "/prefect_vacuum?")
    with prefect_process(url, tmp_path, {**KEPT_SMALL, **SOON}) as env:
        async with httpx.AsyncClient(base_url=env["PREFECT_API_URL"]) as api, connected(url) as tx:
            old, young = [await finished_run(api) for _ in range(2)]
            await wait_for_events(tx)
            before = await counts(tx)
            assert before == {"flow_run": 2, "task_run": 2, "log": 2, "artifact": 2}
            await make_older(tx, old, timedelta(days=8))
            async with asyncio.timeout(60):
                while (left := await counts(tx)) != {"flow_run": 1, "task_run": 1, "log": 1, "artifact": 1}:
                    await asyncio.sleep(0.5)
            assert left and [str(row.id) for row in await rows(tx, "select id from flow_run")] == [young]
            async with asyncio.timeout(60):
                while await rows(tx, "select 1 from events where occurred < now() - interval '2 days'"):
                    await asyncio.sleep(0.5)
            assert await rows(tx, "select 1 from events limit 1"), "the young ones stay"
    await create_database(server_url, "prefect_vacuum", fresh=True)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    engine = make_engine(url, pool=1)
    try:
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def finished_run(api: httpx.AsyncClient) -> Any:
    """A run with a task run, a line of log and an artifact, as a flow leaves them."""
    flow = await said(api, "flows/", name=f"f-{uuid4().hex[:6]}")
    made = await said(api, "flow_runs/", flow_id=flow["id"], state={"type": "PENDING"})
    task = await said(api, "task_runs/", flow_run_id=made["id"], task_key="t", dynamic_key="0", state=None)
    now = datetime.now(UTC).isoformat()
    line = {"name": "x", "level": 20, "message": "m", "timestamp": now, "flow_run_id": made["id"]}
    (await api.post("/logs/", json=[line])).raise_for_status()
    await said(api, "artifacts/", key=f"k-{made['id'][:6]}", type="markdown", data="x", flow_run_id=made["id"],
               task_run_id=task["id"])  # fmt: skip
    for state in ("RUNNING", "COMPLETED"):
        await said(api, f"flow_runs/{made['id']}/set_state", state={"type": state}, force=True)
    return made["id"]


async def said(api: httpx.AsyncClient, path: str, **body: Any) -> Any:
    reply = await api.post(f"/{path}", json=body)
    assert reply.status_code < 300, reply.text
    return reply.json()


async def counts(tx: AsyncConnection) -> dict[str, int]:
    return {
        table: (await rows(tx, f"select count(*) from {table}"))[0][0]  # names of this file
        for table in ("flow_run", "task_run", "log", "artifact")
    }


async def wait_for_events(tx: AsyncConnection) -> None:
    """They are written a moment later."""
    async with asyncio.timeout(30):
        while len(await rows(tx, "select 1 from events")) < 4:
            await asyncio.sleep(0.2)


async def make_older(tx: AsyncConnection, flow_run: str, by: timedelta) -> None:
    await run(tx, "update flow_run set end_time = end_time - cast(:by as interval) where id = cast(:id as uuid)",
              by=by, id=flow_run)  # fmt: skip
    await run(tx, "update events set occurred = occurred - interval '3 days' where id in (select min(id::text)::uuid "
              "from events)")  # fmt: skip
