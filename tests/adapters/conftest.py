"""One simulated world for all adapter tests; every test leaves it calm."""

from collections.abc import AsyncIterator

import pytest

from tests.contracts.outside import World, start_world


@pytest.fixture(scope="session")
async def running_world() -> AsyncIterator[World]:
    world = start_world()
    yield world
    await world.stop()


@pytest.fixture
async def world(running_world: World) -> AsyncIterator[World]:
    yield running_world
    await running_world.calm()
