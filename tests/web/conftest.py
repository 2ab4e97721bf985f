"""A house with every system configured, and its web process."""

from collections.abc import AsyncIterator

import pytest

from ballast.wiring import House
from tests.web.stage import Stage, make_house, open_stage


@pytest.fixture
async def house(a_house: House, database_url: str) -> AsyncIterator[House]:
    """Its own connections, because some tests cut them; its tables were emptied by `a_house`."""
    here = make_house(database_url)
    yield here
    await here.close()


@pytest.fixture
async def stage(house: House) -> AsyncIterator[Stage]:
    async with open_stage(house) as opened:
        yield opened
