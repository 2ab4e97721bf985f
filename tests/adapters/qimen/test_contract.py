"""奇门 against the simulated warehouse."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.errors import Unavailable
from adapters.wms.qimen.client import Qimen
from adapters.wms.qimen.webhook import QimenHook
from ballast.clock import Clock
from tests.contracts.outside import World, settings_for
from tests.contracts.wms_contract import WmsContract


@pytest.fixture
async def wms(world: World) -> AsyncIterator[Qimen]:
    client = Qimen(settings_for(world).qimen, Clock())
    yield client
    await client.close()


@pytest.fixture
def hook(world: World) -> QimenHook:
    return QimenHook(settings_for(world).qimen)


class TestQimen(WmsContract):
    """Everything that a WMS must do."""

    async def test_a_wrong_secret_is_nothing_that_an_order_can_help(self, world: World) -> None:
        settings = settings_for(world).qimen.model_copy(update={"secret": SecretStr("not the secret")})
        client = Qimen(settings, Clock())
        with pytest.raises(Unavailable) as no:
            await client.ping()
        await client.close()
        assert "not the secret" not in str(no.value)
