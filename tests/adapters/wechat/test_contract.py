"""微信小程序 against the simulated one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.errors import Refused
from adapters.storefronts.wechat.client import Wechat
from adapters.storefronts.wechat.webhook import WechatHook
from ballast.clock import Clock
from tests.contracts.orders import place_order, shipped
from tests.contracts.outside import World, settings_for
from tests.contracts.storefront_contract import StorefrontContract


@pytest.fixture
async def shop(world: World) -> AsyncIterator[Wechat]:
    client = Wechat(settings_for(world).wechat, Clock())
    yield client
    await client.close()


@pytest.fixture
def hook(world: World) -> WechatHook:
    return WechatHook(settings_for(world).wechat)


class TestWechat(StorefrontContract):
    """Everything that a storefront must do."""

    async def test_an_expired_token_is_renewed_for_everybody(self, shop: Wechat, world: World) -> None:
        orders = [shipped(await place_order(world), f"YT30000000000{number:02}") for number in range(4)]
        await shop.ping()
        await world.post("tokens/expire")
        await asyncio.gather(*(shop.tell_shipped(order) for order in orders))
        assert await world.duplicates() == {}

    async def test_a_wrong_secret_is_named(self, world: World) -> None:
        settings = settings_for(world).wechat.model_copy(update={"app_secret": SecretStr("wrong")})
        client = Wechat(settings, Clock())
        with pytest.raises(Refused, match="BALLAST_WECHAT__APP_SECRET"):
            await client.ping()
        await client.close()
