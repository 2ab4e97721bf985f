"""Messages that cannot act yet, messages nobody understands, and messages that never came."""

from datetime import timedelta

from ballast.db import cases, moves
from ballast.domain.status_check import Row
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import Waybill
from flows.confirm_payment import confirm_payment
from flows.read_inbox import read_inbox
from flows.ship_out import ship_out
from flows.sign_off import sign_off
from flows.take_orders import take_orders
from flows.track_transit import track_transit
from tasks.status_map import publish_row
from tests.flows.stage import LINES, Stage, run


async def test_an_unknown_courier_code_is_parked_told_once_and_replayed(stage: Stage) -> None:
    orders = [await stage.outbound(), await stage.outbound()]
    for order_no in orders:
        await stage.world.act(order_no, "scan", state_ex="998")

    assert (await run(read_inbox)).name == "read-inbox 2 parked"

    assert {await stage.state(order_no) for order_no in orders} == {State.OUTBOUND}
    assert [alert.key for alert in await stage.alerts()] == ["code:kdniao:StateEx:998"]
    row = Row("here", "kdniao", "StateEx", "998", "SCANNED", note="moves again")
    assert (await publish_row(stage.house, row, note="", by="test")).replayed == 2
    assert (await run(read_inbox)).name == "read-inbox 2 applied"
    assert {await stage.state(order_no) for order_no in orders} == {State.IN_TRANSIT}
    assert len(await stage.alerts()) == 1


async def test_a_payment_that_overtook_its_order_waits_for_it(stage: Stage) -> None:
    placed = await stage.world.place(lines=[{"sku": sku, "quantity": n} for sku, n in LINES], script="normal")
    order_no = placed["order"]["order_no"]
    await stage.world.act(order_no, "pay")
    assert (await run(read_inbox)).name == "read-inbox 1 waiting for their order"
    assert (await run(read_inbox)).name == "read-inbox nothing due"
    await run(take_orders)
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"


async def test_a_scan_that_overtook_the_warehouse_waits_for_it(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.ship(order_no)
    [parcel] = (await stage.world.truth(order_no))["parcels"]
    waybill = Waybill(order_no=order_no, carrier=parcel["carrier"], waybill=parcel["waybill"], phone_tail="0000")
    await stage.house.courier.subscribe(waybill)
    await stage.world.act(order_no, "scan", state_ex="204")
    assert (await run(read_inbox)).name == "read-inbox 1 early"
    assert (await run(read_inbox)).name == "read-inbox nothing due"
    stage.later(timedelta(hours=13))
    assert (await run(ship_out)).name == "ship-out 1 caught up"
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert await stage.state(order_no) is State.IN_TRANSIT


async def test_every_lost_webhook_is_found_by_asking(stage: Stage) -> None:
    await stage.world.faults(system="wechatpay", webhook_lost=1.0)
    await stage.world.faults(system="qimen", webhook_lost=1.0)
    await stage.world.faults(system="kdniao", webhook_lost=1.0)
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay")
    stage.later(timedelta(minutes=31))
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"

    await stage.work_on_stock_and_warehouse()
    await stage.ship(order_no)
    stage.later(timedelta(hours=13))
    assert (await run(ship_out)).name == "ship-out 1 caught up"
    assert await stage.state(order_no) is State.OUTBOUND

    await stage.send()
    await stage.world.act(order_no, "sign")
    stage.later(timedelta(hours=25))
    assert (await run(track_transit)).name == "track-transit 1 caught up"
    assert (await run(sign_off)).name == "sign-off 1 signed"
    heard = {row.source for row in await stage.rows("select distinct source from inbox")}
    assert heard <= {"direct", "wechat"}, "only the two shops were ever heard"


async def test_a_quiet_order_without_news_is_asked_about_again_later(stage: Stage) -> None:
    await stage.handed_over()
    stage.later(timedelta(hours=13))
    assert (await run(ship_out)).name == "ship-out 1 caught up", "the warehouse has accepted it"
    assert (await run(ship_out)).name == "ship-out nothing due"


async def test_an_order_that_a_gate_stopped_is_closed_too_when_nobody_pays_it(stage: Stage) -> None:
    order_no = await stage.placed()
    async with stage.house.transaction() as tx:
        [case] = await cases.load(tx, now=stage.house.clock.now(), waits=stage.house.waits, order_nos=[order_no])
        case.take(Event.HELD, cause="gate", actor="ballast", reason=HoldReason.PRICE_MISMATCH, evidence="12, not 10")
        await moves.write(tx, [case])
    stage.later(timedelta(minutes=31))
    assert (await run(confirm_payment)).name == "confirm-payment 1 still held"
    stage.later(timedelta(hours=25))
    assert (await run(confirm_payment)).name == "confirm-payment 1 closed unpaid"
    assert await stage.state(order_no) is State.CLOSED


async def test_an_unpaid_order_is_closed_after_asking(stage: Stage) -> None:
    order_no = await stage.placed()
    stage.later(timedelta(minutes=31))
    assert (await run(confirm_payment)).name == "confirm-payment 1 still unpaid"
    stage.later(timedelta(hours=25))
    assert (await run(confirm_payment)).name == "confirm-payment 1 closed unpaid"
    assert await stage.state(order_no) is State.CLOSED
