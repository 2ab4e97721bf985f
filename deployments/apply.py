"""Put the deployments of prefect.yaml on a Prefect server: what `prefect deploy --all` does, in this process.

Idempotent: names identify pool and deployments; what changed in the file is changed on the server.
`python -m deployments.apply` does it from the command line, with the automations, which no prefect.yaml can hold.
"""

import asyncio
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyOptions
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.utilities.callables import parameter_schema

from adapters.signing import reveal
from ballast.settings import settings
from deployments.automations import POOL, apply_automations

FILE = Path(__file__).parents[1] / "prefect.yaml"


def read_deployments(file: Path = FILE) -> list[dict[str, Any]]:
    """The deployments of the file, in its order."""
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]
    return found


def flow_of(entrypoint: str) -> Flow[..., Any]:
    """`flows/lock_stock.py:lock_stock` -> the flow object of this process."""
    file, name = entrypoint.split(":")
    flow = getattr(import_module(file.removesuffix(".py").replace("/", ".")), name)
    assert isinstance(flow, Flow)
    return flow


async def apply() -> list[str]:
    """Create or update pool and deployments; the names of the deployments."""
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
        return [await _apply_one(client, entry) for entry in read_deployments()]


async def _apply_one(client: PrefectClient, entry: dict[str, Any]) -> str:
    flow = flow_of(entry["entrypoint"])
    limit = ConcurrencyLimitConfig(**entry["concurrency_limit"]) if "concurrency_limit" in entry else None
    await client.create_deployment(
        flow_id=await client.create_flow(flow),
        name=entry["name"],
        description=entry["description"],
        tags=entry["tags"],
        entrypoint=entry["entrypoint"],
        path=str(FILE.parent),
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(FILE.parent)}}],
        work_pool_name=POOL,
        schedules=[DeploymentScheduleCreate(schedule=_schedule(s), active=True) for s in entry["schedules"]],
        concurrency_limit=limit.limit if limit else None,
        concurrency_options=ConcurrencyOptions(collision_strategy=limit.collision_strategy) if limit else None,
        parameter_openapi_schema=parameter_schema(flow).model_dump(mode="json"),
        enforce_parameter_schema=True,
        version=entry.get("version"),
    )
    return str(entry["name"])


def _schedule(entry: dict[str, Any]) -> IntervalSchedule:
    return IntervalSchedule(
        interval=timedelta(seconds=entry["interval"]), anchor_date=entry["anchor_date"], timezone=entry["timezone"]
    )


async def apply_all(hook_url: str, hook_key: str) -> list[str]:
    """Deployments, then the automations, which show `hook_key` at `hook_url`; the names of both."""
    names = await apply()
    async with get_client() as client:
        return names + await apply_automations(client, hook_url, hook_key)


def main() -> None:
    """Say what is on the server now. Ends with 1 when the automations have no key: the deployments are there then."""
    config = settings()
    if config.prefect_hook_key is None:
        asyncio.run(apply())
        sys.exit("the deployments are on the server; no automations, for BALLAST_PREFECT_HOOK_KEY is not set")
    key = reveal(config.prefect_hook_key, "BALLAST_PREFECT_HOOK_KEY")
    url = config.prefect_hook_url or f"{config.web_url.rstrip('/')}/hooks/prefect"
    sys.stdout.write("".join(f"{name}\n" for name in asyncio.run(apply_all(url, key))))


if __name__ == "__main__":
    main()
