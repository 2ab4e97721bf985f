"""Orders that a person has to look at: why, what to do, and how they go on."""

from ballast.domain.words import HOLD_LABELS, HoldReason, State
from flows.confirm_payment import confirm_payment
from flows.lock_stock import lock_stock
from flows.read_inbox import read_inbox
from flows.rerun_orders import rerun_orders
from flows.send_outbox import send_outbox
from flows.ship_out import ship_out
from flows.sync_inventory import sync_inventory
from tests.flows.stage import Stage, artifact, run


async def assert_held(stage: Stage, order_no: str, reason: HoldReason) -> None:
    row = await stage.order(order_no)
    assert (row.state, row.hold_reason, row.lease_owner) == (State.ON_HOLD, reason, None)


async def test_a_short_order_is_held_with_advice_and_goes_on_after_restocking(stage: Stage) -> None:
    await stage.world.post("stock", {"sku": "SKU-050", "quantity": 3})
    await run(sync_inventory)
    order_no = await stage.paid([("SKU-050", 5)])

    ran = await run(lock_stock)

    assert ran.name == "lock-stock 1 held" and ran.green
    await assert_held(stage, order_no, HoldReason.STOCK_SHORT)
    [row] = await artifact(ran)
    assert order_no in row["order"] and f"/orders/{order_no}?key=" in row["order"]
    assert row["evidence"] == "SKU-050 2 short"
    assert row["what to do"] == HOLD_LABELS[HoldReason.STOCK_SHORT].advice_en
    assert [alert.order_id for alert in await stage.alerts()] == [(await stage.order(order_no)).id]
    assert (await stage.world.truth(order_no))["erp"]["sale_order"] is None, "the ERP was not asked for nothing"

    await stage.world.post("stock", {"sku": "SKU-050", "quantity": 100})
    await run(sync_inventory)
    again = await run(rerun_orders, order_numbers=[order_no], by="wang", note="restocked")
    assert again.name == "rerun-orders 1 released"
    assert await stage.state(order_no) is State.STOCK_LOCKED
    [hold] = await stage.rows("select * from hold")
    assert (hold.released_by, hold.note) == ("person:wang", "restocked")
    assert (await run(ship_out)).name == "ship-out 1 handed over"


async def test_what_only_the_erp_knows_to_be_short_is_held_too_and_gives_the_pieces_back(stage: Stage) -> None:
    await stage.world.post("stock", {"sku": "SKU-051", "quantity": 0})
    await stage.put_on_shelf({"SKU-051": 10})
    order_no = await stage.paid([("SKU-051", 5)])
    assert (await run(lock_stock)).name == "lock-stock 1 held"
    await assert_held(stage, order_no, HoldReason.STOCK_SHORT)
    assert [row.locked for row in await stage.rows("select locked from stock_level where sku = 'SKU-051'")] == [0]


async def test_a_language_of_the_house_is_the_language_of_its_advice(stage: Stage) -> None:
    stage.configure(language="zh")
    await stage.put_on_shelf({"SKU-052": 1})
    await stage.paid([("SKU-052", 5)])
    [row] = await artifact(await run(lock_stock))
    assert row["what to do"] == HOLD_LABELS[HoldReason.STOCK_SHORT].advice_zh


async def test_an_order_that_the_warehouse_refuses_is_held(stage: Stage) -> None:
    qimen = stage.house.settings.qimen
    assert qimen is not None
    stage.configure(qimen=qimen.model_copy(update={"warehouses": {"CK001": "WH09"}}))
    order_no = await stage.locked()
    good = await stage.locked()
    ran = await run(ship_out)
    assert ran.name == "ship-out 2 held"
    await assert_held(stage, order_no, HoldReason.WAREHOUSE_REFUSED)
    assert "WH09" in (await artifact(ran))[0]["evidence"]
    assert (await stage.world.truth(good))["wms"]["creates"] == 0


async def test_one_bad_order_does_not_fail_its_chunk(stage: Stage) -> None:
    await stage.put_on_shelf({"SKU-053": 1})
    bad, good = await stage.paid([("SKU-053", 2)]), await stage.paid()
    ran = await run(lock_stock)
    assert ran.green and set(ran.name.removeprefix("lock-stock ").split(", ")) == {"1 locked", "1 held"}
    assert (await stage.state(bad), await stage.state(good)) == (State.ON_HOLD, State.STOCK_LOCKED)


async def test_a_payment_that_does_not_cover_the_order_is_held_until_the_rest_comes(stage: Stage) -> None:
    order_no = await stage.placed()
    total = (await stage.order(order_no)).total
    await stage.world.act(order_no, "pay", amount=total - 100)
    await run(read_inbox)
    assert (await run(confirm_payment)).name == "confirm-payment 1 held"
    await assert_held(stage, order_no, HoldReason.PAYMENT_MISMATCH)

    await stage.world.act(order_no, "pay", amount=100, twice=True)
    await run(read_inbox)
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"
    assert (await stage.order(order_no)).paid_at is not None


async def test_a_second_charge_is_given_back_once_and_told(stage: Stage) -> None:
    order_no = await stage.paid()
    await stage.world.act(order_no, "pay", twice=True)
    await run(read_inbox)
    [alert] = await stage.alerts()
    assert (alert.level, alert.title) == ("urgent", f"{order_no} was charged twice")

    ran = await run(send_outbox)

    assert set(ran.name.removeprefix("send-outbox ").split(", ")) == {"1 payment.refund sent", "1 alerts sent"}
    await stage.world.act(order_no, "refunded")
    await stage.world.post("settle")
    await run(read_inbox)
    truth = await stage.world.truth(order_no)
    surplus = truth["payments"][1]["transaction_id"]
    assert [(refund["transaction_id"], refund["status"]) for refund in truth["refunds"]] == [(surplus, "SUCCESS")]
    [refund] = await stage.rows("select state, transaction_id from refund")
    assert (refund.state, refund.transaction_id) == ("done", surplus)
    assert (await stage.order(order_no)).state == State.PENDING_PAYMENT
    assert (await run(lock_stock)).name == "lock-stock 1 locked", "the order stays paid"
    assert (await run(send_outbox)).name == "send-outbox nothing due"
