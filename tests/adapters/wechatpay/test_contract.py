"""微信支付 against the simulated one."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.errors import Refused
from adapters.payments.wechatpay.client import Wechatpay
from adapters.payments.wechatpay.webhook import WechatpayHook
from ballast.clock import Clock
from tests.contracts.outside import World, key_pair, settings_for
from tests.contracts.payment_contract import PaymentContract


@pytest.fixture
async def payment(world: World) -> AsyncIterator[Wechatpay]:
    client = Wechatpay(settings_for(world).wechatpay, Clock())
    yield client
    await client.close()


@pytest.fixture
def hook(world: World) -> WechatpayHook:
    return WechatpayHook(settings_for(world).wechatpay)


class TestWechatpay(PaymentContract):
    """Everything that a payment provider must do."""

    async def test_a_wrong_key_is_refused_in_their_words(self, world: World) -> None:
        wrong = SecretStr(key_pair("somebody else").private)
        client = Wechatpay(settings_for(world).wechatpay.model_copy(update={"merchant_private_key": wrong}), Clock())
        with pytest.raises(Refused, match="SIGN_ERROR"):
            await client.ping()
        await client.close()
