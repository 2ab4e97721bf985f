"""Webhooks fifty times at once, in any order, a day later, or never; news of orders that are over or never came."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from adapters.errors import NotUnderstood
from ballast.db import cases, inbox, moves
from ballast.db.inbox import Letter
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.ports import Waybill
from flows.confirm_payment import confirm_payment
from flows.read_inbox import read_inbox
from flows.ship_out import ship_out
from flows.take_orders import take_orders
from tests.flows.stage import LINES, Stage, empty_books, run
from tests.web.senders import ACCEPTED
from tests.web.stage import open_stage

TIMES = 50

IN_ONE_PARCEL = [{"items": dict(LINES)}]


# -- at the same instant -----------------------------------------------------------------------------------------


async def post_at_once(stage: Stage, hook: dict[str, Any]) -> None:
    """One webhook of the world, fifty times side by side, to a web process of its own."""
    async with open_stage(stage.house) as web:
        post = [
            web.http.post(f"/hooks{hook['path']}", headers=hook["headers"], content=hook["body"].encode())
            for _ in range(TIMES)
        ]
        answers: list[httpx.Response] = await asyncio.gather(*post)
    assert all(map(ACCEPTED[hook["system"]], answers)), "every one of them is told in the vendor's words: stored"


async def caught(stage: Stage, system: str, order_no: str, what: str, **details: Any) -> dict[str, Any]:
    """What happens to an order, and the webhook that tells it: it is in our hands and reaches nobody."""
    await stage.world.faults(system=system, webhook_lost=1.0)
    [hook] = (await stage.world.act(order_no, what, **details))["sent"]
    await stage.world.calm()
    assert hook["system"] == system and hook["acknowledged"] is None
    return dict(hook)


async def rows_of(stage: Stage, source: str) -> int:
    return len(await stage.rows("select 1 from inbox where source = :source", source=source))


async def test_an_order_pushed_fifty_times_at_once_is_taken_once(stage: Stage) -> None:
    placed = await stage.world.place(lines=[{"sku": sku, "quantity": n} for sku, n in LINES], script="normal")
    await post_at_once(stage, placed["sent"][0])
    assert await rows_of(stage, "direct") == 1
    assert (await run(take_orders)).name == "take-orders 1 taken"
    assert (await run(take_orders)).name == "take-orders nothing due"
    assert len(await stage.rows("select 1 from sales_order")) == 1


async def test_a_payment_told_fifty_times_at_once_counts_once(stage: Stage) -> None:
    order_no = await stage.placed()
    await post_at_once(stage, await caught(stage, "wechatpay", order_no, "pay"))
    assert await rows_of(stage, "wechatpay") == 1
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"
    assert [row.state for row in await stage.rows("select state from payment")] == ["counted"]
    assert await stage.rows("select 1 from outbox") == []


async def test_a_confirm_and_a_scan_told_fifty_times_at_once_have_one_effect_each(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await post_at_once(stage, await caught(stage, "qimen", order_no, "ship", packages=IN_ONE_PARCEL))
    assert await rows_of(stage, "qimen") == 1
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    await stage.send()
    await stage.hear_the_shop()

    await post_at_once(stage, await caught(stage, "kdniao", order_no, "sign"))

    assert await rows_of(stage, "kdniao") == 1
    assert (await run(read_inbox)).name == "read-inbox 1 applied"
    assert await stage.work(Step.SIGN_OFF) == {"signed": 1}
    await stage.send()
    truth = await stage.world.truth(order_no)
    assert len(truth["erp"]["outstock"]) == 1
    assert await stage.world.duplicates() == {}
    kinds = [row.kind for row in await stage.rows("select kind from outbox order by kind")]
    assert kinds == ["courier.subscribe", "erp.outbound", "erp.receipt", "shop.received", "shop.shipped"]


# -- in any order ------------------------------------------------------------------------------------------------


async def everything_heard(stage: Stage) -> list[Letter]:
    """All that is in the inbox, oldest first."""
    await stage.rows("update inbox set state = 'new' returning 1")
    async with stage.house.transaction() as tx:
        return [letter for topic in ("order", "news") for letter in await inbox.take(tx, topic, 500)]


async def hear(stage: Stage, letters: Sequence[Letter]) -> int:
    """Store messages as the door does; the number of new ones."""
    async with stage.house.transaction() as tx:
        told = [(one.source, one.message) for one in letters]
        return await inbox.store(tx, told, stage.house.clock.now())


async def go_on(stage: Stage) -> None:
    """Whatever there is to do at this moment."""
    await stage.take_orders()
    await stage.read()
    for step in Step:
        await stage.work(step)
    await stage.read()


BOOKS = {
    "order": "select state, paid_at, outbound_at, picked_up_at, signed_at from sales_order",
    "line": "select sku, quantity, shipped from order_line order by line_no",
    "parcel": "select waybill, carrier, items, picked_up_at, signed_at, said from parcel order by waybill",
    "payment": "select transaction_id, amount, state from payment",
    "lock": "select sku, warehouse, quantity, state from stock_lock order by sku",
    "said": "select system, part, said, happened_at from external_status order by system, part",
    "outbox": "select key, done_at is not null as done from outbox order by key",
    "hold": "select reason from hold where released_at is null",
    "inbox": "select count(*) as messages from inbox where state <> 'done'",
}


async def books(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """Everything that must not depend on the order in which it was heard."""
    return {name: [dict(row._mapping) for row in await stage.rows(sql)] for name, sql in BOOKS.items()}


async def a_whole_life(stage: Stage) -> str:
    """Paid, picked, shipped in two parcels, moved, signed, confirmed by the customer: told by all five sources."""
    order_no = await stage.handed_over()
    for status in ("PICK", "PACKAGE"):
        await stage.world.act(order_no, "report", status=status)
        await next_second(stage)
    for sku, pieces in LINES:
        await stage.world.act(order_no, "ship", packages=[{"items": {sku: pieces}}])
        await stage.read()
        await next_second(stage)
    await stage.send()
    for state in ("1", "204"):
        await stage.world.act(order_no, "scan", state_ex=state)
        await next_second(stage)
    await stage.world.act(order_no, "sign")
    await stage.read()
    await stage.work(Step.SIGN_OFF)
    await stage.send()
    await stage.hear_the_shop()
    assert await stage.state(order_no) is State.SIGNED
    return order_no


async def next_second(stage: Stage) -> None:
    """The vendors write seconds: what they say within one has no order."""
    now = stage.house.clock.now().replace(microsecond=0)
    while stage.house.clock.now().replace(microsecond=0) == now:
        await asyncio.sleep(0.02)


def shuffled(seed: int) -> Callable[[list[Letter]], list[Letter]]:
    return lambda letters: random.Random(seed).sample(letters, len(letters))


ORDERS: dict[str, Callable[[list[Letter]], list[Letter]]] = {
    "backwards": lambda letters: letters[::-1],
    "each source at a time": lambda letters: sorted(letters, key=lambda one: one.source, reverse=True),
    "one": shuffled(1),
    "two": shuffled(2),
    "three": shuffled(3),
}


@pytest.mark.parametrize("told", ORDERS)
async def test_a_life_told_in_any_order_ends_as_it_did(stage: Stage, told: str) -> None:
    """The same world once more with empty books: every message alone, all that is due after each, and each twice."""
    order_no = await a_whole_life(stage)
    expected, letters = await books(stage), await everything_heard(stage)
    assert {letter.source for letter in letters} == {"direct", "wechatpay", "qimen", "kdniao", "wechat"}
    await empty_books(stage.house)

    for letter in ORDERS[told](letters):
        assert await hear(stage, [letter, letter]) == 1
        await go_on(stage)
    await go_on(stage)
    await stage.send()

    assert await books(stage) == expected
    assert await stage.world.duplicates() == {}
    truth = await stage.world.truth(order_no)
    assert (truth["wms"]["creates"], truth["erp"]["sale_order"]["saves"], len(truth["erp"]["outstock"])) == (1, 1, 1)


async def test_a_life_replayed_a_day_later_changes_nothing(stage: Stage) -> None:
    await a_whole_life(stage)
    letters = await everything_heard(stage)
    await go_on(stage)
    expected, row = await books(stage), (await stage.rows("select * from sales_order"))[0]
    stage.later(timedelta(days=1))

    assert await hear(stage, letters) == 0, "they are the same messages"
    await stage.rows("update inbox set event_id = 'as sent the first time ' || event_id returning 1")
    assert await hear(stage, letters) == len(letters), "the vendors gave them other ids"
    await go_on(stage)
    await stage.send()

    assert await books(stage) == expected
    after = (await stage.rows("select * from sales_order"))[0]
    assert (after.state, after.due_at, after.signed_at) == (row.state, row.due_at, row.signed_at)
    assert await stage.alerts() == []


# -- lost --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "details"), [("lack", {}), ("report", {"status": "EXCEPTION"})])
async def test_a_confirm_that_was_lost_ends_the_hold_it_would_have_ended(
    stage: Stage, what: str, details: dict[str, str]
) -> None:
    order_no = await stage.handed_over()
    await stage.world.act(order_no, what, **details)
    await stage.read()
    held = await stage.order(order_no)
    assert held.hold_reason in (HoldReason.WAREHOUSE_SHORT, HoldReason.WAREHOUSE_EXCEPTION)
    stage.later(timedelta(hours=13))
    assert (await run(ship_out)).name == "ship-out 1 nothing new"
    assert (await stage.order(order_no)).hold_reason == held.hold_reason
    assert await stage.work(Step.SHIP_OUT) == {}, "asked again after the next silence"

    await caught(stage, "qimen", order_no, "ship", packages=IN_ONE_PARCEL)
    stage.later(timedelta(hours=13))

    assert (await run(ship_out)).name == "ship-out 1 caught up"
    assert await stage.state(order_no) is State.OUTBOUND


async def test_a_confirm_that_was_lost_while_nobody_knew_of_the_hand_over(stage: Stage) -> None:
    """The answer to the hand-over was lost, the warehouse told of its trouble, and then nothing any more."""
    order_no = await stage.locked()
    await stage.world.faults(system="qimen", timeout_after_effect=1.0, hang_seconds=0.0)
    assert await stage.work(Step.SHIP_OUT) == {"again later": 1}
    await stage.world.calm()
    await stage.world.act(order_no, "lack")
    await stage.read()
    assert (await stage.order(order_no)).hold_reason == HoldReason.WAREHOUSE_SHORT
    await caught(stage, "qimen", order_no, "ship", packages=IN_ONE_PARCEL)
    stage.later(timedelta(hours=13))
    assert await stage.work(Step.SHIP_OUT) == {"caught up": 1}
    assert await stage.state(order_no) is State.OUTBOUND
    assert (await stage.world.truth(order_no))["wms"]["creates"] == 1


async def test_a_charge_that_was_lost_ends_the_hold_it_would_have_ended(stage: Stage) -> None:
    order_no = await stage.placed()
    total = (await stage.order(order_no)).total
    await caught(stage, "wechatpay", order_no, "pay", amount=total - 100)
    await stage.world.act(order_no, "pay", amount=100, twice=True)
    await stage.read()
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"held": 1}
    assert await stage.work(Step.CONFIRM_PAYMENT) == {}
    stage.later(timedelta(minutes=31))
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"
    row = await stage.order(order_no)
    assert (row.state, row.due_step) == (State.PENDING_PAYMENT, Step.LOCK_STOCK)
    assert [c.state for c in await stage.rows("select state from payment")] == ["counted", "counted"]


async def test_a_held_payment_without_news_stays_as_it_is_and_is_asked_about_again(stage: Stage) -> None:
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay", amount=1)
    await stage.read()
    await stage.work(Step.CONFIRM_PAYMENT)
    history = await stage.history(order_no)
    for _ in range(3):
        stage.later(timedelta(minutes=31))
        assert await stage.work(Step.CONFIRM_PAYMENT) == {"still held": 1}
        assert await stage.work(Step.CONFIRM_PAYMENT) == {}
    assert await stage.history(order_no) == history
    assert [a.title for a in await stage.alerts()] == [f"{order_no} on hold: PAYMENT_MISMATCH"]


async def test_a_system_that_does_not_answer_does_not_change_why_an_order_is_held(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.patience(attempts=2)
    order_no = await stage.handed_over()
    await stage.world.act(order_no, "lack")
    await stage.read()
    other = await stage.handed_over()
    stage.later(timedelta(hours=13))

    async def ask(number: str) -> Any:
        if number == order_no:
            raise NotUnderstood(System.QIMEN, "an answer that nobody can read", order_no=number)
        return ()

    monkeypatch.setattr(stage.house.wms, "ask", ask)  # of one order in two: the system is not down
    for _ in range(3):
        await stage.rows("update sales_order set due_at = now() where due_at is not null returning 1")
        await stage.work(Step.SHIP_OUT)
    row = await stage.order(order_no)
    assert (row.hold_reason, row.due_step) == (HoldReason.WAREHOUSE_SHORT, Step.SHIP_OUT)
    assert await stage.state(other) is State.STOCK_LOCKED


# -- over, or never there ----------------------------------------------------------------------------------------


async def test_a_scan_of_an_order_that_was_cancelled_is_kept_and_moves_nothing(stage: Stage) -> None:
    """It came while the order was locked, and waited for the parcel: the end of the order ends its waiting, too."""
    order_no = await stage.handed_over()
    early = await scan_of_a_parcel_nobody_told_us_of(stage, order_no)
    assert early == {"early": 1}
    async with stage.house.transaction() as tx:  # what call-off does once everybody let go
        found = await cases.load(tx, now=stage.house.clock.now(), waits=stage.house.waits, order_nos=[order_no])
        found[0].take(Event.CANCELLED, cause="called off", actor="ballast")
        await moves.write(tx, found)

    assert await stage.read() == {"late": 1}

    assert await stage.inbox() == {"done": 3}
    assert await stage.state(order_no) is State.CLOSED
    [noted] = await stage.rows("select text from order_event where actor = 'kdniao'")
    assert noted.text.endswith("(no parcel of this order has this waybill)")


async def scan_of_a_parcel_nobody_told_us_of(stage: Stage, order_no: str) -> dict[str, int]:
    await caught(stage, "qimen", order_no, "ship", packages=IN_ONE_PARCEL)
    [parcel] = (await stage.world.truth(order_no))["parcels"]
    waybill = Waybill(order_no=order_no, carrier=parcel["carrier"], waybill=parcel["waybill"], phone_tail="0000")
    await stage.house.courier.subscribe(waybill)
    await stage.world.act(order_no, "scan", state_ex="204")
    return dict(await stage.read())


async def test_messages_for_an_order_that_never_comes_are_told_once_and_act_when_it_does(stage: Stage) -> None:
    placed = await stage.world.place(lines=[{"sku": sku, "quantity": n} for sku, n in LINES], script="normal")
    order_no = placed["order"]["order_no"]
    await stage.world.act(order_no, "pay", amount=placed["order"]["total"] - 100)
    await stage.world.act(order_no, "pay", amount=100, twice=True)
    assert (await run(read_inbox)).name == "read-inbox 2 waiting for their order"
    stage.later(timedelta(hours=23))
    assert (await run(read_inbox)).name == "read-inbox nothing due"
    stage.later(timedelta(hours=2))

    assert (await run(read_inbox)).name == "read-inbox 1 told that messages wait"

    [alert] = await stage.alerts()
    assert (alert.key, alert.level) == (f"waiting:wechatpay:{order_no}", "warning")
    assert alert.text.startswith("2 since ") and "no such order yet" in alert.text
    listed = await stage.command("parked", "waiting", "--json")
    assert order_no in listed and '"messages": 2' in listed
    assert (await run(read_inbox)).name == "read-inbox nothing due", "it rings once"

    await run(take_orders)
    assert (await run(read_inbox)).name == "read-inbox 2 applied"
    assert await stage.command("parked", "waiting") == "nothing waits for its order\n"
    assert (await run(confirm_payment)).name == "confirm-payment 1 confirmed"


async def test_a_message_that_its_order_keeps_waiting_is_told_too(stage: Stage) -> None:
    order_no = await stage.handed_over()
    await scan_of_a_parcel_nobody_told_us_of(stage, order_no)
    stage.later(timedelta(hours=25))
    assert (await run(read_inbox)).name == "read-inbox 1 told that messages wait"
    [alert] = await stage.alerts()
    assert alert.title == f"{order_no}: messages from kdniao wait for it"
    assert f"which is only STOCK_LOCKED; see `ballast order show {order_no}`" in alert.text
