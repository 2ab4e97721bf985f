"""Orders that a person has to look at: why, what to do, and how they go on."""

from datetime import timedelta

import pytest

from ballast.db import inbox
from ballast.domain.words import HOLD_LABELS, HoldReason, State, Step
from ballast.ports import Message
from flows.confirm_payment import confirm_payment
from flows.lock_stock import lock_stock
from flows.read_inbox import read_inbox
from flows.rerun_orders import rerun_orders
from flows.send_alerts import send_alerts
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
    assert (await run(lock_stock)).name == "lock-stock 1 locked"
    assert await stage.state(order_no) is State.STOCK_LOCKED
    [hold] = await stage.rows("select * from hold")
    assert (hold.released_by, hold.note) == ("ballast", "restocked")
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

    assert ran.name == "send-outbox 1 payment.refund sent"
    assert (await run(send_alerts)).name == "send-alerts 1 alerts sent"
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


async def test_the_only_charge_of_a_closed_order_is_given_back_and_told_as_what_it_is(stage: Stage) -> None:
    order_no = await stage.placed()
    stage.later(timedelta(hours=25))
    await stage.work(Step.CONFIRM_PAYMENT)
    assert await stage.state(order_no) is State.CLOSED
    await stage.world.act(order_no, "pay")

    await run(read_inbox)

    [alert] = await stage.alerts()
    assert (alert.level, alert.title) == ("urgent", f"{order_no} was paid after it was closed")
    assert alert.text.endswith("a refund is asked for")
    assert await stage.state(order_no) is State.CLOSED
    await run(send_outbox)
    assert len((await stage.world.truth(order_no))["refunds"]) == 1


async def test_a_charge_for_an_order_that_costs_nothing_is_told_as_what_it_is(stage: Stage) -> None:
    [price] = [a["price"] for a in (await stage.world.get("catalogue"))["articles"] if a["sku"] == "SKU-001"]
    order_no = await stage.placed([("SKU-001", 1)], freight=0, discount=price)
    await stage.world.act(order_no, "pay", amount=100)
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    assert [alert.title for alert in await stage.alerts()] == [f"{order_no} was paid though nothing was due"]


async def provider_says(stage: Stage, order_no: str, status: str, amount: int | None = None, charge: int = 0) -> None:
    """A notice about a refund that somebody began in the provider's console, of one of the order's charges."""
    told = (await stage.world.truth(order_no))["payments"][charge]
    now = stage.house.clock.now()
    resource = {
        "mchid": "1900000001",
        "out_trade_no": order_no,
        "transaction_id": told["transaction_id"],
        "refund_id": "5030",
        "out_refund_no": f"BY-HAND-{charge}",
        "refund_status": status,
        "amount": {"total": told["amount"], "refund": amount or told["amount"]},
        "create_time": now.isoformat(),
    }
    topic = f"REFUND.{status}"
    message = Message(event_id=f"{topic}:{charge}:{now}", topic=topic, order_no=order_no, payload=resource)
    async with stage.house.transaction() as tx:
        await inbox.store(tx, [("wechatpay", message)], now)
    assert sum((await stage.read()).values()) == 1


async def test_a_payment_that_a_person_accepts_is_accepted(stage: Stage) -> None:
    order_no = await stage.placed()
    total = (await stage.order(order_no)).total
    await stage.world.act(order_no, "pay", amount=total - 100)
    await stage.read()
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"held": 1}

    ran = await run(rerun_orders, order_numbers=[order_no], by="wang", note="a voucher")

    assert ran.name == "rerun-orders 1 released"
    row = await stage.order(order_no)
    assert (row.state, row.due_step) == (State.PENDING_PAYMENT, Step.LOCK_STOCK) and row.paid_at is not None
    [hold] = await stage.rows("select * from hold")
    assert hold.released_by == "person:wang"
    [text] = await stage.rows("select text from order_event where event = 'PAYMENT_CONFIRMED'")
    assert text.text == f"{hold.evidence}, accepted in 1 charge(s)"
    assert [c.state for c in await stage.rows("select state from payment")] == ["counted"]
    assert await stage.work(Step.LOCK_STOCK) == {"locked": 1}


