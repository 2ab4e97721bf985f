"""The shop's backend as the world plays it."""

import pytest

from adapters.storefronts.direct.orders import read_order
from adapters.storefronts.direct.webhook import DirectHook
from ballast.clock import Clock
from tests.contracts.outside import World, settings_for
from tests.contracts.wms_contract import as_request


@pytest.fixture
def hook(world: World) -> DirectHook:
    return DirectHook(settings_for(world).direct)


async def test_placed_orders_are_taken_and_add_up(hook: DirectHook, world: World) -> None:
    for number in range(20):
        placed = await world.place(lines=[{"sku": "SKU-001", "quantity": number + 1}], freight=number * 100)
        [message] = hook.receive(as_request(placed["sent"][0]), Clock().machine_now()).messages
        order = read_order(message.payload)
        assert order.order_no == message.order_no == placed["order"]["order_no"]
        assert order.total == placed["order"]["total"]


async def test_scripted_orders_are_taken_too(hook: DirectHook, world: World) -> None:
    for _ in range(50):
        placed = await world.place()
        assert hook.receive(as_request(placed["sent"][0]), Clock().machine_now()).messages
