"""What every ERP adapter must do, against a world that knows the truth: subclass it, give fixtures erp and world."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.errors import OutcomeUnknown, OutOfStock, Refused, Unavailable
from ballast.domain.words import Event
from ballast.ports import Erp, Order, Receipt, Source, StockFigure
from tests.contracts.orders import place_order, sent_back, shipped
from tests.contracts.outside import World

SIGNED_AT = datetime(2026, 1, 7, 3, 0, tzinfo=UTC)
AUDITED = "C"


class ErpContract:
    async def test_ping_says_who_answers(self, erp: Erp) -> None:
        assert await erp.ping()

    async def test_a_reserved_order_is_audited_and_its_stock_is_held(self, erp: Erp, world: World) -> None:
        order = await place_order(world, [("SKU-002", 3)])
        before = (await _figure(erp, "SKU-002")).available
        receipt = await erp.reserve(order)
        assert receipt.reference == order.order_no
        assert await _sale_status(world, order) == AUDITED
        assert (await _figure(erp, "SKU-002")).available == before - 3

    @pytest.mark.parametrize("look_first", [True, False])
    async def test_reserving_again_changes_nothing(self, erp: Erp, world: World, look_first: bool) -> None:
        order = await place_order(world, [("SKU-002", 1)])
        first = await erp.reserve(order)
        held = (await _figure(erp, "SKU-002")).available
        assert await erp.reserve(order, look_first=look_first) == first
        assert (await _figure(erp, "SKU-002")).available == held
        assert await world.duplicates() == {}

    async def test_a_time_out_after_the_effect_is_looked_up(self, erp: Erp, world: World) -> None:
        """Whichever of the calls gets no answer: the outcome is unknown, nothing is repeated, the next attempt ends."""
        order = await place_order(world)
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        unanswered = 0
        while not await _succeeds(erp.reserve(order, look_first=unanswered > 0)):
            unanswered += 1
            assert unanswered < 5
        assert unanswered == 3  # save, submit, audit: each happened once and was never answered
        assert await _sale_status(world, order) == AUDITED
        assert await world.duplicates() == {}

    async def test_an_answer_without_effect_is_noticed(self, erp: Erp, world: World) -> None:
        order = await place_order(world)
        await world.faults(system="*", success_without_effect=1.0)
        with pytest.raises(OutcomeUnknown):
            await erp.reserve(order)
        await world.calm()
        await erp.reserve(order, look_first=True)
        assert await _sale_status(world, order) == AUDITED

    async def test_no_stock_is_told_apart_and_ends_when_it_is_there(self, erp: Erp, world: World) -> None:
        order = await place_order(world, [("SKU-003", 5)])
        await world.post("stock", {"sku": "SKU-003", "quantity": 4})
        with pytest.raises(OutOfStock, match="SKU-003"):
            await erp.reserve(order)
        await world.post("stock", {"sku": "SKU-003", "quantity": 1000})
        await erp.reserve(order, look_first=True)
        assert await _sale_status(world, order) == AUDITED

    async def test_what_the_erp_does_not_know_is_refused_in_its_words(self, erp: Erp, world: World) -> None:
        order = await place_order(world)
        stranger = _with_sku(order, "SKU-NOBODY-KNOWS")
        with pytest.raises(Refused, match="SKU-NOBODY-KNOWS") as refused:
            await erp.reserve(stranger)
        assert refused.value.order_no == order.order_no
        assert not isinstance(refused.value, OutOfStock)
        assert (await world.truth(order.order_no))["erp"]["sale_order"] is None

    async def test_a_changed_sale_order_reserves_where_the_pieces_come_from_now(self, erp: Erp, world: World) -> None:
        order = await place_order(world, [("SKU-004", 3)])
        one, two = await _available(erp, "SKU-004")
        await erp.reserve(order)
        moved = replace(order, sources=(Source(1, "CK001", 1), Source(1, "CK002", 1), Source(1, "", 1)))
        assert (await erp.change(moved)).reference == order.order_no
        assert await _available(erp, "SKU-004") == (one - 1, two - 1), "what is not there yet is not reserved"
        await erp.change(moved, look_first=True)
        later = replace(order, sources=(Source(1, "CK002", 3),))
        await erp.change(later)
        assert await _available(erp, "SKU-004") == (one, two - 3)
        assert await _sale_status(world, order) == AUDITED
        assert await world.duplicates() == {}

    async def test_a_bill_that_was_written_before_the_order_was_changed_is_rewritten(
        self, erp: Erp, world: World
    ) -> None:
        order = await place_order(world, [("SKU-004", 3)])
        one, two = await _available(erp, "SKU-004")
        await erp.reserve(order)
        [line] = order.lines
        fewer = replace(order, lines=(replace(line, quantity=1, amount=line.unit_price),), edited=True)
        await erp.reserve(fewer, look_first=True)
        assert await _available(erp, "SKU-004") == (one - 1, two)
        assert await _sale_status(world, order) == AUDITED

    @pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect"])
    async def test_a_change_is_looked_up_and_not_believed(self, erp: Erp, world: World, fault: str) -> None:
        order = await place_order(world, [("SKU-004", 2)])
        await erp.reserve(order)
        one, two = await _available(erp, "SKU-004")
        moved = replace(order, sources=(Source(1, "CK002", 2),))
        await world.faults(system="*", **{fault: 1.0}, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown):
            await erp.change(moved)
        await world.calm()
        await erp.change(moved, look_first=True)
        assert await _available(erp, "SKU-004") == (one + 2, two - 2)
        assert await _sale_status(world, order) == AUDITED
        assert await world.duplicates() == {}

    async def test_what_is_short_there_is_told_apart_and_another_place_is_taken(self, erp: Erp, world: World) -> None:
        order = await place_order(world, [("SKU-005", 5)])
        await erp.reserve(order)
        await world.post("stock", {"sku": "SKU-005", "quantity": 4, "warehouse": "WH02"})
        with pytest.raises(OutOfStock, match="SKU-005"):
            await erp.change(replace(order, sources=(Source(1, "CK002", 5),)))
        await erp.change(replace(order, sources=(Source(1, "CK001", 1), Source(1, "CK002", 4))), look_first=True)
        assert await _sale_status(world, order) == AUDITED
        assert (await _available(erp, "SKU-005"))[1] == 0

    async def test_after_goods_left_in_its_books_nothing_is_changed(self, erp: Erp, world: World) -> None:
        order = await place_order(world)
        await erp.reserve(order)
        await erp.post_outbound(shipped(order, "YT1"))
        with pytest.raises(Refused):
            await erp.change(replace(order, sources=(Source(1, "CK002", 2),)))
        assert await _sale_status(world, order) == AUDITED

    async def test_an_outage_is_unavailable_and_nothing_happened(self, erp: Erp, world: World) -> None:
        order = await place_order(world)
        await world.faults(system="*", error_rate=1.0)
        with pytest.raises(Unavailable):
            await erp.reserve(order)
        assert (await world.truth(order.order_no))["erp"]["sale_order"] is None

    @pytest.mark.parametrize("reserved", [True, False])
    async def test_a_sale_order_that_is_taken_back_holds_nothing(self, erp: Erp, world: World, reserved: bool) -> None:
        order = await place_order(world, [("SKU-002", 3)])
        before = (await _figure(erp, "SKU-002")).available
        if reserved:
            await erp.reserve(order)
        await erp.cancel(order)
        await erp.cancel(order, look_first=True)
        assert (await _figure(erp, "SKU-002")).available == before
        sale = (await world.truth(order.order_no))["erp"]["sale_order"]
        assert (sale and sale["cancelled"]) is (True if reserved else None)

    @pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect"])
    async def test_taking_back_is_looked_up_and_not_believed(self, erp: Erp, world: World, fault: str) -> None:
        order = await place_order(world)
        await erp.reserve(order)
        await world.faults(system="*", **{fault: 1.0}, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown):
            await erp.cancel(order)
        await world.calm()
        await erp.cancel(order, look_first=True)
        assert (await world.truth(order.order_no))["erp"]["sale_order"]["cancelled"]

    async def test_orders_of_one_moment_are_each_taken_back_once(self, erp: Erp, world: World) -> None:
        orders = [shipped(await place_order(world), f"YT00000000009{n}") for n in range(5)]
        await asyncio.gather(*map(erp.reserve, orders))
        await erp.post_outbound(orders[2])
        ends = await asyncio.gather(*map(erp.cancel, orders), return_exceptions=True)
        assert [at for at, end in enumerate(ends) if isinstance(end, Refused)] == [2]
        cancelled = [(await world.truth(order.order_no))["erp"]["sale_order"]["cancelled"] for order in orders]
        assert cancelled == [True, True, False, True, True]

    async def test_what_has_left_the_books_is_not_taken_back(self, erp: Erp, world: World) -> None:
        order = shipped(await place_order(world), "YT0000000000011")
        await erp.reserve(order)
        await erp.post_outbound(order)
        with pytest.raises(Refused):
            await erp.cancel(order)
        assert not (await world.truth(order.order_no))["erp"]["sale_order"]["cancelled"]

    async def test_the_outbound_bill_takes_the_goods_off_the_books(self, erp: Erp, world: World) -> None:
        order = await place_order(world, [("SKU-004", 2), ("SKU-005", 1)])
        await erp.reserve(order)
        before = (await _figure(erp, "SKU-004")).on_hand
        receipt = await erp.post_outbound(shipped(order, "YT0000000000001"))
        [bill] = (await world.truth(order.order_no))["erp"]["outstock"]
        assert (bill["number"], bill["status"]) == (receipt.reference, AUDITED)
        assert bill["quantities"] == {"SKU-004": 2, "SKU-005": 1}
        assert (await _figure(erp, "SKU-004")).on_hand == before - 2

    @pytest.mark.parametrize("look_first", [True, False])
    async def test_posting_again_changes_nothing(self, erp: Erp, world: World, look_first: bool) -> None:
        order = shipped(await place_order(world), "YT0000000000002", "YT0000000000003")
        await erp.reserve(order)
        first = await erp.post_outbound(order)
        assert await erp.post_outbound(order, look_first=look_first) == first
        assert len((await world.truth(order.order_no))["erp"]["outstock"]) == 1
        assert await world.duplicates() == {}

    async def test_posting_through_time_outs_writes_one_bill(self, erp: Erp, world: World) -> None:
        order = shipped(await place_order(world), "YT0000000000004")
        await erp.reserve(order)
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        attempts = 1
        while not await _succeeds(erp.post_outbound(order, look_first=attempts > 1)):
            attempts += 1
            assert attempts < 8
        [bill] = (await world.truth(order.order_no))["erp"]["outstock"]
        assert bill["status"] == AUDITED
        assert await world.duplicates() == {}

    async def test_posting_mends_a_reservation_that_never_happened(self, erp: Erp, world: World) -> None:
        order = shipped(await place_order(world), "YT0000000000005")
        await erp.post_outbound(order)
        assert await _sale_status(world, order) == AUDITED
        [bill] = (await world.truth(order.order_no))["erp"]["outstock"]
        assert bill["status"] == AUDITED

    async def test_another_quantity_than_ordered_is_left_to_a_person(self, erp: Erp, world: World) -> None:
        order = await place_order(world, [("SKU-006", 2)])
        await erp.reserve(order)
        short = _with_pieces(shipped(order, "YT0000000000006"), 1)
        with pytest.raises(Refused, match="ordered 2, shipped 1"):
            await erp.post_outbound(short)
        assert (await world.truth(order.order_no))["erp"]["outstock"] == []

    async def test_a_receipt_is_noted_and_harmless_to_repeat(self, erp: Erp, world: World) -> None:
        order = shipped(await place_order(world), "YT0000000000007", "YT0000000000008")
        await erp.reserve(order)
        await erp.post_outbound(order)
        first = await erp.post_receipt(order, SIGNED_AT)
        assert await erp.post_receipt(order, SIGNED_AT, look_first=True) == first
        assert (await world.truth(order.order_no))["erp"]["receipt_told"]

    async def test_a_receipt_that_overtook_the_outbound_bill_writes_both(self, erp: Erp, world: World) -> None:
        order = shipped(await place_order(world), "YT0000000000009")
        await erp.reserve(order)
        await erp.post_receipt(order, SIGNED_AT)
        told = (await world.truth(order.order_no))["erp"]
        assert [bill["status"] for bill in told["outstock"]] == [AUDITED]
        assert told["receipt_told"]

    @pytest.mark.parametrize("look_first", [True, False])
    async def test_good_pieces_that_come_back_are_booked_once(self, erp: Erp, world: World, look_first: bool) -> None:
        order = await place_order(world, [("SKU-004", 3)])
        back, before = sent_back(order, good=2, damaged=1), (await _figure(erp, "SKU-004")).on_hand
        first = await erp.post_return(back)
        assert first.reference == back.return_no
        assert await erp.post_return(back, look_first=look_first) == first
        assert (await _figure(erp, "SKU-004")).on_hand == before + 2

    async def test_a_return_is_booked_through_time_outs(self, erp: Erp, world: World) -> None:
        order = await place_order(world, [("SKU-004", 3)])
        back, before = sent_back(order, good=3), (await _figure(erp, "SKU-004")).on_hand
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        unanswered = 0
        while not await _succeeds(erp.post_return(back, look_first=unanswered > 0)):
            unanswered += 1
            assert unanswered < 5
        await world.calm()
        assert (await _figure(erp, "SKU-004")).on_hand == before + 3

    async def test_every_article_of_every_warehouse_has_one_figure(self, erp: Erp, world: World) -> None:
        articles = (await world.get("catalogue"))["articles"]
        figures = (await erp.stock()).figures
        keys = [(one.sku, one.warehouse) for one in figures]
        assert len(set(keys)) == len(keys) == 2 * len(articles)
        assert all(one.on_hand == one.available + one.locked for one in figures)

    async def test_it_says_how_an_order_stands(self, erp: Erp, world: World) -> None:
        order = shipped(await place_order(world), "YT0000000000010")
        assert list(await erp.ask(order.order_no)) == []
        await erp.reserve(order)
        await erp.post_outbound(order)
        news = await erp.ask(order.order_no)
        assert {one.order_no for one in news} == {order.order_no}
        assert {one.event for one in news} == {Event.NOTED}
        assert len({one.field for one in news}) == len(news) >= 2

    async def test_a_storm_does_nothing_twice(self, erp: Erp, world: World) -> None:
        orders = [shipped(await place_order(world), f"YT11{number:09d}") for number in range(24)]
        await world.faults(
            system="*", error_rate=0.1, timeout_after_effect=0.1, success_without_effect=0.05, hang_seconds=0.0
        )
        before = (await world.get("faults"))["done"]
        await asyncio.gather(*(_through_the_storm(erp, order) for order in orders[:12]))  # calls may be shared
        for order in orders[12:]:  # each its own
            await _through_the_storm(erp, order)
        after = (await world.get("faults"))["done"]
        await world.calm()
        assert sum(after.values()) - sum(before.values()) > len(orders) / 2
        assert await world.duplicates() == {}
        for order in orders:  # an answer to the very last call may have been empty: looking again ends it
            await erp.post_outbound(order, look_first=True)
            told = (await world.truth(order.order_no))["erp"]
            assert told["sale_order"]["status"] == AUDITED
            assert [bill["status"] for bill in told["outstock"]] == [AUDITED]


async def _through_the_storm(erp: Erp, order: Order) -> None:
    for call in (erp.reserve, erp.post_outbound):
        for attempt in range(30):
            try:
                await call(order, look_first=attempt > 0)
                break
            except (OutcomeUnknown, Unavailable):
                continue
        else:
            raise AssertionError(f"{order.order_no} did not get through in 30 attempts")


async def _succeeds(call: Awaitable[Receipt]) -> bool:
    try:
        await call
    except OutcomeUnknown:
        return False
    return True


async def _sale_status(world: World, order: Order) -> str:
    bill = (await world.truth(order.order_no))["erp"]["sale_order"]
    return str(bill["status"])


async def _figure(erp: Erp, sku: str) -> StockFigure:
    return next(one for one in (await erp.stock()).figures if (one.sku, one.warehouse) == (sku, "CK001"))


def _with_sku(order: Order, sku: str) -> Order:
    return replace(order, lines=(replace(order.lines[0], sku=sku),))


def _with_pieces(order: Order, pieces: int) -> Order:
    [parcel] = order.parcels
    return replace(order, parcels=(replace(parcel, items=dict.fromkeys(parcel.items, pieces)),))


async def _available(erp: Erp, sku: str) -> tuple[int, int]:
    """In the two warehouses."""
    found = {figure.warehouse: figure.available for figure in (await erp.stock()).figures if figure.sku == sku}
    return found["CK001"], found["CK002"]
