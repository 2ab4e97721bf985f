"""A message that nobody can read or store is parked alone: its neighbours act, and it acts once it is mended."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.payments.wechatpay.webhook import WechatpayHook
from adapters.storefronts.wechat.status import REMIND_SHIPPING
from ballast.db import inbox, moves
from ballast.db.case import Case
from ballast.db.engine import run
from ballast.domain.words import Event, Step
from ballast.ports import Codes, Message, News
from tasks.inbox import read_messages
from tests.flows.stage import Stage

TOO_BIG = 2**63
"""One more than a bigint holds. JSON, the models and the inbox take it."""

IN_MILLISECONDS = 1_767_600_000_000
"""A time of the shop, had it changed its mind about the unit."""


async def three_paid(stage: Stage, *, amount_of_the_second: int | None = None) -> list[str]:
    """Orders whose notices of payment wait in the inbox."""
    orders = [await stage.placed() for _ in range(3)]
    for order_no in orders:
        spoilt = amount_of_the_second is not None and order_no == orders[1]
        await stage.world.act(order_no, "pay", **({"amount": amount_of_the_second} if spoilt else {}))
    return orders


@contextmanager
def reader_makes(order_no: str, change: Callable[[News], News]) -> Iterator[None]:
    """What the payment's reader makes of messages about this order, while the context is open."""
    read = WechatpayHook.read

    def changing(hook: WechatpayHook, message: Message, codes: Codes) -> News | None:
        news = read(hook, message, codes)
        return change(news) if news is not None and message.order_no == order_no else news

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WechatpayHook, "read", changing)
        yield


async def parked(stage: Stage) -> Any:
    """The only message that is parked."""
    [row] = await stage.rows("select * from inbox where state = 'parked'")
    return row


async def payments_waiting(stage: Stage) -> list[str]:
    """Order numbers of the notices that nobody has read yet."""
    found = await stage.rows("select order_no from inbox where state = 'new' and source = 'wechatpay' order by id")
    return [row.order_no for row in found]


async def run_out_of_patience(stage: Stage) -> None:
    """Nobody told of a payment for long enough: the provider is asked."""
    async with stage.house.transaction() as tx:
        await run(tx, "update sales_order set due_at = now() - interval '1 minute' where due_at is not null")


async def assert_only_these_were_charged(stage: Stage, *orders: str) -> None:
    """Of the others nothing was written at all: no charge, no history, no word of the provider."""
    for sql in (
        "select o.order_no from payment y join sales_order o on o.id = y.order_id",
        "select o.order_no from external_status s join sales_order o on o.id = s.order_id where s.system = 'wechatpay'",
        "select o.order_no from order_event e join sales_order o on o.id = e.order_id where e.actor = 'wechatpay'",
    ):
        assert sorted(row.order_no for row in await stage.rows(sql)) == sorted(orders)


# -- a reader stumbles


@pytest.mark.parametrize("wrong", [ValueError, TypeError, KeyError, OverflowError, RecursionError, OSError])
async def test_a_message_at_which_its_reader_stumbles_is_parked_alone(stage: Stage, wrong: type[Exception]) -> None:
    first, second, third = await three_paid(stage)

    def stumble(_: News) -> News:
        raise wrong("13900000001")

    with reader_makes(second, stumble):
        assert await stage.read() == {"applied": 2, "parked": 1}

    row = await parked(stage)
    assert (row.order_no, row.note) == (second, f"wechatpay: could not be read ({wrong.__name__})")
    [alert] = await stage.alerts()
    assert (alert.key, alert.text) == (f"unread:wechatpay:{row.event_id}", row.note), "and no value is repeated"
    await assert_only_these_were_charged(stage, first, third)


@pytest.mark.parametrize("time", [IN_MILLISECONDS, 10**17])
async def test_a_time_that_no_calendar_has_is_parked_alone(stage: Stage, time: int) -> None:
    order_no = await stage.placed()
    await stage.world.act(order_no, "pay")
    reminder = {
        "MsgType": "event",
        "Event": REMIND_SHIPPING,
        "CreateTime": time,
        "transaction_id": "4200",
        "merchant_id": "1900000001",
        "merchant_trade_no": order_no,
    }
    message = Message(event_id="E-1", topic=REMIND_SHIPPING, order_no=order_no, payload=reminder)
    async with stage.house.transaction() as tx:
        await inbox.store(tx, [("wechat", message)], stage.house.clock.now())

    assert await stage.read() == {"applied": 1, "parked": 1}

    assert (await parked(stage)).source == "wechat"
    assert [alert.key for alert in await stage.alerts()] == ["unread:wechat:E-1"]


async def test_a_charge_in_a_currency_that_nobody_knows_is_parked_alone(stage: Stage) -> None:
    first, second, third = await three_paid(stage)
    async with stage.house.transaction() as tx:
        sql = "update inbox set payload = jsonb_set(payload, '{amount,currency}', '\"AUD\"') where order_no = :no"
        await run(tx, sql, no=second)

    assert await stage.read() == {"applied": 2, "parked": 1}

    assert (await parked(stage)).note == f"wechatpay, order {second}: currency 'AUD' is unknown"
    await assert_only_these_were_charged(stage, first, third)


