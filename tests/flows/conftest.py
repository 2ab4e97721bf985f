"""One Prefect server and one simulated world for all flow tests; every test starts with empty books."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ballast.wiring
from ballast.db.upgrade import create_database, upgrade
from tests.contracts.outside import World, start_world
from tests.flows.prefect_server import prefect_server
from tests.flows.stage import Stage, empty_books, open_house
from tests.web.stage import open_stage

UNCLOSED = "unclosed <socket"
"""Prefect's flow engine opens a synchronous client per run and never closes it: its sockets end with the garbage."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{UNCLOSED}:ResourceWarning"))


def clear_away() -> None:
    """End Prefect's leftovers here, where they are expected, and not in somebody else's test."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", UNCLOSED, ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def books_url(server_url: str) -> str:
    """A migrated database of the flow tests."""
    return asyncio.run(_make_database(server_url, "ballast_flows", migrate=True))


async def _make_database(server_url: str, name: str, *, migrate: bool) -> str:
    await create_database(server_url, name)
    url = server_url.replace("/postgres?", f"/{name}?")
    if migrate:
        await upgrade(url)
    return url


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_api(server_url: str, prefect_home: Path) -> Iterator[str]:
    """The address of the one Prefect server of this session."""
    url = asyncio.run(_make_database(server_url, "prefect", migrate=False))
    with prefect_server(url, prefect_home) as api:
        yield api
    clear_away()


@pytest.fixture(scope="session")
async def running_world() -> AsyncIterator[World]:
    now = datetime.now(UTC)
    world = start_world(clock={"start": now.isoformat(), "speed": 1.0, "anchor": now.timestamp()})
    yield world
    await world.stop()


@pytest.fixture
async def stage(
    books_url: str, prefect_api: str, running_world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """The house that flows and tasks of this test work in, its web process, and the world that delivers to it."""
    house = open_house(books_url, running_world)
    await empty_books(house)
    monkeypatch.setitem(ballast.wiring._open, asyncio.get_running_loop(), house)
    async with open_stage(house) as web:
        await running_world.post("hooks", {"hooks": f"http://127.0.0.1:{web.port}/hooks"})
        for robot in ("dingtalk", "wecom", "feishu"):  # their patience is a minute long, ours is not
            await running_world.post("robot", {"robot": robot, "per_minute": 1000, "refuse": 0})
        yield Stage(house, running_world)
        await running_world.calm()
        await running_world.post("settle", {"timeout": 10})
        await running_world.post("hooks", {"hooks": None})
    await house.close()
    clear_away()
