"""Refunds all the way: the command, the provider, its notice, the books, finance's list."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from openpyxl import load_workbook

from ballast.db import cases, inbox, moves, news
from ballast.db.outbox import send_again
from ballast.db.refund_requests import Answer, RefundRefused, Wanted, request
from ballast.domain.money import Money
from ballast.domain.words import HoldReason, State, Step
from ballast.ports import Message, RefundRequest
from flows.cancel_orders import cancel_orders
from flows.list_refunds import list_refunds
from tests.db.test_refunds import through
from tests.flows.stage import Stage, artifact, run


async def ask(stage: Stage, order_no: str, amount: str, why: str, transaction: str | None = None) -> Answer:
    wanted = Wanted(order_no=order_no, amount=amount, why=why, by="li", transaction=transaction)
    async with stage.house.transaction() as tx:
        return await request(tx, wanted, now=stage.house.clock.now(), waits=stage.house.waits)


async def hear(stage: Stage, order_no: str) -> None:
    """The provider says that every refund arrived."""
    await stage.world.act(order_no, "refunded")
    await stage.world.post("settle")
    await stage.read()


async def refunds(stage: Stage) -> dict[str, tuple[str, int]]:
    found = await stage.rows("select refund_no, state, amount from refund")
    return {row.refund_no: (row.state, row.amount) for row in found}


async def charge_of(stage: Stage, order_no: str, number: int = 0) -> dict[str, Any]:
    charge: dict[str, Any] = (await stage.world.truth(order_no))["payments"][number]
    return charge


async def test_a_person_gives_a_part_back(stage: Stage) -> None:
    order_no = await stage.locked()
    number = f"RF-{(await charge_of(stage, order_no))['transaction_id']}-1"
    would = await stage.command("refund", order_no, "--amount", "1.23", "--why", "scratched", "--dry-run")
    assert "would be: 1.23 CNY" in would and number in would
    assert await refunds(stage) == {}
    said = orjson.loads(await stage.command("refund", order_no, "--amount", "1.23", "--why", "scratched", "--json"))
    assert said["refund_no"] == number
    assert number in await stage.command("refund", order_no, "--amount", "1.23", "--why", "scratched", code=2)
    assert await stage.send() == {"sent": 1}
    assert await refunds(stage) == {number: ("requested", 123)}
    await hear(stage, order_no)
    assert await refunds(stage) == {number: ("done", 123)}
    told = (await stage.world.truth(order_no))["refunds"]
    assert [(refund["out_refund_no"], refund["amount"]) for refund in told] == [(number, 123)]
    assert await stage.state(order_no) is State.STOCK_LOCKED


async def test_more_than_was_captured_is_refused_with_both_figures_and_nothing_goes_out(stage: Stage) -> None:
    order_no = await stage.paid()
    captured = Money((await charge_of(stage, order_no))["amount"])
    too_much = Money(captured.amount + 1)
    said = await stage.command("refund", order_no, "--amount", too_much.major(), "--why", "x", code=2)
    assert str(too_much) in said and f"{captured} captured" in said
    assert "NOPE: unknown order" in await stage.command("refund", "NOPE", "--why", "x", code=2)
    assert await stage.send() == {}
    assert (await stage.world.truth(order_no))["refunds"] == []


@pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect", "error_rate"])
async def test_many_ask_a_second_charge_comes_the_order_is_cancelled_and_the_provider_stumbles(
    stage: Stage, fault: str
) -> None:
    """No charge gives back more than it took, and every refund is made once, under its own number."""
    order_no = await stage.locked()
    first = (await charge_of(stage, order_no))["transaction_id"]
    await stage.world.faults(system="wechatpay", **{fault: 0.5}, hang_seconds=0.0)
    ends = await asyncio.gather(
        *(ask(stage, order_no, f"{100 + n}.0{n}", f"reason {n}", first) for n in range(6)),
        stage.world.act(order_no, "pay", twice=True),
        return_exceptions=True,
    )
    assert {type(end) for end in ends[:6]} <= {Answer, RefundRefused}
    await stage.read()
    await cancel_orders((order_no,), "拍错了", "li")
    for _ in range(3):
        await _send_through_trouble(stage)
    await stage.world.calm()
    await _send_through_trouble(stage)
    await hear(stage, order_no)

    truth = await stage.world.truth(order_no)
    back: Counter[str] = Counter()
    for refund in truth["refunds"]:
        back[refund["transaction_id"]] += refund["amount"]
    assert back == {payment["transaction_id"]: payment["amount"] for payment in truth["payments"]}
    told = {refund["out_refund_no"]: ("done", refund["amount"]) for refund in truth["refunds"]}
    assert len(told) == len(truth["refunds"])
    assert await refunds(stage) == told


async def _send_through_trouble(stage: Stage) -> None:
    """Whatever waits for its next attempt is due at once; a provider that is down is asked again by the next run."""
    await stage.rows("update outbox set due_at = now() - interval '1 day' where done_at is null returning 1")
    await asyncio.gather(stage.send(), return_exceptions=True)


async def console_gives_back(stage: Stage, order_no: str, amount: int) -> None:
    """Somebody refunds in the provider's console; its notice is on its way."""
    charge = await charge_of(stage, order_no)
    asked = RefundRequest(
        order_no=order_no,
        transaction_id=charge["transaction_id"],
        refund_no=f"CONSOLE-{order_no}",
        amount=Money(amount),
        captured=Money(charge["amount"]),
        why="by hand",
    )
    await stage.house.payment.refund(asked)


