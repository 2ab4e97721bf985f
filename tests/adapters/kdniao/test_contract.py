"""快递鸟 against the simulated 快递鸟. Parcels come into the world through its warehouse."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.couriers.kdniao.client import Kdniao
from adapters.couriers.kdniao.webhook import KdniaoHook
from adapters.errors import Refused
from adapters.wms.qimen.client import Qimen
from ballast.clock import Clock
from ballast.domain.words import Event
from ballast.ports import Waybill
from tests.contracts.courier_contract import CourierContract, NewParcel
from tests.contracts.orders import place_order
from tests.contracts.outside import World, settings_for

IN_THE_WAREHOUSE = {"YD": "YUNDA"}


@pytest.fixture
async def courier(world: World) -> AsyncIterator[Kdniao]:
    client = Kdniao(settings_for(world).kdniao, Clock())
    yield client
    await client.close()


@pytest.fixture
def hook(world: World) -> KdniaoHook:
    return KdniaoHook(settings_for(world).kdniao)


@pytest.fixture
async def new_parcel(world: World) -> AsyncIterator[NewParcel]:
    warehouse = Qimen(settings_for(world).qimen, Clock())

    async def ship(carrier: str) -> Waybill:
        order = await place_order(world, [("SKU-001", 1)])
        await warehouse.create(order)
        package = {"carrier": IN_THE_WAREHOUSE.get(carrier, carrier), "items": {"SKU-001": 1}}
        await world.act(order.order_no, "ship", packages=[package])
        [parcel] = (await world.truth(order.order_no))["parcels"]
        return Waybill(
            order_no=order.order_no,
            carrier=carrier,
            waybill=parcel["waybill"],
            phone_tail=order.receiver.mobile[-4:],
        )

    yield ship
    await warehouse.close()


class TestKdniao(CourierContract):
    """Everything that a courier must do."""

    async def test_the_other_dialect_of_a_carrier_reaches_its_parcel(
        self, courier: Kdniao, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("YD")
        await world.act(parcel.order_no, "scan", state_ex="1")
        assert len(await courier.track(parcel)) == 1

    async def test_the_free_edition_is_read_too(self, world: World, new_parcel: NewParcel) -> None:
        settings = settings_for(world).kdniao.model_copy(update={"query_type": "1002"})
        courier = Kdniao(settings, Clock())
        parcel = await new_parcel("YTO")
        await world.act(parcel.order_no, "scan", state_ex="204")
        [news] = await courier.track(parcel)
        await courier.close()
        assert (news.field, news.said, news.event) == ("State", "2", Event.SCANNED)
        assert news.first_scan_at == news.happened_at

    async def test_a_wrong_key_is_refused_in_their_words(self, world: World, new_parcel: NewParcel) -> None:
        settings = settings_for(world).kdniao.model_copy(update={"api_key": SecretStr("wrong")})
        courier = Kdniao(settings, Clock())
        with pytest.raises(Refused, match="DataSign"):
            await courier.subscribe(await new_parcel("YTO"))
        await courier.close()
