"""What every courier adapter must do, against a world that knows the truth: subclass it, give courier, hook, world."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.errors import BadSignature, OutcomeUnknown, Unavailable, UnknownCode
from ballast.domain.words import Event, HoldReason
from ballast.ports import Courier, Hook, News, Waybill
from tests.contracts.outside import World
from tests.contracts.wms_contract import as_request, read_hooks

NewParcel = Callable[[str], Awaitable[Waybill]]
"""Have the world hand a parcel of this carrier to the courier (fixture `new_parcel`)."""


class CourierContract:
    async def test_ping_says_who_answers(self, courier: Courier) -> None:
        assert await courier.ping()

    async def test_a_subscribed_parcel_is_heard_of(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("YTO")
        await courier.subscribe(parcel)
        news = await _scan(world, hook, parcel, "204")
        assert (news.order_no, news.waybill, news.event) == (parcel.order_no, parcel.waybill, Event.SCANNED)
        assert news.first_scan_at == news.happened_at
        assert abs(news.happened_at - await _world_time(world, parcel)) < timedelta(seconds=2)

    async def test_nobody_hears_of_a_parcel_that_was_not_subscribed(
        self, hook: Hook, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("YTO")
        told = await world.act(parcel.order_no, "scan", state_ex="1")
        assert read_hooks(hook, told["sent"]) == []

    @pytest.mark.parametrize("look_first", [False, True])
    async def test_subscribing_again_is_harmless(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel, look_first: bool
    ) -> None:
        parcel = await new_parcel("ZTO")
        first = await courier.subscribe(parcel)
        again = await courier.subscribe(parcel, look_first=look_first)
        assert again.reference == first.reference
        assert (await _scan(world, hook, parcel, "1")).event is Event.SCANNED

    async def test_a_time_out_after_the_effect_is_subscribed_again(
        self, courier: Courier, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("YTO")
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown, match=parcel.order_no):
            await courier.subscribe(parcel)
        await world.calm()
        await courier.subscribe(parcel, look_first=True)
        assert await world.duplicates() == {}

    async def test_an_outage_is_unavailable(self, courier: Courier, world: World, new_parcel: NewParcel) -> None:
        parcel = await new_parcel("YTO")
        await world.faults(system="*", error_rate=1.0)
        for call in (courier.subscribe(parcel), courier.track(parcel)):
            with pytest.raises(Unavailable):
                await call
        [told] = (await world.truth(parcel.order_no))["parcels"]
        assert told["subscribed"] == 0

    async def test_asking_and_hearing_say_the_same(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("EMS")
        assert list(await courier.track(parcel)) == []
        await courier.subscribe(parcel)
        for code, event in (("1", Event.SCANNED), ("202", Event.SCANNED), ("301", Event.PARCEL_SIGNED)):
            heard = await _scan(world, hook, parcel, code)
            [asked] = await courier.track(parcel)
            assert heard == asked
            assert heard.event is event

    async def test_a_locker_is_not_the_customers_hand(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("YTO")
        await courier.subscribe(parcel)
        assert (await _scan(world, hook, parcel, "211")).event is Event.SCANNED
        assert (await _scan(world, hook, parcel, "311")).event is Event.PARCEL_SIGNED

    @pytest.mark.parametrize(("problem", "better"), [("416", "419"), ("405", "418")])
    async def test_a_problem_holds_and_movement_ends_it(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel, problem: str, better: str
    ) -> None:
        parcel = await new_parcel("STO")
        await courier.subscribe(parcel)
        held = await _scan(world, hook, parcel, problem)
        assert (held.event, held.reason) == (Event.HELD, HoldReason.COURIER_PROBLEM)
        assert held.text
        assert (await _scan(world, hook, parcel, better)).event is Event.SCANNED

    async def test_an_unknown_code_parks(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("YTO")
        await courier.subscribe(parcel)
        with pytest.raises(UnknownCode, match=parcel.order_no):
            await _scan(world, hook, parcel, "299")
        with pytest.raises(UnknownCode, match=parcel.order_no):
            await courier.track(parcel)

    async def test_carriers_that_want_the_phone_tail_get_it(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("SF")
        await courier.subscribe(parcel)
        assert (await _scan(world, hook, parcel, "1")).event is Event.SCANNED
        assert len(await courier.track(parcel)) == 1

    async def test_a_changed_push_is_not_believed(
        self, courier: Courier, hook: Hook, world: World, new_parcel: NewParcel
    ) -> None:
        parcel = await new_parcel("YTO")
        await courier.subscribe(parcel)
        [sent] = (await world.act(parcel.order_no, "scan", state_ex="204"))["sent"]
        request = as_request(sent)
        forged = replace(request, body=request.body.replace(b"204", b"301"))
        assert forged.body != request.body
        with pytest.raises(BadSignature):
            hook.receive(forged, datetime.now(UTC))


async def _scan(world: World, hook: Hook, parcel: Waybill, code: str) -> News:
    told = await world.act(parcel.order_no, "scan", state_ex=code)
    [news] = read_hooks(hook, told["sent"])
    return news


async def _world_time(world: World, parcel: Waybill) -> datetime:
    [told] = (await world.truth(parcel.order_no))["parcels"]
    return datetime.fromisoformat(told["picked_up_at"])