async def test_what_the_provider_refuses_frees_its_share_and_tells(stage: Stage) -> None:
    order_no = await stage.locked()
    whole = Money((await charge_of(stage, order_no))["amount"])
    await console_gives_back(stage, order_no, whole.amount - 100)
    number = (await ask(stage, order_no, "2.00", "scratched")).refund_no
    assert await stage.send() == {"refused": 1}
    assert await refunds(stage) == {number: ("failed", 200)}
    assert (await stage.order(order_no)).hold_reason == HoldReason.REFUSED_BY_SYSTEM
    assert [row.refunding for row in await stage.rows("select refunding from payment")] == [0]

    await hear(stage, order_no)
    async with stage.house.transaction() as tx:
        await send_again(tx, [(await stage.order(order_no)).id], stage.house.clock.now())
    assert await stage.send() == {"not needed": 1}, "sent again, it finds its share gone"
    assert [alert.level for alert in await stage.alerts() if alert.key.startswith("refund-dropped:")] == ["urgent"]
    assert len((await stage.world.truth(order_no))["refunds"]) == 1


async def test_a_refused_refund_that_is_sent_again_takes_its_share_anew(stage: Stage) -> None:
    order_no = await stage.locked()
    number = (await ask(stage, order_no, "2.00", "scratched")).refund_no
    await stage.rows("update payment set amount = amount + 1 returning 1")  # not what the provider captured: refused
    assert await stage.send() == {"refused": 1}
    await stage.rows("update payment set amount = amount - 1 returning 1")
    await stage.rows("update outbox set due_at = now() - interval '1 day' where done_at is null returning 1")
    assert await stage.send() == {"sent": 1}
    assert await refunds(stage) == {number: ("requested", 200)}
    assert [row.refunding for row in await stage.rows("select refunding from payment")] == [200]


async def test_a_refusal_after_an_attempt_without_an_answer_frees_nothing(stage: Stage) -> None:
    """The first attempt may have moved money: a second refund of the same would pay twice."""
    order_no = await stage.locked()
    await stage.world.faults(system="wechatpay", error_rate=1.0)
    number = (await ask(stage, order_no, "2.00", "scratched")).refund_no
    await asyncio.gather(stage.send(), return_exceptions=True)
    await stage.world.calm()
    await stage.rows("update payment set amount = amount + 1 returning 1")
    await stage.rows("update outbox set due_at = now() - interval '1 day' where done_at is null returning 1")
    assert await stage.send() == {"refused": 1}
    assert await refunds(stage) == {number: ("asked", 200)}
    assert [row.refunding for row in await stage.rows("select refunding from payment")] == [200]


