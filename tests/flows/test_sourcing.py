"""Orders that ship from several warehouses, the simulated ERP and warehouse over HTTP: nothing is shipped twice."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from ballast.db.incoming import put_incoming
from ballast.db.stock import take_figures
from ballast.db.timeline import timeline
from ballast.domain.promising import Incoming
from ballast.domain.sourcing import PlaceRow, SourcingSet, Strategy, StrategyRow
from ballast.domain.words import HoldReason, State, Step
from ballast.ports import StockFigure
from ballast.rules.books import Kind
from tasks.calling_off import cancel_order
from tasks.policy import SystemDown
from tasks.stock import wake_short_orders
from tests.flows.stage import Stage
from tests.flows.test_gates import put
from web.orders.view import Page

A, B = "SKU-001", "SKU-002"


async def shelf(stage: Stage, pieces: Mapping[tuple[str, str], int]) -> None:
    """The ledger has just this; simulated ERP and warehouses have plenty."""
    figures = [StockFigure(sku=s, warehouse=w, on_hand=n, available=n, locked=0) for (s, w), n in pieces.items()]
    async with stage.house.transaction() as tx:
        await take_figures(tx, figures, asked_at=stage.house.clock.now())


async def rows_in_force(stage: Stage, **said: Any) -> None:
    row = StrategyRow(name="all", order=(Strategy.SINGLE, Strategy.NEAREST), **said)
    places = tuple(PlaceRow(name=f"p{n}", warehouse=f"CK00{n}", rank=n) for n in (1, 2, 3))
    await put(stage, SourcingSet(places=places, strategies=(row,)), Kind.SOURCING)


async def ship_out(stage: Stage) -> None:
    """Until nothing is due: an order with several deliveries comes again for each."""
    for _ in range(8):
        if not await stage.work(Step.SHIP_OUT):
            return
    raise AssertionError("it does not come to rest")


async def deliveries(stage: Stage) -> list[tuple[str, str, str]]:
    found = await stage.rows("select code, warehouse, state from delivery order by order_id, number")
    return [(row.code.partition(".")[2] or "1", row.warehouse, row.state) for row in found]


async def locks(stage: Stage) -> dict[tuple[str, str], int]:
    found = await stage.rows("select sku, warehouse, quantity from stock_lock where state = 'held'")
    return {(row.sku, row.warehouse): row.quantity for row in found}


async def leave(stage: Stage, code: str, items: Mapping[str, int]) -> None:
    """One parcel leaves the warehouse of this delivery, and we hear of it."""
    await stage.world.act(code, "ship", packages=[{"items": dict(items)}])
    await stage.read()


async def nothing_twice(stage: Stage, order_no: str) -> None:
    """What left is what was ordered, the books are one, and nobody did anything twice."""
    truth = await stage.world.truth(order_no)
    ordered: dict[str, int] = {}
    for line in truth["lines"]:
        ordered[line["sku"]] = ordered.get(line["sku"], 0) + line["quantity"]
    assert truth["wms"]["shipped"] == ordered
    assert truth["erp"]["sale_order"]["saves"] == 1
    assert [(bill["status"], bill["quantities"]) for bill in truth["erp"]["outstock"]] == [("C", ordered)]
    assert await stage.world.duplicates() == {}
    damage = await stage.rows("select sku, warehouse from stock_level where locked <> 0")
    assert damage == []


async def to_the_end(stage: Stage, order_no: str) -> None:
    assert await stage.state(order_no) is State.OUTBOUND
    await stage.send()
    await stage.hear_the_shop()
    await stage.world.act(order_no, "sign")
    await stage.read()
    await stage.work(Step.SIGN_OFF)
    assert await stage.state(order_no) is State.SIGNED
    await nothing_twice(stage, order_no)


async def test_an_order_of_two_warehouses_arrives(stage: Stage) -> None:
    await rows_in_force(stage, split=True)
    await shelf(stage, {(A, "CK001"): 1, (A, "CK002"): 5, (B, "CK001"): 5, (B, "CK002"): 0})
    order_no = await stage.locked(((A, 2), (B, 1)))
    assert await deliveries(stage) == [("1", "CK001", "planned"), ("2", "CK002", "planned")]
    assert await locks(stage) == {(A, "CK001"): 1, (B, "CK001"): 1, (A, "CK002"): 1}
    await ship_out(stage)
    assert {row[2] for row in await deliveries(stage)} == {"with_warehouse"}
    await leave(stage, f"{order_no}.2", {A: 1})
    assert await stage.state(order_no) is State.STOCK_LOCKED, "one line is not out"
    await leave(stage, order_no, {A: 1, B: 1})
    assert {row[2] for row in await deliveries(stage)} == {"left"}
    text = " ".join(row.text for row in await stage.rows("select text from order_event"))
    assert "CK001+CK002 by all: 2 warehouses" in text and f"CK001: 1 x {A} short" in text
    await to_the_end(stage, order_no)


@pytest.mark.parametrize("how", ["REJECT", "lack"])
async def test_what_a_warehouse_will_not_ship_leaves_from_another_one(stage: Stage, how: str) -> None:
    await rows_in_force(stage, reroute=True)
    order_no = await stage.handed_over(((A, 2),))
    await shelf(stage, {(A, "CK002"): 5})
    await (stage.world.act(order_no, "lack") if how == "lack" else stage.world.act(order_no, "report", status=how))
    await stage.read()
    assert await stage.state(order_no) is State.STOCK_LOCKED
    await ship_out(stage)
    assert await deliveries(stage) == [("1", "CK001", "ended"), ("2", "CK002", "with_warehouse")]
    assert await locks(stage) == {(A, "CK002"): 2}
    await leave(stage, f"{order_no}.2", {A: 2})
    assert await stage.alerts() == []
    await to_the_end(stage, order_no)


async def test_what_is_short_at_picking_leaves_from_another_one(stage: Stage) -> None:
    await rows_in_force(stage, reroute=True)
    order_no = await stage.handed_over(((A, 3),))
    await shelf(stage, {(A, "CK002"): 5})
    await stage.world.act(order_no, "ship", packages=[{"items": {A: 1}}], final=True)
    await stage.read()
    await ship_out(stage)
    assert await deliveries(stage) == [("1", "CK001", "ended"), ("2", "CK002", "with_warehouse")]
    assert await locks(stage) == {(A, "CK001"): 1, (A, "CK002"): 2}
    await leave(stage, f"{order_no}.2", {A: 2})
    await to_the_end(stage, order_no)


async def test_each_warehouse_is_asked_once_and_then_a_person(stage: Stage) -> None:
    await rows_in_force(stage, reroute=True)
    order_no = await stage.handed_over(((A, 2),))
    await shelf(stage, {(A, "CK002"): 5})
    for code in (order_no, f"{order_no}.2"):
        await stage.world.act(code, "report", status="REJECT")
        await stage.read()
        await ship_out(stage)
    row = await stage.order(order_no)
    assert (row.state, row.hold_reason) == (State.ON_HOLD, HoldReason.WAREHOUSE_REFUSED)
    [hold] = await stage.rows("select evidence from hold")
    assert "CK001 refused: REJECT" in hold.evidence and "CK002: it refused this order" in hold.evidence


async def test_what_is_not_there_follows_when_it_is(stage: Stage) -> None:
    await rows_in_force(stage, split=True, partial=True)
    await shelf(stage, {(A, "CK001"): 1, (A, "CK002"): 0})
    day = stage.house.clock.now() + timedelta(days=4)
    async with stage.house.transaction() as tx:
        asn = Incoming(sku=A, warehouse="CK002", quantity=2, expected_at=day, reference="ASN-1")
        await put_incoming(tx, [asn], by="test", now=stage.house.clock.now())
    order_no = await stage.handed_over(((A, 3),))
    assert await deliveries(stage) == [("1", "CK001", "with_warehouse"), ("2", "", "backordered")]
    assert [row.promised_at for row in await stage.rows("select promised_at from delivery order by number")] == [
        None,
        day,
    ]
    await leave(stage, order_no, {A: 1})
    assert await stage.state(order_no) is State.STOCK_LOCKED, "two pieces are to come"
    await shelf(stage, {(A, "CK002"): 5})
    assert await wake_short_orders.fn() == 1
    assert await locks(stage) == {(A, "CK001"): 1, (A, "CK002"): 2}
    await ship_out(stage)
    assert await deliveries(stage) == [("1", "CK001", "left"), ("2", "CK002", "with_warehouse")]
    assert await wake_short_orders.fn() == 0
    await leave(stage, f"{order_no}.2", {A: 2})
    await to_the_end(stage, order_no)


async def test_calling_off_stops_every_delivery(stage: Stage) -> None:
    await rows_in_force(stage, split=True, partial=True)
    await shelf(stage, {(A, "CK001"): 1, (A, "CK002"): 1})
    order_no = await stage.handed_over(((A, 3),))
    await ship_out(stage)
    assert "CLOSED" in await cancel_order.fn(order_no, "changed my mind", "li", dry_run=False)
    truth = await stage.world.truth(order_no)
    assert (truth["wms"]["warehouses"], truth["erp"]["sale_order"]["cancelled"]) == ([], True)
    assert {row[2] for row in await deliveries(stage)} == {"cancelled"}
    assert await locks(stage) == {}
    assert await stage.rows("select 1 from stock_level where locked <> 0") == []


async def test_a_delivery_that_cannot_be_stopped_ships_and_the_other_does_not(stage: Stage) -> None:
    await rows_in_force(stage, split=True)
    await shelf(stage, {(A, "CK001"): 1, (A, "CK002"): 1})
    order_no = await stage.handed_over(((A, 2),))
    await ship_out(stage)
    await stage.world.act(f"{order_no}.2", "report", status="PICK")
    await stage.read()
    assert "return is opened" in await cancel_order.fn(order_no, "changed my mind", "li", dry_run=False)
    assert [row[2] for row in await deliveries(stage)] == ["cancelled", "with_warehouse"]
    await leave(stage, f"{order_no}.2", {A: 1})
    assert (await stage.order(order_no)).hold_reason == HoldReason.SHIPPED_SHORT


async def test_what_leaves_after_it_was_given_up_is_seen_at_once(stage: Stage) -> None:
    await rows_in_force(stage, reroute=True)
    order_no = await stage.handed_over(((A, 2),))
    await shelf(stage, {(A, "CK002"): 5})
    await stage.world.act(order_no, "report", status="REJECT")
    await stage.read()
    await ship_out(stage)
    await leave(stage, order_no, {A: 2})
    row = await stage.order(order_no)
    assert (row.state, row.hold_reason) == (State.ON_HOLD, HoldReason.SHIPPED_TWICE)
    [hold] = await stage.rows("select evidence from hold")
    assert f"{order_no}.2 at CK002" in hold.evidence


async def test_without_a_row_that_wants_it_a_refusal_holds_as_before(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.act(order_no, "report", status="REJECT")
    await stage.read()
    assert (await stage.order(order_no)).hold_reason == HoldReason.WAREHOUSE_REFUSED
    assert await deliveries(stage) == []


async def test_a_warehouse_that_cannot_be_stopped_goes_on_and_a_person_looks(stage: Stage) -> None:
    await rows_in_force(stage, reroute=True)
    order_no = await stage.handed_over(((A, 2),))
    await shelf(stage, {(A, "CK002"): 5})
    await stage.world.act(order_no, "report", status="REJECT")
    await stage.world.act(order_no, "report", status="PICK")  # it changed its mind
    await stage.read()
    await ship_out(stage)
    assert (await stage.order(order_no)).hold_reason == HoldReason.WAREHOUSE_REFUSED
    assert await deliveries(stage) == [("1", "CK001", "with_warehouse")]


async def weather(stage: Stage, *done: str) -> None:
    """Work in a storm until the deliveries are so far: calls fail, are done and not answered, answered and not done."""
    await stage.world.faults(
        system="*", error_rate=0.15, timeout_after_effect=0.15, success_without_effect=0.1, hang_seconds=0.0
    )
    for _ in range(80):
        await turn(stage)
        if sorted(row[2] for row in await deliveries(stage)) == sorted(done):
            break
    await stage.world.calm()
    for _ in range(4):  # a yes to the last handing over may have been none: that shows when the warehouse is asked
        await turn(stage)
    assert sorted(row[2] for row in await deliveries(stage)) == sorted(done)


async def turn(stage: Stage) -> None:
    for step in (Step.LOCK_STOCK, Step.SHIP_OUT):
        with suppress(SystemDown):
            await stage.work(step)
    await stage.rows("update sales_order set due_at = now(), lease_owner = null where due_at is not null returning 1")


async def test_in_a_storm_every_piece_leaves_once(stage: Stage) -> None:
    stage.patience(attempts=1000)
    await rows_in_force(stage, split=True, reroute=True)
    await shelf(stage, {(A, "CK001"): 3, (A, "CK002"): 9, (B, "CK001"): 9, (B, "CK002"): 0})
    numbers = [await stage.paid(((A, 4), (B, 1))), await stage.paid(((A, 1), (B, 1)))]
    await weather(stage, *["with_warehouse"] * 4)
    [second] = [row.code for row in await stage.rows("select code from delivery where warehouse = 'CK002' limit 1")]
    await shelf(stage, {(A, "CK001"): 20})
    await stage.world.act(second, "report", status="REJECT")
    await stage.read()
    await weather(stage, "ended", *["with_warehouse"] * 4)
    for row in await stage.rows("select code, items as pieces from delivery where state = 'with_warehouse'"):
        await leave(stage, row.code, {(A, B)[int(line) - 1]: pieces for line, pieces in row.pieces.items()})
    for number in numbers:
        assert await stage.state(number) is State.OUTBOUND
    await stage.send()
    for number in numbers:
        await nothing_twice(stage, number)


async def test_what_is_said_of_one_delivery_does_not_stand_for_another(stage: Stage) -> None:
    """The yes to the first was none; its warehouse never spoke of it, the other one did of the second."""
    await rows_in_force(stage, split=True)
    await shelf(stage, {(A, "CK001"): 9, (A, "CK002"): 0, (B, "CK001"): 0, (B, "CK002"): 9})
    order_no = await stage.paid(((A, 2), (B, 1)))
    await stage.work(Step.LOCK_STOCK)
    await stage.world.faults(system="qimen", success_without_effect=1.0)
    await stage.work(Step.SHIP_OUT)
    await stage.world.calm()
    await ship_out(stage)
    await stage.world.act(f"{order_no}.2", "report", status="ACCEPT")
    await stage.read()
    for _ in range(4):
        await turn(stage)
    assert set((await stage.world.truth(order_no))["wms"]["addresses"]) == {order_no, f"{order_no}.2"}


async def test_people_see_the_deliveries(stage: Stage) -> None:
    await rows_in_force(stage, split=True, partial=True)
    await shelf(stage, {(A, "CK001"): 1, (A, "CK002"): 0})
    order_no = await stage.handed_over(((A, 3),))
    shown = json.loads(await stage.command("order", "show", order_no, "--json"))["deliveries"]
    assert [(one["code"], one["warehouse"], one["items"], one["state"]) for one in shown] == [
        (order_no, "CK001", {"1": 1}, "with_warehouse"), (f"{order_no}.2", "", {"1": 2}, "backordered"),
    ]  # fmt: skip
    assert "backordered" in await stage.command("order", "show", order_no)
    async with stage.house.transaction() as tx:
        seen = await timeline(tx, order_no)
    assert seen is not None
    page = Page().order(seen, "en", now=stage.house.clock.now(), other="")
    assert "on backorder" in page and f"{A} × 0/2" in page
