"""金蝶 against the simulated 金蝶."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from pydantic import SecretStr

from adapters.erp.kingdee.client import Kingdee
from adapters.errors import Unavailable
from ballast.clock import Clock
from tests.contracts.erp_contract import ErpContract
from tests.contracts.outside import START, World, settings_for


@pytest.fixture
async def erp(world: World) -> AsyncIterator[Kingdee]:
    client = Kingdee(settings_for(world).kingdee, Clock())
    yield client
    await client.close()


class TestKingdee(ErpContract):
    """Everything that an ERP must do."""

    async def test_it_says_which_places_changed(self, world: World) -> None:
        settings = settings_for(world).kingdee.model_copy(update={"stock_changed_field": "FUpdateTime"})
        client = Kingdee(settings, Clock())
        await world.post("stock", {"sku": "SKU-051", "quantity": 7, "warehouse": "WH02"})
        said = await client.stock_changed(datetime.fromisoformat(START))
        await client.close()
        assert said is not None and said.about is not None
        assert ("SKU-051", "CK002") in said.about and ("SKU-051", "CK001") not in said.about
        assert {(one.sku, one.warehouse) for one in said.figures} == said.about
        assert [one.on_hand for one in said.figures if (one.sku, one.warehouse) == ("SKU-051", "CK002")] == [7]

    async def test_a_wrong_secret_is_nothing_that_an_order_can_help(self, world: World) -> None:
        settings = settings_for(world).kingdee.model_copy(update={"app_secret": SecretStr("not the secret")})
        client = Kingdee(settings, Clock())
        with pytest.raises(Unavailable) as no:
            await client.ping()
        await client.close()
        assert "not the secret" not in str(no.value)