async def test_a_second_charge_that_we_cannot_refund_stands_in_finance_s_list_until_it_is_done(
    stage: Stage, tmp_path: Path
) -> None:
    order_no = await stage.signed()
    async with stage.house.transaction() as tx:
        now = stage.house.clock.now()
        [case] = await cases.load(tx, now=now, waits=stage.house.waits, order_nos=[order_no])
        told = through("=HYPERLINK(1)", 500, "+A-1", order_no=order_no)
        news.apply(case, replace(told, happened_at=now))
        await moves.write(tx, [case])
    assert await stage.send() == {}, "no provider is asked for what it never had"
    number = "RF-=HYPERLINK(1)-+A-1"

    ran = await run(list_refunds)
    assert ran.name == "list-refunds 1 charge(s), 1 second charge(s), 1 to be refunded by hand"
    [row] = await artifact(ran)
    assert order_no in row["order"]
    assert (row["charge"], row["captured"], row["by hand"]) == ("second charge", "5.00 CNY", "5.00 CNY")

    file = tmp_path / "list.xlsx"
    await stage.command("finance", "list", "--duplicates", "--xlsx", str(file))
    sheet = load_workbook(file).worksheets[0]
    [head, line] = sheet.iter_rows()
    cells = dict(zip((cell.value for cell in head), line, strict=True))
    assert (cells["provider"].value, cells["provider"].data_type) == ("=HYPERLINK(1)", "s")
    assert (cells["captured"].value, cells["captured"].number_format) == (5, '0.00 "CNY"')

    said = (await stage.command("finance", "list")).splitlines()
    assert said[1].startswith(f"{order_no} SIGNED: second charge 5.00 CNY")
    assert {"  by hand 5.00 CNY", f"  {number}"} <= set(said), "numbers are whole, for whoever copies them"

    assert "by hand" in await stage.command("finance", "done", number, "--by", "li")
    assert "is done" in await stage.command("finance", "done", number, code=2)
    [row] = orjson.loads(await stage.command("finance", "list", "--json"))
    assert (row["refund_nos"], row["done"], row["by_hand"], row["left"]) == (number, 500, 0, 0)


async def shop_says_paid(stage: Stage, order_no: str, transaction: str, *, event: str, read: bool = True) -> None:
    """The shop took the whole price through a provider of its own, and tells us."""
    [order] = await stage.rows("select total from sales_order where order_no = :no", no=order_no)
    paid_at = stage.house.clock.now().isoformat()
    payload = {"order_no": order_no, "provider": "alipay", "transaction_id": transaction, "paid_at": paid_at}
    message = Message(event_id=event, topic="order.paid", order_no=order_no, payload={**payload, "amount": order.total})
    async with stage.house.transaction() as tx:
        await inbox.store(tx, [("direct", message)], stage.house.clock.now())
    if read:
        await stage.read()


async def test_paid_at_one_provider_and_again_at_another_is_a_second_charge(stage: Stage) -> None:
    order_no = await stage.placed()
    await shop_says_paid(stage, order_no, "ALI-1", event="E1")
    await stage.work(Step.CONFIRM_PAYMENT)
    assert (await stage.order(order_no)).paid_at is not None
    await shop_says_paid(stage, order_no, "ali-1", event="E2")  # the same transaction, told once more
    assert await refunds(stage) == {}

    await stage.world.act(order_no, "pay")
    await stage.read()
    await stage.send()

    charge = await charge_of(stage, order_no)
    assert await refunds(stage) == {f"RF-{charge['transaction_id']}": ("requested", charge["amount"])}
    assert [one["amount"] for one in (await stage.world.truth(order_no))["refunds"]] == [charge["amount"]]


