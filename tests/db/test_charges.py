"""Money: one transaction is one row, a second charge goes back once, a refund is asked for once."""

import asyncio
import copy
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from ballast.db import news, payments
from ballast.db.outbox import Outgoing
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.wiring import House
from tests.db.stage import (
    bring,
    captured,
    column,
    make_order,
    opened_one,
    pay,
    place,
    read_case,
    refunded,
    release,
    said,
    table,
    tell,
)
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


@pytest.mark.parametrize("number", ["RF-T-9", "BY-HAND"])
@pytest.mark.parametrize("state", [State.STOCK_LOCKED, State.OUTBOUND])
async def test_the_refund_of_a_second_charge_leaves_the_order_alone(a_house: House, state: State, number: str) -> None:
    """Whether we asked for it or somebody did it in the provider's console."""
    await bring(a_house, state)
    await tell(a_house, captured(2000, "T-9", minutes=5))
    assert await tell(a_house, refunded(2000, "T-9", number)) == ["noted"]
    assert (await read_case(a_house)).standing.state is state
    (refund,) = await table(a_house, "select * from refund where state = 'done'")
    assert (refund["refund_no"], refund["transaction_id"]) == (number, "T-9")


async def two_counted(house: House) -> None:
    """Paid with a voucher of 3.00 and a card, and locked."""
    await place(house, make_order())
    await tell(house, captured(300, "T-1"), captured(1700, "T-2", minutes=1))
    async with opened_one(house) as case:
        case.charges[:] = [replace(charge, state="counted") for charge in case.charges]
        async with house.transaction() as tx:
            await payments.mark_charges(tx, [case])
        case.milestones["paid_at"] = case.now
        case.take(Event.PAYMENT_CONFIRMED, cause="confirm", actor="ballast")
        case.take(Event.STOCK_LOCKED, cause="lock", actor="ballast")


async def test_a_refund_of_one_of_two_charges_moves_nothing_until_the_other_went_back_too(a_house: House) -> None:
    await two_counted(a_house)
    assert await tell(a_house, refunded(300, "T-1", "R-1", of=300)) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.STOCK_LOCKED
    assert await tell(a_house, refunded(700, "T-2", "R-2", of=1700)) == ["noted"]
    assert await tell(a_house, refunded(700, "T-2", "R-2", of=1700, minutes=31)) == ["noted"], "the same one again"
    assert (await read_case(a_house)).standing.state is State.STOCK_LOCKED
    assert await tell(a_house, refunded(1000, "T-2", "R-3", of=1700)) == ["moved"]
    assert (await read_case(a_house)).standing.reason is HoldReason.REFUNDED_ON_THE_WAY


async def test_the_order_moves_exactly_when_the_last_cent_that_counted_went_back(a_house: House) -> None:
    """Refunds of every size, number, order and fate, some told twice; a surplus charge among the counted ones."""
    await two_counted(a_house)
    await tell(a_house, captured(1700, "T-9", minutes=5))
    start, took = await read_case(a_house), {"T-1": 300, "T-2": 1700, "T-9": 1700}
    chance = random.Random(20260105)
    ended = 0
    for _ in range(400):
        case, back = copy.deepcopy(start), dict.fromkeys(took, 0)
        known: dict[str, tuple[str, int]] = {}
        for minute in range(chance.randrange(1, 14)):
            number = f"R-{chance.randrange(8)}"
            left = {t: took[t] - back[t] for t in took if took[t] > back[t]}
            transaction = chance.choice(sorted(left or took))
            part = chance.choice([left.get(transaction, 1), chance.randrange(1, left.get(transaction, 1) + 1)])
            transaction, part = known.setdefault(number, (transaction, part))
            code = chance.choice(["SUCCESS", "SUCCESS", "SUCCESS", "ABNORMAL", "CLOSED", "PROCESSING"])
            was_done = case.refunds.get(number) is not None and case.refunds[number].state == "done"
            if not was_done and part > took[transaction] - back[transaction]:
                continue  # no provider gives back more than it took
            news.apply(case, refunded(part, transaction, number, of=took[transaction], code=code, minutes=minute))
            back[transaction] += part if code == "SUCCESS" and not was_done else 0
            gone = back["T-1"] == 300 and back["T-2"] == 1700
            assert (case.standing.reason is HoldReason.REFUNDED_ON_THE_WAY) == gone
            assert {t: case.returned(c) for c in case.charges if (t := c.transaction_id)} == back
        ended += gone
    assert 20 < ended < 380, "both ends were seen"


