"""Runs that a dead process left behind: told apart from living ones by their silence, and closed on the server."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import Cancelled, Crashed

from ballast.db import beats
from ballast.db.beats import Signs
from ballast.wiring import House
from tasks.chunks import Tally
from tasks.policy import BEAT

QUIET = {"RUNNING": timedelta(seconds=60), "CANCELLING": timedelta(seconds=60), "PENDING": timedelta(minutes=3)}
"""A run that has been in its state for less is left alone; a pending one waits for its process to start."""
WATCH = BEAT * 2.5
"""How long a suspect is watched for a sign of life."""
MOST = 200
WHY = "the process that worked on this run is gone: it gave no sign of life; its orders go on when their lease ends"


async def close_dead_runs(house: House, names: Sequence[str], *, but: str | None = None) -> Tally:
    """Close every run of these flows that belongs to no living process; what was done, counted.

    Setting the state frees the run's concurrency slot. A run that ended meanwhile refuses, and keeps its state. `but`
    is the run that asks.
    """
    async with get_client() as client:
        suspects = [run for run in await _open_runs(client, names) if run["id"] != but and _is_quiet(house, run)]
        if not suspects:
            return Tally()
        ids = [run["id"] for run in suspects]
        first = await _signs(house, ids)
        await asyncio.sleep(WATCH.total_seconds())
        last = await _signs(house, ids)
        if first.database_since != last.database_since:  # who lives could not say so
            return Tally({"left for the next time": len(suspects)})
        tally = Tally()
        for run in suspects:
            if first.beats.get(run["id"]) != last.beats.get(run["id"]):
                tally["alive"] += 1
            else:
                tally[await _close(client, run)] += 1
        return tally


async def _open_runs(client: PrefectClient, names: Sequence[str]) -> list[dict[str, Any]]:
    """The client's own method asks with nulls, which this server refuses."""
    states = {"state": {"type": {"any_": sorted(QUIET)}}}
    body = {"flow_runs": states, "flows": {"name": {"any_": list(names)}}, "sort": "START_TIME_ASC", "limit": MOST}
    found: list[dict[str, Any]] = (await client.request("POST", "/flow_runs/filter", json=body)).json()
    return found


def _is_quiet(house: House, run: dict[str, Any]) -> bool:
    since = datetime.fromisoformat(run["state"]["timestamp"]).astimezone(UTC)
    return house.clock.machine_now() - since >= QUIET[run["state_type"]]


async def _signs(house: House, ids: Sequence[str]) -> Signs:
    async with house.transaction() as tx:
        return await beats.signs(tx, ids)


async def _close(client: PrefectClient, run: dict[str, Any]) -> str:
    state: State[Any] = Cancelled(message=WHY) if run["state_type"] == "CANCELLING" else Crashed(message=WHY)
    answer = await client.set_flow_run_state(UUID(run["id"]), state)
    return "closed" if answer.status is SetStateStatus.ACCEPT else "ended by themselves"
