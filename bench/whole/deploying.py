"""Put Ballast's deployments and automations on the Prefect server as `ballast up` does, without what runs at night.

    python -m bench.whole.deploying

The sweeps of every minute are part of what is measured. What runs once an hour or once a day would fall into one round
and not into the next, by the hour at which somebody measures.
"""

import asyncio
from datetime import timedelta
from typing import Final

from prefect import get_client
from prefect.client.schemas.schedules import IntervalSchedule

from adapters.signing import reveal
from ballast.settings import settings
from deployments.apply import apply_all

RARE: Final = timedelta(hours=1)


async def deploy() -> None:
    config = settings()
    assert config.prefect_hook_key is not None  # the bench sets it
    await apply_all(config.prefect_hook_url, reveal(config.prefect_hook_key, "BALLAST_PREFECT_HOOK_KEY"))
    async with get_client() as client:
        for deployment in await client.read_deployments(limit=100):
            for entry in deployment.schedules:
                if isinstance(entry.schedule, IntervalSchedule) and entry.schedule.interval >= RARE:
                    await client.update_deployment_schedule(deployment.id, entry.id, active=False)


if __name__ == "__main__":
    asyncio.run(deploy())