# -- the database refuses a value


@pytest.mark.parametrize("amount", [TOO_BIG, 0])
async def test_a_charge_that_the_database_refuses_is_parked_alone_and_replayed(stage: Stage, amount: int) -> None:
    first, second, third = await three_paid(stage, amount_of_the_second=amount)

    assert await stage.read() == {"applied": 2, "parked": 1}

    row = await parked(stage)
    assert row.order_no == second and row.note.startswith("the database refuses a value of it")
    [alert] = await stage.alerts()
    assert (alert.key, alert.text) == (f"poison:{row.id}", f"inbox {row.id}: {row.note}")
    await assert_only_these_were_charged(stage, first, third)

    async with stage.house.transaction() as tx:
        await run(
            tx,
            """
            update inbox i set payload = jsonb_set(payload, '{amount,total}', to_jsonb(o.total))
            from sales_order o where o.order_no = i.order_no and i.id = :id""",
            id=row.id,
        )
    assert await stage.command("parked", "replay", "wechatpay") == "1 parked message(s) will be read again\n"
    assert await stage.read() == {"applied": 1}
    assert await stage.work(Step.CONFIRM_PAYMENT) == {"confirmed": 3}
    assert len(await stage.alerts()) == 1


@pytest.mark.parametrize("amount", [TOO_BIG, 0])
async def test_a_charge_that_cannot_be_stops_no_other_when_the_provider_is_asked(stage: Stage, amount: int) -> None:
    """Its notice is parked, so the step asks about it, together with orders whose notices were lost."""
    first, second, third = await three_paid(stage, amount_of_the_second=amount)
    async with stage.house.transaction() as tx:
        await run(tx, "delete from inbox where source = 'wechatpay'")
    await run_out_of_patience(stage)

    assert await stage.work(Step.CONFIRM_PAYMENT) == {"confirmed": 2, "again later": 1}

    await assert_only_these_were_charged(stage, first, third)
    assert (await stage.order(second)).attempts == 1


async def test_a_text_that_the_database_cannot_keep_is_parked_alone(stage: Stage) -> None:
    """No door lets a NUL in; should a reader make one, it stops nobody else."""
    first, second, third = await three_paid(stage)

    with reader_makes(second, lambda news: replace(news, charge=None, event=Event.NOTED, text="a\0b")):
        assert await stage.read() == {"applied": 2, "parked": 1}

    row = await parked(stage)
    assert [alert.key for alert in await stage.alerts()] == [f"poison:{row.id}"]
    await assert_only_these_were_charged(stage, first, third)
    assert await stage.command("parked", "replay") == "1 parked message(s) will be read again\n"
    assert await stage.read() == {"applied": 1}
    await assert_only_these_were_charged(stage, first, second, third)


async def test_what_can_be_stored_is_stored_though_two_are_poisoned(stage: Stage) -> None:
    first, _, third = await three_paid(stage, amount_of_the_second=TOO_BIG)
    await stage.world.act(third, "pay", twice=True, amount=0)

    assert await read_messages.fn(500) == {"applied": 2, "parked": 2}, "in one go"

    assert {alert.title for alert in await stage.alerts()} == {"an incoming message was parked"}
    await assert_only_these_were_charged(stage, first, third)


# -- the database is in trouble


@contextmanager
def trouble_with(order_no: str, sqlstate: str) -> Iterator[None]:
    """Whoever writes this order gets a real error of the server, while the context is open."""
    write = moves.write

    async def failing(tx: AsyncConnection, cases: Sequence[Case]) -> None:
        await write(tx, cases)
        if order_no in {case.order_no for case in cases}:
            await run(tx, f"do $$ begin raise exception 'trouble' using errcode = '{sqlstate}'; end $$")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "write", failing)
        yield


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "53300", "55P03", "57014", "XX000"])
async def test_trouble_of_the_database_is_nobodys_fault(stage: Stage, sqlstate: str) -> None:
    """Serialization, deadlock, no connection, no lock, time-out, broken inside: the next run reads all of them."""
    orders = await three_paid(stage)

    with trouble_with(orders[1], sqlstate), pytest.raises(DBAPIError, match="trouble"):
        await stage.read()

    assert await payments_waiting(stage) == orders
    assert await stage.alerts() == []
    await assert_only_these_were_charged(stage)
    assert await stage.read() == {"applied": 3}


async def test_trouble_while_the_poisoned_one_is_looked_for_parks_no_other(stage: Stage) -> None:
    first, second, third = await three_paid(stage, amount_of_the_second=TOO_BIG)

    with trouble_with(third, "57014"), pytest.raises(DBAPIError, match="trouble"):
        await stage.read()

    assert (await parked(stage)).order_no == second
    assert await payments_waiting(stage) == [third]
    assert len(await stage.alerts()) == 1
    await assert_only_these_were_charged(stage, first)
    assert await stage.read() == {"applied": 1}
    await assert_only_these_were_charged(stage, first, third)
