"""What every WMS adapter must do, against a world that knows the truth: subclass it, give wms, hook and world."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from adapters.errors import BadSignature, OutcomeUnknown, Refused, Unavailable
from ballast.domain.words import Event, HoldReason
from ballast.ports import GoodsBack, Hook, HookRequest, News, Order, PiecesBack, Wms
from tests.contracts.orders import place_order, sent_back
from tests.contracts.outside import World


class WmsContract:
    async def test_ping_says_who_answers(self, wms: Wms) -> None:
        assert await wms.ping()

    async def test_it_says_what_it_counts(self, wms: Wms, world: World) -> None:
        """What it does not list it does not have; what is not its own is left out."""
        await world.post("stock", {"sku": "SKU-050", "quantity": 7, "warehouse": "WH02"})
        said = await wms.stock([("SKU-050", "CK002"), ("SKU-NOBODY", "CK001"), ("SKU-050", "nowhere")])
        counted = {(one.sku, one.warehouse): (one.free, one.frozen) for one in said.counted}
        assert counted == {("SKU-050", "CK002"): (7, 0), ("SKU-NOBODY", "CK001"): (0, 0)}
        assert list(said.refused) == []

    async def test_a_delivery_order_is_handed_over_once(self, wms: Wms, world: World) -> None:
        order = await place_order(world)
        receipt = await wms.create(order)
        assert receipt.reference
        assert (await world.truth(order.order_no))["wms"]["creates"] == 1

    @pytest.mark.parametrize("look_first", [True, False])
    async def test_handing_over_again_changes_nothing(self, wms: Wms, world: World, look_first: bool) -> None:
        order = await place_order(world)
        first = await wms.create(order)
        assert await wms.create(order, look_first=look_first) == first
        assert (await world.truth(order.order_no))["wms"]["creates"] == 1
        assert await world.duplicates() == {}

    async def test_a_time_out_after_the_effect_is_looked_up(self, wms: Wms, world: World) -> None:
        order = await place_order(world)
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown):
            await wms.create(order)
        receipt = await wms.create(order, look_first=True)
        assert receipt.reference
        assert (await world.truth(order.order_no))["wms"]["creates"] == 1
        assert await world.duplicates() == {}

    async def test_an_answer_without_effect_is_seen_by_looking(self, wms: Wms, world: World) -> None:
        order = await place_order(world)
        await world.faults(system="*", success_without_effect=1.0)
        await wms.create(order)
        await world.calm()
        assert list(await wms.ask(order.order_no)) == []
        await wms.create(order, look_first=True)
        assert (await world.truth(order.order_no))["wms"]["creates"] == 1

    async def test_two_deliveries_of_an_order_are_known_apart(self, wms: Wms, hook: Hook, world: World) -> None:
        order = await place_order(world, [("SKU-001", 3)])
        first, second = (
            replace(order, warehouse=warehouse, delivery=code, lines=(replace(order.lines[0], quantity=pieces),))
            for code, warehouse, pieces in ((order.order_no, "CK001", 2), (f"{order.order_no}.2", "CK002", 1))
        )
        await wms.create(first)
        assert await creates(world, order.order_no) == 1
        await wms.create(second)
        while await creates(world, order.order_no) < 2:
            await asyncio.sleep(0.02)
        assert (await world.truth(order.order_no))["wms"]["warehouses"] == ["WH01", "WH02"]
        await wms.cancel(first, "elsewhere")
        [stopped], [going] = await wms.ask(first.code), await wms.ask(second.code)
        assert (stopped.order_no, stopped.delivery, stopped.event) == (order.order_no, "", Event.WAREHOUSE_CANCELLED)
        assert (going.order_no, going.delivery) == (order.order_no, second.code)
        [sent] = (await world.act(second.code, "report", status="PICK"))["sent"]
        [message] = hook.receive(as_request(sent), datetime.now(UTC)).messages
        [told] = read_hooks(hook, [sent])
        assert (message.order_no, told.order_no, told.delivery) == (order.order_no, order.order_no, second.code)
        assert await world.duplicates() == {}

    async def test_an_outage_is_unavailable_and_nothing_happened(self, wms: Wms, world: World) -> None:
        order = await place_order(world)
        await world.faults(system="*", error_rate=1.0)
        with pytest.raises(Unavailable):
            await wms.create(order)
        assert (await world.truth(order.order_no))["wms"]["creates"] == 0

    async def test_a_warehouse_that_nobody_mapped_is_refused_before_any_call(self, wms: Wms, world: World) -> None:
        order = replace(await place_order(world), warehouse="CK999")
        with pytest.raises(Refused, match="CK999") as refused:
            await wms.create(order)
        assert refused.value.order_no == order.order_no
        assert (await world.truth(order.order_no))["wms"]["creates"] == 0

    async def test_an_order_can_be_stopped_before_it_is_picked(self, wms: Wms, world: World) -> None:
        order = await place_order(world)
        await wms.create(order)
        await wms.cancel(order, "客户取消")
        [news] = await wms.ask(order.order_no)
        assert news.event is Event.WAREHOUSE_CANCELLED
        await wms.cancel(order, "客户取消", look_first=True)
        with pytest.raises(Refused):  # it will not ship it any more: never taken for a success
            await wms.create(order, look_first=True)

    async def test_it_is_too_late_to_stop_what_left(self, wms: Wms, world: World) -> None:
        order = await place_order(world, [("SKU-001", 2)])
        await wms.create(order)
        await world.act(order.order_no, "ship", packages=[{"items": {"SKU-001": 2}}])
        with pytest.raises(Refused):
            await wms.cancel(order, "客户取消")

    async def test_it_says_how_an_order_stands(self, wms: Wms, hook: Hook, world: World) -> None:
        order = await place_order(world, [("SKU-001", 2), ("SKU-002", 1)])
        assert list(await wms.ask(order.order_no)) == []
        await wms.create(order)
        [news] = await wms.ask(order.order_no)
        assert news.event is Event.WAREHOUSE_PROGRESS
        told = await world.act(order.order_no, "ship", packages=[{"items": {"SKU-001": 2, "SKU-002": 1}}])
        [asked] = await wms.ask(order.order_no)
        [heard] = [one for one in read_hooks(hook, told["sent"]) if one.event is Event.SHIPPED]
        assert (asked.event, asked.parcels, asked.final) == (heard.event, heard.parcels, True)

    async def test_a_confirm_brings_every_parcel(self, wms: Wms, hook: Hook, world: World) -> None:
        order = await place_order(world, [("SKU-001", 2)])
        await wms.create(order)
        packages = [{"carrier": "YD", "items": {"SKU-001": 1}}, {"items": {"SKU-001": 1}}]
        told = await world.act(order.order_no, "ship", packages=packages)
        [news] = [one for one in read_hooks(hook, told["sent"]) if one.event is Event.SHIPPED]
        truth = await world.truth(order.order_no)
        assert {one.waybill: one.carrier for one in news.parcels} == {
            one["waybill"]: one["carrier"] for one in truth["parcels"]
        }
        assert [dict(one.items) for one in news.parcels] == [{"SKU-001": 1}, {"SKU-001": 1}]

    async def test_work_in_the_warehouse_is_progress(self, wms: Wms, hook: Hook, world: World) -> None:
        order = await place_order(world)
        await wms.create(order)
        told = await world.act(order.order_no, "report", status="PACKAGE")
        [news] = read_hooks(hook, told["sent"])
        assert (news.order_no, news.event, news.said) == (order.order_no, Event.WAREHOUSE_PROGRESS, "PACKAGE")

    async def test_an_empty_shelf_holds_the_order_and_names_the_goods(self, wms: Wms, hook: Hook, world: World) -> None:
        order = await place_order(world, [("SKU-007", 3)])
        await wms.create(order)
        told = await world.act(order.order_no, "lack")
        [news] = read_hooks(hook, told["sent"])
        assert (news.event, news.reason) == (Event.HELD, HoldReason.WAREHOUSE_SHORT)
        assert "SKU-007" in news.text

    async def test_a_changed_message_is_not_believed(self, wms: Wms, hook: Hook, world: World) -> None:
        order = await place_order(world)
        await wms.create(order)
        [sent] = (await world.act(order.order_no, "report", status="PICK"))["sent"]
        request = as_request(sent)
        with pytest.raises(BadSignature):
            hook.receive(replace(request, body=request.body.replace(b"PICK", b"SIGN")), datetime.now(UTC))

    async def test_a_return_is_announced_once_whatever_is_answered(self, wms: Wms, world: World) -> None:
        order = await place_order(world)
        back = sent_back(order)
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown):
            await wms.take_back(back)
        await world.calm()
        assert (await wms.take_back(back, look_first=True)).reference
        assert (await wms.take_back(back)).reference
        [told] = [one for one in (await world.get("returns"))["returns"] if one["return_no"] == back.return_no]
        assert (told["order_no"], told["lines"]) == (order.order_no, [{"sku": "SKU-001", "plan": 1, "actual": 0}])

    async def test_a_return_that_the_warehouse_will_not_take_is_refused_in_its_words(
        self, wms: Wms, world: World
    ) -> None:
        order = await place_order(world)
        strange = replace(order, lines=(replace(order.lines[0], sku="SKU-NOBODY-KNOWS"),))
        with pytest.raises(Refused, match="SKU-NOBODY-KNOWS"):
            await wms.take_back(sent_back(strange))

    async def test_what_came_back_is_told_good_and_damaged(self, wms: Wms, hook: Hook, world: World) -> None:
        order = await place_order(world)
        back = sent_back(order, good=2)
        await wms.take_back(back)
        came = [{"sku": "SKU-001", "good": 1, "damaged": 1}]
        told = await world.post(f"returns/{back.return_no}/confirm", {"items": came, "final": False})
        [news] = read_hooks(hook, told["sent"])
        assert (news.order_no, news.event) == (order.order_no, Event.NOTED)
        piece = PiecesBack(sku="SKU-001", line_no=1, good=1, damaged=1)
        assert news.goods_back == GoodsBack(return_no=back.return_no, pieces=(piece,), final=False)

    async def test_what_is_in_is_told_when_it_is_asked_whatever_was_confirmed(self, wms: Wms, world: World) -> None:
        order = await place_order(world)
        back = sent_back(order, good=2)
        assert list(await wms.ask_return(back.return_no)) == []
        await wms.take_back(back)
        [before] = await wms.ask_return(back.return_no)
        assert before.goods_back == GoodsBack(return_no=back.return_no, pieces=(), final=False, so_far=True)
        await world.faults(system="*", webhook_lost=1.0)
        for good, damaged, final in ((1, 0, False), (0, 1, True)):
            came = [{"sku": "SKU-001", "good": good, "damaged": damaged}]
            await world.post(f"returns/{back.return_no}/confirm", {"items": came, "final": final})
        [news] = await wms.ask_return(back.return_no)
        piece = PiecesBack(sku="SKU-001", line_no=1, good=1, damaged=1)
        assert (news.order_no, news.event) == (order.order_no, Event.NOTED)
        assert news.goods_back == GoodsBack(return_no=back.return_no, pieces=(piece,), final=True, so_far=True)

    async def test_a_storm_does_nothing_twice(self, wms: Wms, world: World) -> None:
        orders = [await place_order(world) for _ in range(12)]
        await world.faults(system="*", error_rate=0.2, timeout_after_effect=0.3, hang_seconds=0.0)
        await asyncio.gather(*(_through_the_storm(wms, order) for order in orders))
        for order in orders:
            assert await creates(world, order.order_no) == 1
        assert await world.duplicates() == {}

    async def test_orders_of_one_moment_are_each_handed_over_once(self, wms: Wms, world: World) -> None:
        orders = [await place_order(world) for _ in range(7)]
        lost = replace(orders[3], warehouse="CK999")
        ends = await asyncio.gather(*map(wms.create, [*orders[:3], lost, *orders[4:]]), return_exceptions=True)
        assert [at for at, end in enumerate(ends) if isinstance(end, Refused)] == [3]
        for order in (*orders[:3], *orders[4:]):
            assert await creates(world, order.order_no) == 1
            assert len(await wms.ask(order.order_no)) == 1
        assert await world.duplicates() == {}


async def creates(world: World, order_no: str) -> int:
    """How often the warehouse made a delivery order; one that takes orders on makes them a moment later."""
    for _ in range(100):
        if made := (await world.truth(order_no))["wms"]["creates"]:
            return int(made)
        await asyncio.sleep(0.02)
    return 0


def as_request(sent: Mapping[str, Any]) -> HookRequest:
    """A webhook as the world sent it, as our web layer hands it over."""
    return HookRequest(
        method="POST",
        query=dict(parse_qsl(urlsplit(sent["path"]).query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in sent["headers"].items()},
        body=sent["body"].encode(),
    )


def read_hooks(hook: Hook, sent: list[dict[str, Any]]) -> list[News]:
    """What the world's messages say, through the door and the reader."""
    now = datetime.now(UTC)
    messages = [one for each in sent for one in hook.receive(as_request(each), now).messages]
    return [news for one in messages if (news := hook.read(one, hook.codes)) is not None]


async def _through_the_storm(wms: Wms, order: Order) -> None:
    for attempt in range(30):
        try:
            await wms.create(order, look_first=attempt > 0)
        except (OutcomeUnknown, Unavailable):
            continue
        return
    raise AssertionError(f"{order.order_no} did not get through in 30 attempts")
