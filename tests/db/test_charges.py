"""Money: one transaction is one row, a second charge goes back once, a refund is asked for once."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from ballast.db import payments
from ballast.db.outbox import Outgoing
from ballast.domain.words import Event, State, Step, System
from ballast.wiring import House
from tests.db.stage import bring, captured, column, make_order, opened_one, pay, place, read_case, said, table, tell
from tests.times import NOON


async def test_a_charge_makes_the_order_due_for_checking(a_house: House) -> None:
    await place(a_house, make_order())
    assert await tell(a_house, captured(2000)) == ["moved"]
    case = await read_case(a_house)
    assert (case.standing.state, case.due) == (State.PENDING_PAYMENT, (Step.CONFIRM_PAYMENT, NOON))
    assert [(charge.transaction_id, charge.state) for charge in case.charges] == [("T-1", "captured")]


async def test_one_transaction_told_twice_is_not_a_second_charge(a_house: House) -> None:
    """By notice, by query with another time, and at the same instant."""
    await place(a_house, make_order())
    await tell(a_house, captured(2000))
    await pay(a_house, transaction="T-2")
    again = await asyncio.gather(*(tell(a_house, captured(2000, minutes=n)) for n in range(1, 9)))
    assert again == [["noted"]] * 8
    assert await column(a_house, "select transaction_id from payment order by id") == ["T-1", "T-2"]
    assert await column(a_house, "select count(*) from outbox where kind = 'payment.refund'") == [0]


async def test_a_second_charge_is_surplus_and_goes_back_once(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    assert await tell(a_house, captured(2000, "T-9", minutes=5)) == ["noted"]
    assert await tell(a_house, captured(2000, "T-9", minutes=6)) == ["noted"]
    case = await read_case(a_house)
    assert {charge.transaction_id: charge.state for charge in case.charges} == {"T-1": "counted", "T-9": "surplus"}
    (message,) = await table(a_house, "select key, payload from outbox where kind = 'payment.refund'")
    assert message["key"] == "payment.refund:SO-1:T-9"
    assert (message["payload"]["refund_no"], message["payload"]["amount"]) == ("RF-T-9", 2000)
    assert case.standing.state is State.STOCK_LOCKED


async def test_the_refund_of_a_second_charge_leaves_the_order_alone(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, captured(2000, "T-9", minutes=5))
    refunded = said(System.WECHATPAY, Event.REFUNDED, "SUCCESS", minutes=9, refund_no="RF-T-9")
    assert await tell(a_house, refunded) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.OUTBOUND


async def test_the_order_knows_which_payment_counted(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, captured(2000, "T-0", minutes=-5))
    assert (await read_case(a_house)).order().transaction_id == "T-1"


async def test_marking_charges_touches_only_its_order(a_house: House) -> None:
    await place(a_house, make_order("SO-1"), make_order("SO-2"))
    await tell(a_house, captured(1000, "T-1"), captured(1000, "T-2"))
    await tell(a_house, captured(2000, "T-3", "SO-2"))
    async with a_house.transaction() as tx:
        case = await read_case(a_house)
        case.charges[1] = replace(case.charges[1], state="surplus")
        case.charges.append(replace(case.charges[0], transaction_id="T-3", state="surplus"))  # not of this order
        await payments.mark_charges(tx, [case])
    assert await column(a_house, "select state from payment order by transaction_id") == [
        "captured",
        "surplus",
        "captured",
    ]


async def test_a_refund_is_written_once_and_done_once(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, captured(2000, "T-9", minutes=5))
    (row,) = await table(a_house, "select * from outbox where kind = 'payment.refund'")
    sent = Outgoing(row["id"], row["key"], row["order_id"], row["kind"], row["payload"], 0)
    for later in (NOON, NOON.replace(hour=9)):
        async with a_house.transaction() as tx:
            await payments.record_refunds(tx, [sent], later)
            await payments.refunds_done(tx, ["RF-T-9", "unknown"], later)
    (refund,) = await table(a_house, "select * from refund")
    assert (refund["refund_no"], refund["state"], refund["amount"], refund["done_at"]) == ("RF-T-9", "done", 2000, NOON)


async def test_the_database_refuses_a_charge_of_nothing_and_one_without_its_order(a_house: House) -> None:
    (case_id,) = (await place(a_house, make_order())).values()
    insert = """insert into payment (order_id, provider, transaction_id, method, amount, currency, merchant, state,
                  paid_at, recorded_at) values (:id, 'p', 't', '', :amount, 'CNY', '', 'captured', now(), now())
                returning id"""
    with pytest.raises(DBAPIError, match="amount_positive"):
        await table(a_house, insert, id=case_id, amount=0)
    with pytest.raises(DBAPIError, match="foreign key"):
        await table(a_house, insert, id=case_id + 1, amount=1)


async def test_an_unpaid_order_whose_payment_ended_is_closed(a_house: House) -> None:
    await place(a_house, make_order())
    await tell(a_house, said(System.WECHATPAY, Event.PAYMENT_ENDED, "CLOSED", minutes=1))
    case = await read_case(a_house)
    assert (case.standing.state, case.due) == (State.CLOSED, None)


async def test_a_charge_for_a_closed_order_goes_back(a_house: House) -> None:
    """The customer paid in the last second, after we gave the order up: the money must not stay with us."""
    await place(a_house, make_order())
    async with opened_one(a_house) as case:
        case.take(Event.CANCELLED, cause="cancel", actor="person:li")
    await tell(a_house, captured(2000, minutes=1))
    assert await column(a_house, "select state from payment") == ["surplus"]
    assert await column(a_house, "select key from outbox") == ["payment.refund:SO-1:T-1"]