async def test_paid_again_at_the_shops_own_provider_long_after_rings_for_a_person(stage: Stage) -> None:
    order_no = await stage.signed()
    stage.later(timedelta(days=2))
    await shop_says_paid(stage, order_no, "ALI-1", event="E1")
    [row] = await stage.rows("select refund_no, state, amount from refund")
    assert (row.refund_no, row.state) == ("RF-alipay-ALI-1", "by_hand")
    assert [alert.level for alert in await stage.alerts() if "RF-alipay-ALI-1" in alert.text] == ["urgent"]
    assert await stage.send() == {}, "no provider is asked for what it never had"
    assert await stage.state(order_no) is State.SIGNED


async def test_a_refund_that_was_refused_holds_up_no_other(stage: Stage) -> None:
    """Each has its own number and its own share: the next one goes out, and so does a second charge's."""
    order_no = await stage.locked()
    refused = (await ask(stage, order_no, "2.00", "scratched")).refund_no
    await stage.rows("update payment set amount = amount + 1 returning 1")  # not what the provider captured: refused
    assert await stage.send() == {"refused": 1}
    await stage.rows("update payment set amount = amount - 1 returning 1")

    wanted = (await ask(stage, order_no, "1.00", "late")).refund_no
    await stage.world.act(order_no, "pay", twice=True)
    await stage.read()
    assert await stage.send() == {"sent": 2}
    second = await charge_of(stage, order_no, 1)
    assert await refunds(stage) == {
        refused: ("failed", 200),
        wanted: ("requested", 100),
        f"RF-{second['transaction_id']}": ("requested", second["amount"]),
    }


async def test_a_refused_refund_that_somebody_made_in_the_console_is_not_sent_again(stage: Stage) -> None:
    """A rerun, for whatever reason, would give it back a second time."""
    order_no = await stage.locked()
    number = (await ask(stage, order_no, "2.00", "scratched")).refund_no
    await stage.rows("update payment set amount = amount + 1 returning 1")  # not what the provider captured: refused
    assert await stage.send() == {"refused": 1}
    await stage.rows("update payment set amount = amount - 1 returning 1")
    await console_gives_back(stage, order_no, 200)
    await hear(stage, order_no)
    assert await refunds(stage) == {number: ("overtaken", 200), f"CONSOLE-{order_no}": ("done", 200)}

    async with stage.house.transaction() as tx:
        await send_again(tx, [(await stage.order(order_no)).id], stage.house.clock.now())
    assert await stage.send() == {"not needed": 1}
    assert [refund["amount"] for refund in (await stage.world.truth(order_no))["refunds"]] == [200]


@pytest.mark.parametrize("at_once", [True, False])
async def test_one_transaction_told_of_two_orders_is_no_second_charge(stage: Stage, at_once: bool) -> None:
    """It rings as what it is. Nobody is told to give it back: it is the first order's money."""
    first, unpaid, paid = await stage.placed(), await stage.placed(), await stage.paid()
    for number, order_no in enumerate((first, unpaid, paid)):
        await shop_says_paid(stage, order_no, "ALI-1" if number else "ali-1", event=f"E{number}", read=not at_once)
    await stage.read()
    assert (await stage.inbox())["parked"] == 2
    assert [(alert.level, alert.key) for alert in await stage.alerts()] == [
        ("warning", "unread:direct:E1"),
        ("warning", "unread:direct:E2"),
    ]
    for alert, order_no in zip(await stage.alerts(), (unpaid, paid), strict=True):
        assert f"order {order_no}: transaction ali-1 at alipay pays for order {first}" in alert.text
    assert await refunds(stage) == {}
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"confirmed": 1}
    assert (await stage.order(first)).paid_at is not None
    assert "PAYMENT_CAPTURED" not in await stage.history(unpaid)
