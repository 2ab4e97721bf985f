"""企业微信 against the simulated robot."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.alerts.wecom.client import Wecom
from adapters.errors import Refused
from ballast.clock import Clock
from ballast.ports import Digest, Item, Person
from tests.contracts.alerts_contract import LINK, WANG, AlertsContract
from tests.contracts.outside import World, wecom_for


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Wecom]:
    await world.post("robot", {"robot": "wecom", "per_minute": 1000})
    client = Wecom(wecom_for(world), Clock())
    yield client
    await client.close()


class TestWecom(AlertsContract):
    """Everything that an alert channel must do."""

    robot = "wecom"
    ring = "<@wangwu>"

    async def test_a_wrong_key_is_not_taken_for_success(self, world: World) -> None:
        """HTTP says 200: only errcode tells."""
        client = Wecom(wecom_for(world).model_copy(update={"key": SecretStr("wrong")}), Clock())
        with pytest.raises(Refused, match="BALLAST_WECOM__KEY"):
            await client.send(Digest("t", (Item("l"),)))
        await client.close()

    async def test_who_has_only_a_mobile_is_rung_by_a_text(self, alerts: Wecom, world: World) -> None:
        """One message, as always: markdown knows no mobiles, and a second message could get lost."""
        items = tuple(Item(f"SO{number}", "超时未揽收", LINK) for number in range(500))
        digest = Digest("只有手机号 4711", items, (WANG, Person("钱七", mobile="13800000007")))
        await alerts.send(digest)
        [shown] = await self._shown(world, digest)
        assert shown["msgtype"] == "text"
        assert shown["text"]["mentioned_list"] == ["wangwu"]
        assert shown["text"]["mentioned_mobile_list"] == ["13800000007"]
        assert len(shown["text"]["content"].encode()) <= 2048
        assert shown["text"]["content"].count(LINK) == shown["text"]["content"].count("- SO") > 0