@pytest.mark.parametrize("code", ["ABNORMAL", "CLOSED"])
async def test_a_refund_that_failed_is_never_done_and_holds_the_order(a_house: House, code: str) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    assert await tell(a_house, refunded(code=code)) == ["moved"]
    (refund,) = await table(a_house, "select state, note, done_at, amount from refund")
    assert refund == {"state": "failed", "note": code, "done_at": None, "amount": 2000}
    assert (await read_case(a_house)).standing.reason is HoldReason.REFUND_FAILED
    await release(a_house)
    assert await tell(a_house, refunded(code=code, minutes=40)) == ["noted"], "a person let it pass"

    assert await tell(a_house, refunded(minutes=50)) == ["moved"], "finished in the console under the same number"
    assert await column(a_house, "select state from refund") == ["done"]
    assert await tell(a_house, refunded(code=code, minutes=45)) == ["noted"], "late"
    assert await column(a_house, "select state || note from refund") == ["done"]


async def test_the_books_never_take_back_that_money_went_back(a_house: House) -> None:
    """Whatever a case says: the second fence."""
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, refunded(100))
    async with opened_one(a_house) as case:
        case.refunds.clear()
        news.apply(case, refunded(100, code="ABNORMAL", minutes=40))
    assert await column(a_house, "select state from refund") == ["done"]


async def test_a_failed_refund_is_a_fact_however_late_it_comes(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, refunded(100, number="R-1", minutes=50))
    assert await tell(a_house, refunded(1900, number="R-2", code="ABNORMAL", minutes=40)) == ["moved"]
    assert (await read_case(a_house)).standing.reason is HoldReason.REFUND_FAILED


async def test_a_failed_refund_of_a_second_charge_leaves_the_order_alone(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, captured(2000, "T-9", minutes=5))
    assert await tell(a_house, refunded(2000, "T-9", "RF-T-9", code="ABNORMAL")) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.STOCK_LOCKED
    assert await column(a_house, "select state from refund") == ["failed"]


async def test_a_refund_under_way_is_only_noted(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    assert await tell(a_house, refunded(code="PROCESSING")) == ["noted"]
    assert await column(a_house, "select count(*) from refund where state = 'done'") == [0]
    assert (await read_case(a_house)).standing.state is State.STOCK_LOCKED


async def test_a_refund_of_a_charge_that_is_not_known_moves_nothing(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    assert await tell(a_house, refunded(2000, "T-7")) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.STOCK_LOCKED


async def test_a_refund_that_is_here_before_its_charge_ends_the_order_with_it(a_house: House) -> None:
    await place(a_house, make_order())
    assert await tell(a_house, refunded()) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.PENDING_PAYMENT
    await tell(a_house, captured(2000))
    case = await read_case(a_house)
    assert (case.standing.state, case.due) == (State.CLOSED, None)
    assert await column(a_house, "select count(*) from outbox where kind = 'payment.refund'") == [0]


async def test_only_what_is_left_of_a_second_charge_goes_back(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, refunded(500, "T-9"))
    await tell(a_house, captured(2000, "T-9", minutes=5))
    assert await column(a_house, "select payload ->> 'amount' from outbox where kind = 'payment.refund'") == ["1500"]


async def test_a_refund_of_an_imported_charge_is_known_by_its_amount(a_house: House) -> None:
    """A file has no transaction numbers."""
    await bring(a_house, State.STOCK_LOCKED)
    await table(a_house, "update payment set provider = 'import', transaction_id = 'SO-1-1' returning id")
    assert await tell(a_house, refunded(2000, "T-77", "R-1", of=1999)) == ["noted"]
    assert await tell(a_house, refunded(500, "T-77", "R-2")) == ["noted"]
    assert await tell(a_house, refunded(1500, "T-77", "R-3")) == ["moved"]
    assert (await read_case(a_house)).standing.reason is HoldReason.REFUNDED_ON_THE_WAY


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
            await payments.record_refunds(tx, [sent], later, later + timedelta(hours=6))
        await tell(a_house, refunded(2000, "T-9", "RF-T-9", minutes=30))
    (refund,) = await table(a_house, "select * from refund")
    assert (refund["refund_no"], refund["state"], refund["amount"]) == ("RF-T-9", "done", 2000)
    assert (refund["requested_at"], refund["done_at"]) == (NOON, NOON + timedelta(minutes=30))
    assert (refund["why"], refund["due_at"]) == ("second charge for a paid order", None)


async def test_a_notice_that_is_faster_than_our_own_note_is_kept(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, captured(2000, "T-9", minutes=5))
    (row,) = await table(a_house, "select * from outbox where kind = 'payment.refund'")
    await tell(a_house, refunded(2000, "T-9", "RF-T-9"))
    async with a_house.transaction() as tx:
        sent = Outgoing(row["id"], row["key"], row["order_id"], row["kind"], row["payload"], 0)
        await payments.record_refunds(tx, [sent], NOON, NOON + timedelta(hours=6))
    (refund,) = await table(a_house, "select state, why, due_at from refund")
    assert refund == {"state": "done", "why": "second charge for a paid order", "due_at": None}


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
