"""What every storefront adapter must do, against a world that knows the truth: subclass it, give shop, hook, world."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.errors import BadSignature, OutcomeUnknown, Refused, Unavailable
from ballast.domain.words import Event
from ballast.ports import Hook, Order, Storefront
from tests.contracts.orders import place_order, shipped
from tests.contracts.outside import World
from tests.contracts.wms_contract import as_request, read_hooks

SIGNED_AT = datetime(2026, 1, 7, 3, 0, tzinfo=UTC)


class StorefrontContract:
    async def test_ping_says_who_answers(self, shop: Storefront) -> None:
        assert await shop.ping()

    async def test_one_parcel_is_shown_to_the_customer(self, shop: Storefront, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000001")
        await shop.tell_shipped(order)
        told = await _shop(world, order)
        assert (told["order_state"], told["uploads"], told["tracking"]) == (2, 1, ["YT1000000000001"])

    async def test_several_parcels_are_shown_in_one_upload(self, shop: Storefront, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000002", "YT1000000000003")
        await shop.tell_shipped(order)
        told = await _shop(world, order)
        assert (told["order_state"], told["uploads"]) == (2, 1)
        assert set(told["tracking"]) == {"YT1000000000002", "YT1000000000003"}

    @pytest.mark.parametrize("carrier", ["YTO", "ZTO", "STO", "YD", "SF", "EMS"])
    async def test_every_carrier_is_told_in_the_shops_dialect(
        self, shop: Storefront, world: World, carrier: str
    ) -> None:
        order = shipped(await place_order(world), f"{carrier}1000000000004")
        [parcel] = order.parcels
        await shop.tell_shipped(replace(order, parcels=(replace(parcel, carrier=carrier),)))
        assert (await _shop(world, order))["uploads"] == 1

    @pytest.mark.parametrize("look_first", [False, True])
    @pytest.mark.parametrize("waybills", [("YT1000000000005",), ("YT1000000000006", "YT1000000000007")])
    async def test_telling_again_changes_nothing(
        self, shop: Storefront, world: World, look_first: bool, waybills: tuple[str, ...]
    ) -> None:
        order = shipped(await place_order(world), *waybills)
        await shop.tell_shipped(order)
        await shop.tell_shipped(order, look_first=look_first)
        assert (await _shop(world, order))["uploads"] == 1
        assert await world.duplicates() == {}

    async def test_a_time_out_after_the_effect_is_looked_up(self, shop: Storefront, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000008")
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown, match=order.order_no):
            await shop.tell_shipped(order)
        assert await shop.tell_shipped(order, look_first=True)
        assert (await _shop(world, order))["uploads"] == 1
        assert await world.duplicates() == {}

    async def test_an_answer_without_effect_is_seen_by_looking(self, shop: Storefront, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000009")
        await world.faults(system="*", success_without_effect=1.0)
        with pytest.raises(OutcomeUnknown, match=order.order_no):
            await shop.tell_shipped(order)
        await world.calm()
        assert (await _shop(world, order))["uploads"] == 0
        await shop.tell_shipped(order, look_first=True)
        assert (await _shop(world, order))["uploads"] == 1

    async def test_an_outage_is_unavailable_and_nothing_happened(self, shop: Storefront, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000010")
        await world.faults(system="*", error_rate=1.0)
        with pytest.raises(Unavailable):
            await shop.tell_shipped(order)
        assert (await _shop(world, order))["uploads"] == 0

    async def test_an_order_that_is_not_visible_yet_waits(self, shop: Storefront, world: World) -> None:
        stranger = shipped(replace(await place_order(world), order_no="SO-NOT-THERE-YET"), "YT1000000000011")
        with pytest.raises(Unavailable, match="SO-NOT-THERE-YET"):
            await shop.tell_shipped(stranger)

    async def test_what_somebody_else_shipped_is_left_to_a_person(self, shop: Storefront, world: World) -> None:
        order = await place_order(world)
        await shop.tell_shipped(shipped(order, "YT1000000000012"))
        await world.act(order.order_no, "receive")
        with pytest.raises(Refused, match=order.order_no):
            await shop.tell_shipped(shipped(order, "YT1000000000013"))
        assert (await _shop(world, order))["tracking"] == ["YT1000000000012"]

    @pytest.mark.parametrize("look_first", [False, True])
    async def test_arrival_is_told_once(self, shop: Storefront, world: World, look_first: bool) -> None:
        order = shipped(await place_order(world), "YT1000000000014")
        await shop.tell_shipped(order)
        first = await shop.tell_received(order, SIGNED_AT)
        assert (await shop.tell_received(order, SIGNED_AT, look_first=look_first)).reference == first.reference
        assert await world.duplicates() == {}

    async def test_arrival_through_a_time_out(self, shop: Storefront, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000015")
        await shop.tell_shipped(order)
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown, match=order.order_no):
            await shop.tell_received(order, SIGNED_AT)
        await world.calm()  # a reminder cannot be read back: the shop's own refusal of a second one has to be heard
        assert await shop.tell_received(order, SIGNED_AT, look_first=True)
        assert await world.duplicates() == {}

    @pytest.mark.parametrize("look_first", [False, True])
    async def test_arrival_after_the_customer_confirmed_is_fine(
        self, shop: Storefront, world: World, look_first: bool
    ) -> None:
        order = shipped(await place_order(world), "YT1000000000016")
        await shop.tell_shipped(order)
        await world.act(order.order_no, "receive")
        assert await shop.tell_received(order, SIGNED_AT, look_first=look_first)

    async def test_a_confirmed_receipt_is_heard_and_asked(self, shop: Storefront, hook: Hook, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000017")
        await shop.tell_shipped(order)
        [before] = await shop.ask(order.order_no)
        told = await world.act(order.order_no, "receive")
        [heard] = read_hooks(hook, told["sent"])
        [asked] = await shop.ask(order.order_no)
        assert before.event is Event.NOTED
        assert heard.event is asked.event is Event.RECEIPT_CONFIRMED
        assert heard.order_no == asked.order_no == order.order_no

    async def test_an_unknown_order_is_no_news(self, shop: Storefront) -> None:
        assert list(await shop.ask("SO-NOBODY-KNOWS")) == []

    async def test_a_changed_message_is_not_believed(self, shop: Storefront, hook: Hook, world: World) -> None:
        order = shipped(await place_order(world), "YT1000000000018")
        await shop.tell_shipped(order)
        [sent] = (await world.act(order.order_no, "receive"))["sent"]
        request = as_request(sent)
        middle = len(request.body) // 2
        changed = b"A" if request.body[middle : middle + 1] != b"A" else b"B"
        with pytest.raises(BadSignature):
            hook.receive(
                replace(request, body=request.body[:middle] + changed + request.body[middle + 1 :]), datetime.now(UTC)
            )

    async def test_a_storm_does_nothing_twice(self, shop: Storefront, world: World) -> None:
        orders = [shipped(await place_order(world), f"YT20000000000{number:02}") for number in range(12)]
        await world.faults(system="*", error_rate=0.2, timeout_after_effect=0.3, hang_seconds=0.0)
        await asyncio.gather(*(_through_the_storm(shop, order) for order in orders))
        await world.calm()
        assert await world.duplicates() == {}
        for order in orders:
            assert (await _shop(world, order))["uploads"] == 1


async def _shop(world: World, order: Order) -> dict[str, Any]:
    return dict((await world.truth(order.order_no))["shop"])


async def _through_the_storm(shop: Storefront, order: Order) -> None:
    for attempt in range(30):
        try:
            await shop.tell_shipped(order, look_first=attempt > 0)
        except (OutcomeUnknown, Unavailable):
            continue
        return
    raise AssertionError(f"{order.order_no} did not get through in 30 attempts")
