"""The deployments: what prefect.yaml says, on the server twice, and runs of them by both kinds of workers."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import PrefectHTTPStatusError

from ballast.domain.words import State
from deployments.apply import apply, flow_of, read_deployments
from deployments.automations import POOL
from deployments.worker import HouseWorker
from tests.flows.stage import Stage

ROOT = Path(__file__).parents[2]
ENTRIES = {entry["name"]: entry for entry in read_deployments()}
BY_HAND = {
    "rerun-orders",
    "cancel-orders",
    "edit-orders",
    "hold-orders",
    "answer-alerts",
    "answer-returns",
    "publish-status-map",
}
LONG_ENOUGH = 40.0


@pytest.fixture
async def client(prefect_api: str) -> AsyncIterator[PrefectClient]:
    """The server without a deployment."""
    async with get_client() as opened:
        await _delete_all(opened)
        yield opened


async def deployments_of(client: PrefectClient) -> list[DeploymentResponse]:
    """All of them. The client's own method asks with nulls, which this server refuses."""
    found = (await client.request("POST", "/deployments/filter", json={})).json()
    return [DeploymentResponse.model_validate(one) for one in found]


async def _delete_all(client: PrefectClient) -> None:
    for deployment in await deployments_of(client):
        await client.delete_deployment(deployment.id)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_deployment_says_what_a_person_needs(name: str) -> None:
    entry = ENTRIES[name]
    file, function = entry["entrypoint"].split(":")
    assert file == f"flows/{function}.py" and function.replace("_", "-") == name == flow_of(entry["entrypoint"]).name
    assert len(entry["description"]) > 20 and not entry["description"].isascii(), "in both languages"
    assert "ballast" in entry["tags"]
    assert entry["work_pool"]["name"] == POOL
    if name in BY_HAND:
        assert entry["schedules"] == [] and "by-hand" in entry["tags"]
    else:
        assert entry["schedules"]
        assert ("concurrency_limit" in entry) is (name != "close-runs"), "its own dead run must not stand in its way"


def test_every_flow_has_a_deployment() -> None:
    flows = {file.stem.replace("_", "-") for file in (ROOT / "flows").glob("*.py")} - {"--init--", "runs", "progress"}
    assert flows == set(ENTRIES)


async def on_server(client: PrefectClient) -> dict[str, dict[str, Any]]:
    """What people see of each deployment, without ids and times."""
    seen = {}
    for one in await deployments_of(client):
        seen[one.name] = {
            "description": one.description,
            "tags": sorted(one.tags),
            "entrypoint": one.entrypoint,
            "pool": one.work_pool_name,
            "schedules": [str(each.schedule) for each in one.schedules],
            "limit": one.global_concurrency_limit.limit if one.global_concurrency_limit else None,
            "form": sorted(one.parameter_openapi_schema.get("properties", {})) if one.parameter_openapi_schema else [],
        }
    return seen


async def test_applying_twice_is_applying_once(client: PrefectClient) -> None:
    assert sorted(await apply()) == sorted(ENTRIES)
    first = await on_server(client)
    ids = {one.name: one.id for one in await deployments_of(client)}
    await apply()
    assert await on_server(client) == first
    assert {one.name: one.id for one in await deployments_of(client)} == ids
    assert set(first) == set(ENTRIES)
    for name, entry in ENTRIES.items():
        assert first[name]["description"] == entry["description"]
        assert len(first[name]["schedules"]) == len(entry["schedules"])
        assert first[name]["limit"] == (1 if "concurrency_limit" in entry else None)


async def test_the_rerun_form_has_typed_and_described_fields(client: PrefectClient) -> None:
    await apply()
    deployment = await client.read_deployment_by_name("rerun-orders/rerun-orders")
    schema = deployment.parameter_openapi_schema
    assert schema is not None and deployment.enforce_parameter_schema
    fields = schema["properties"]
    assert fields["order_numbers"]["type"] == "array" and fields["order_numbers"]["items"] == {"type": "string"}
    assert fields["dry_run"]["type"] == "boolean"
    assert fields["note"]["maxLength"] == 500
    assert "STOCK_SHORT" in schema["definitions"]["HoldReason"]["enum"]
    assert all(not field["description"].isascii() for field in fields.values()), "in both languages"
    assert not schema.get("required")


