"""飞书 against the simulated bot."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.alerts.feishu.client import Feishu
from adapters.errors import Refused
from ballast.clock import Clock
from ballast.ports import Digest, Item
from tests.contracts.alerts_contract import AlertsContract
from tests.contracts.outside import World, feishu_for


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Feishu]:
    await world.post("robot", {"robot": "feishu", "per_minute": 1000, "per_second": 1000})
    client = Feishu(feishu_for(world), Clock())
    yield client
    await client.close()


class TestFeishu(AlertsContract):
    """Everything that an alert channel must do."""

    robot = "feishu"
    ring = "<at id=ou_wangwu></at>"

    @pytest.mark.parametrize(
        ("name", "advice"), [("token", "BALLAST_FEISHU__TOKEN"), ("secret", "BALLAST_FEISHU__SECRET")]
    )
    async def test_a_wrong_secret_is_not_taken_for_success(self, world: World, name: str, advice: str) -> None:
        """HTTP says 200: only code tells."""
        settings = feishu_for(world).model_copy(update={name: SecretStr("wrong")})
        client = Feishu(settings, Clock())
        with pytest.raises(Refused, match=advice):
            await client.send(Digest("t", (Item("l"),)))
        await client.close()
