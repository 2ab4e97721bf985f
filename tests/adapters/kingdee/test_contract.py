"""金蝶 against the simulated 金蝶."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.erp.kingdee.client import Kingdee
from adapters.errors import Unavailable
from ballast.clock import Clock
from tests.contracts.erp_contract import ErpContract
from tests.contracts.outside import World, settings_for


@pytest.fixture
async def erp(world: World) -> AsyncIterator[Kingdee]:
    client = Kingdee(settings_for(world).kingdee, Clock())
    yield client
    await client.close()


class TestKingdee(ErpContract):
    """Everything that an ERP must do."""

    async def test_a_wrong_secret_is_nothing_that_an_order_can_help(self, world: World) -> None:
        settings = settings_for(world).kingdee.model_copy(update={"app_secret": SecretStr("not the secret")})
        client = Kingdee(settings, Clock())
        with pytest.raises(Unavailable) as no:
            await client.ping()
        await client.close()
        assert "not the secret" not in str(no.value)