async def test_prefect_deploy_says_the_same_as_apply(client: PrefectClient, tmp_path: Path) -> None:
    await apply()
    ours = await on_server(client)
    await _delete_all(client)
    code, said = await _command("prefect", "--no-prompt", "deploy", "--all")
    assert code == 0, said
    assert await on_server(client) == ours


async def _command(
    module: str, *words: str, env: dict[str, str] | None = None, seconds: float = 120
) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *words,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")[-3000:]


async def ask_for(client: PrefectClient, name: str, **parameters: Any) -> Any:
    """What the button `Run` of the UI does."""
    deployment = await client.read_deployment_by_name(f"{name}/{name}")
    return await client.create_flow_run_from_deployment(deployment.id, parameters=parameters)


async def ended(client: PrefectClient, run_id: Any) -> Any:
    for _ in range(int(LONG_ENOUGH / 0.2)):
        run = await client.read_flow_run(run_id)
        if run.state is not None and run.state.is_final():
            return run
        await asyncio.sleep(0.2)
    raise AssertionError(f"the run did not end: {run.state}")


async def paused(client: PrefectClient) -> None:
    """Deployments without their schedules: a worker then runs only what a test asks for."""
    await apply()
    for deployment in await deployments_of(client):
        for schedule in deployment.schedules:
            await client.delete_deployment_schedule(deployment.id, schedule.id)


async def test_our_worker_runs_the_rerun_form_in_this_process(stage: Stage, client: PrefectClient) -> None:
    await paused(client)
    await stage.put_on_shelf({"SKU-055": 1})
    order_no = await stage.paid([("SKU-055", 2)])
    await stage.work_on_stock_and_warehouse()
    assert await stage.state(order_no) is State.ON_HOLD
    await stage.put_on_shelf({"SKU-055": 50})
    asked = await ask_for(client, "rerun-orders", order_numbers=[order_no], by="zhao")

    worker = HouseWorker(work_pool_name=POOL, name="test", create_pool_if_not_found=False, limit=4)
    await worker.start(run_once=True)

    run = await ended(client, asked.id)
    assert run.state.is_completed() and run.name == "rerun-orders 1 released"
    assert await stage.state(order_no) is State.STOCK_LOCKED


@pytest.mark.parametrize("wrong", [{"hold_reason": "NO_SUCH"}, {"dry_run": "perhaps"}, {"note": "x" * 501}])
async def test_the_server_refuses_a_wrong_form(stage: Stage, client: PrefectClient, wrong: dict[str, Any]) -> None:
    await paused(client)
    with pytest.raises(PrefectHTTPStatusError) as refused:
        await ask_for(client, "rerun-orders", **wrong)
    assert 400 <= refused.value.response.status_code < 500


async def test_a_run_that_fails_is_not_the_worker_s_failure(stage: Stage, client: PrefectClient) -> None:
    await paused(client)
    await stage.world.faults(system="kingdee", error_rate=1.0)
    asked = await ask_for(client, "sync-inventory")
    worker = HouseWorker(work_pool_name=POOL, name="test", create_pool_if_not_found=False, limit=4)
    await worker.start(run_once=True)
    run = await ended(client, asked.id)
    assert run.state.is_failed() and "kingdee" in run.state.message


@pytest.mark.slow
async def test_a_process_worker_of_prefect_runs_one_too(stage: Stage, client: PrefectClient, books_url: str) -> None:
    await paused(client)
    asked = await ask_for(client, "lock-stock")
    code, said = await _command(
        "prefect", "worker", "start", "--pool", POOL, "--run-once", env={"BALLAST_DATABASE_URL": books_url}
    )
    assert code == 0, said
    run = await ended(client, asked.id)
    assert run.state.is_completed() and run.name == "lock-stock nothing due"
