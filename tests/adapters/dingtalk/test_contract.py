"""钉钉 against the simulated robot."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.alerts.dingtalk.client import Dingtalk
from adapters.errors import Refused
from ballast.clock import Clock
from ballast.ports import Digest, Item
from tests.contracts.alerts_contract import AlertsContract
from tests.contracts.outside import World, settings_for


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Dingtalk]:
    await world.post("robot", {"robot": "dingtalk", "per_minute": 1000})
    client = Dingtalk(settings_for(world).dingtalk, Clock())
    yield client
    await client.close()


class TestDingtalk(AlertsContract):
    """Everything that an alert channel must do."""

    robot = "dingtalk"
    ring = "@13800000001"

    async def test_a_wrong_secret_is_not_taken_for_success(self, world: World) -> None:
        """HTTP says 200: only errcode tells."""
        client = Dingtalk(settings_for(world).dingtalk.model_copy(update={"secret": SecretStr("SECwrong")}), Clock())
        with pytest.raises(Refused, match="BALLAST_DINGTALK__SECRET"):
            await client.send(Digest("t", (Item("l"),)))
        await client.close()
