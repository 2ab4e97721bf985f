"""One world, one Prefect server and one database for all cases; each begins with empty books and new order numbers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from ballast.db.upgrade import create_database, upgrade
from ballast.settings import Part
from tests.contracts.outside import ROOT, World, settings_for, start_world
from tests.crash.story import Workers
from tests.flows.prefect_server import prefect_process
from tests.flows.stage import Stage, open_house
from tests.web.stage import open_stage

QUICK = {
    "BALLAST_PATIENCE__BACK_OFF": "PT0.001S",
    "BALLAST_PATIENCE__GATHER": "PT0.02S",
    "BALLAST_PATIENCE__LINGER": "PT0S",
    "BALLAST_SLA_POLICY": str(ROOT / "tests" / "samples" / "sla" / "story.yaml"),
}


@pytest.fixture(scope="session")
def crash_books(server_url: str) -> str:
    """A migrated database of these cases."""
    url = server_url.replace("/postgres?", "/ballast_crash?")
    asyncio.run(_make(server_url, url))
    return url


async def _make(server_url: str, url: str) -> None:
    for name in ("ballast_crash", "prefect_crash"):
        await create_database(server_url, name)
    await upgrade(url)


@pytest.fixture(scope="session")
def crash_prefect(
    server_url: str, crash_books: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What the workers are told of their Prefect server."""
    home = tmp_path_factory.mktemp("prefect-crash")
    with prefect_process(server_url.replace("/postgres?", "/prefect_crash?"), home) as env:
        yield env


@pytest.fixture(scope="session")
async def crash_world() -> AsyncIterator[World]:
    now = datetime.now(UTC)
    world = start_world(clock={"start": now.isoformat(), "speed": 1.0, "anchor": now.timestamp()})
    yield world
    await world.stop()


@pytest.fixture(scope="session")
async def stage(crash_books: str, crash_world: World) -> AsyncIterator[Stage]:
    """The house that looks on, and the web process that takes the world's messages."""
    house = open_house(crash_books, crash_world)
    house.sla.file = Path(QUICK["BALLAST_SLA_POLICY"])
    async with open_stage(house) as web:
        await crash_world.post("hooks", {"hooks": f"http://127.0.0.1:{web.port}/hooks"})
        for robot in ("dingtalk", "wecom", "feishu"):  # their patience is a minute long, ours is not
            await crash_world.post("robot", {"robot": robot, "per_minute": 1000})
        yield Stage(house, crash_world)
        await crash_world.post("hooks", {"hooks": None})
    await house.close()


@pytest.fixture
def make_workers(
    crash_books: str, crash_prefect: dict[str, str], crash_world: World, tmp_path: Path
) -> Callable[..., Workers]:
    """Workers on the books of these cases: `make_workers("lock_stock/stored")`; more settings by their names."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("BALLAST_", "PREFECT_"))}
    env = {**clean, **crash_prefect, **_env(crash_world), **QUICK}
    env |= {"PYTHONPATH": str(ROOT), "BALLAST_DATABASE_URL": crash_books}

    def make(crash_at: str = "", *, lease_ends: bool = False, **more: str) -> Workers:
        return Workers(env | more, tmp_path, crash_at, lease_ends)

    return make


def _env(world: World) -> dict[str, str]:
    outside = settings_for(world)
    parts: dict[str, Part] = {name: getattr(outside, name) for name in outside.__slots__}
    return {
        f"BALLAST_{name}__{field}".upper(): _text(value)
        for name, part in parts.items()
        for field, value in part.model_dump(exclude_defaults=True).items()
    }


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, dict) else str(value)