async def test_what_a_person_accepted_is_not_what_came_later(stage: Stage) -> None:
    """Other evidence is another cause: a charge that comes between hold and release is judged by itself."""
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay", amount=100)
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    await stage.world.act(order_no, "pay", amount=200, twice=True)
    await stage.read()
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"held": 1}
    assert (await stage.order(order_no)).paid_at is None


async def test_short_stock_holds_again_after_a_release_for_nothing(stage: Stage) -> None:
    await stage.put_on_shelf({"SKU-055": 1})
    order_no = await stage.paid([("SKU-055", 2)])
    assert await stage.work(Step.LOCK_STOCK) == {"held": 1}
    for _ in range(3):
        await run(rerun_orders, order_numbers=[order_no])
        await assert_held(stage, order_no, HoldReason.STOCK_SHORT)


@pytest.mark.parametrize("status", ["ABNORMAL", "CLOSED"])
async def test_a_refund_that_failed_rings_and_holds_the_order(stage: Stage, status: str) -> None:
    order_no = await stage.handed_over()
    await provider_says(stage, order_no, status)
    await provider_says(stage, order_no, status)

    await assert_held(stage, order_no, HoldReason.REFUND_FAILED)
    [refund] = await stage.rows("select * from refund")
    assert (refund.state, refund.note, refund.done_at) == ("failed", status, None)
    [payment] = (await stage.world.truth(order_no))["payments"]
    [urgent] = [alert for alert in await stage.alerts() if alert.level == "urgent"]
    assert urgent.title == f"{order_no}: a refund did not reach the customer"
    amount = f"{payment['amount'] / 100:.2f} CNY"
    for word in (amount, payment["transaction_id"], status, "by hand in the payment console"):
        assert word in urgent.text


async def test_a_failed_refund_of_a_second_charge_rings_and_lets_the_order_go_on(stage: Stage) -> None:
    order_no = await stage.locked()
    await stage.world.act(order_no, "pay", twice=True)
    await stage.read()
    await provider_says(stage, order_no, "ABNORMAL", charge=1)
    assert await stage.state(order_no) is State.STOCK_LOCKED
    assert [alert.level for alert in await stage.alerts()] == ["urgent", "urgent"]
    assert await stage.rows("select 1 from hold") == []


async def test_a_second_charge_that_was_given_back_by_hand_leaves_the_order_paid(stage: Stage) -> None:
    """Before it was judged: it is neither counted nor given back once more."""
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay", twice=True)
    await stage.read()
    await provider_says(stage, order_no, "SUCCESS", charge=0)
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"confirmed": 1}
    first, second = (payment["transaction_id"] for payment in (await stage.world.truth(order_no))["payments"])
    found = await stage.rows("select transaction_id, state from payment")
    assert {row.transaction_id: row.state for row in found} == {first: "surplus", second: "counted"}
    assert await stage.rows("select 1 from outbox where kind = 'payment.refund'") == []
    assert await stage.alerts() == []
    assert await stage.work(Step.LOCK_STOCK) == {"locked": 1}


async def test_an_order_that_was_refunded_on_hold_is_never_handed_over_again(stage: Stage) -> None:
    """The warehouse did not answer, the money went back, and a person lets it go on for the warehouse's sake."""
    stage.patience(attempts=1)
    order_no = await stage.locked()
    await stage.world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.1)
    await stage.work(Step.SHIP_OUT)
    await assert_held(stage, order_no, HoldReason.NO_ANSWER)
    await stage.world.calm()

    await provider_says(stage, order_no, "SUCCESS")

    await assert_held(stage, order_no, HoldReason.REFUNDED_ON_THE_WAY)
    assert [alert.title for alert in await stage.alerts()][-1] == f"{order_no} on hold: REFUNDED_ON_THE_WAY"
    ran = await run(rerun_orders, order_numbers=[order_no])
    [row] = await artifact(ran)
    assert row["what happened"] == "being called off, pulled forward; call_off: called off; now CLOSED"
    assert await stage.work(Step.SHIP_OUT) == {}
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1
    assert {row.state for row in await stage.rows("select state from stock_lock")} == {"released"}
