"""奇门 against the simulated warehouse."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.errors import OutcomeUnknown, Unavailable
from adapters.wms.qimen.client import Qimen
from adapters.wms.qimen.webhook import QimenHook
from ballast.clock import Clock
from ballast.domain.words import TO_COME
from tests.contracts.orders import place_order
from tests.contracts.outside import World, settings_for
from tests.contracts.wms_contract import WmsContract, creates


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


class TestQimenInBatches(WmsContract):
    """The same from a client that lets orders share calls: those of one moment do, a single one goes as before."""

    @pytest.fixture
    async def wms(self, world: World) -> AsyncIterator[Qimen]:
        client = Qimen(settings_for(world).qimen.model_copy(update={"orders_per_call": 5}), Clock())
        yield client
        await client.close()
        await world.post("warehouse")

    async def test_orders_share_calls(self, wms: Qimen, world: World) -> None:
        orders = [await place_order(world) for _ in range(10)]
        before = (await world.get("progress"))["calls"]
        receipts = await asyncio.gather(*map(wms.create, orders))
        after = (await world.get("progress"))["calls"]
        made = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
        assert made == {"qimen.deliveryorder.batchcreate": 2}
        assert all(receipt.detail == TO_COME for receipt in receipts)

    async def test_a_batch_without_effect_is_seen_by_looking(self, wms: Qimen, world: World) -> None:
        orders = [await place_order(world) for _ in range(3)]
        await world.faults(system="*", success_without_effect=1.0)
        await asyncio.gather(*map(wms.create, orders))
        await world.calm()
        assert [list(await wms.ask(order.order_no)) for order in orders] == [[], [], []]
        receipts = await asyncio.gather(*(wms.create(order, look_first=True) for order in orders))
        assert all(receipt.detail == {} for receipt in receipts)
        assert [await creates(world, order.order_no) for order in orders] == [1, 1, 1]

    async def test_a_repeat_while_the_batch_is_under_way_makes_nothing_twice(self, wms: Qimen, world: World) -> None:
        orders = [await place_order(world) for _ in range(3)]
        await world.post("warehouse", {"batch_seconds": 0.3})
        await world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.0)
        ends = await asyncio.gather(*map(wms.create, orders), return_exceptions=True)
        assert [type(end) for end in ends] == [OutcomeUnknown] * 3
        await world.calm()
        await asyncio.gather(*(wms.create(order, look_first=True) for order in orders))
        await asyncio.sleep(0.4)  # now the batch is made, and its orders are there already
        assert [await creates(world, order.order_no) for order in orders] == [1, 1, 1]
        assert await world.duplicates() == {}

    async def test_a_warehouse_that_knows_no_batches_gets_them_one_by_one(self, wms: Qimen, world: World) -> None:
        orders = [await place_order(world) for _ in range(4)]
        await world.post("warehouse", {"batchcreate": False})
        receipts = await asyncio.gather(*map(wms.create, orders))
        assert all(receipt.detail == {} for receipt in receipts)
        assert [await creates(world, order.order_no) for order in orders] == [1, 1, 1, 1]
