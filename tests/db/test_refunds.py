"""Refunds: never more than was captured, however many ask at once; each asked for once, under a number of its own."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from ballast.db import cases, moves, news, refunding
from ballast.db.refund_requests import Answer, RefundRefused, Wanted, made_by_hand, request
from ballast.domain.payments import REFUNDED_BY_US
from ballast.domain.words import HoldReason, State, System
from ballast.ports import News
from ballast.wiring import House
from tasks.alarms import refund_alerts, surplus_alerts
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
    table,
    tell,
)


async def ask(house: House, amount: str | None = None, *, dry_run: bool = False, **more: Any) -> Answer:
    wanted = Wanted(**{"order_no": "SO-1", "why": "one was broken", "by": "li", "amount": amount, **more})
    async with house.transaction() as tx:
        return await request(tx, wanted, now=house.clock.now(), waits=house.waits, dry_run=dry_run)


async def refusal(house: House, amount: str | None = None, **more: Any) -> str:
    """The words of it."""
    with pytest.raises(RefundRefused) as refused:
        await ask(house, amount, **more)
    return str(refused.value)


async def by_hand(house: House, number: str) -> Answer:
    async with house.transaction() as tx:
        return await made_by_hand(tx, number, by="li", now=house.clock.now(), waits=house.waits)


def through(provider: str, amount: int, transaction: str, *, minutes: int = 5, order_no: str = "SO-1") -> News:
    """A charge of another provider, told by somebody who is not it."""
    told = captured(amount, transaction, order_no, minutes)
    assert told.charge is not None
    return replace(told, system=System.DIRECT, charge=replace(told.charge, provider=provider))


# -- a person's refund -------------------------------------------------------------------------------------------


async def test_a_part_goes_back_and_the_order_goes_on(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    answer = await ask(a_house, "5.00")
    assert answer.refund_no == "RF-T-1-1"
    assert "5.00 CNY of charge T-1" in answer.text
    (sent,) = await table(a_house, "select key, payload from outbox where kind = 'payment.refund'")
    assert sent["key"] == "payment.refund:SO-1:T-1-1"
    assert (sent["payload"]["refund_no"], sent["payload"]["amount"]) == ("RF-T-1-1", 500)
    assert await tell(a_house, refunded(500, number="RF-T-1-1")) == ["noted"]
    case = await read_case(a_house)
    assert (case.standing.state, case.refunds["RF-T-1-1"].state) == (State.STOCK_LOCKED, "done")
    assert case.refunds["RF-T-1-1"].why == "one was broken"
    actors = await column(a_house, "select actor from order_event where cause = 'refund:RF-T-1-1'")
    assert actors == ["person:li"]


async def test_without_an_amount_all_that_is_left_goes_back_and_then_the_life_cycle_decides(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await ask(a_house, "5.00")
    answer = await ask(a_house, why="the customer is gone")
    assert "15.00 CNY" in answer.text
    assert "`ballast cancel SO-1`" in answer.text
    await tell(a_house, refunded(500, number="RF-T-1-1"))
    assert await tell(a_house, refunded(1500, number="RF-T-1-2")) == ["moved"]
    assert (await read_case(a_house)).standing.reason is HoldReason.REFUNDED_ON_THE_WAY


async def test_more_than_was_captured_is_refused_with_both_figures(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    said = await refusal(a_house, "20.01")
    assert "20.01 CNY" in said
    assert "20.00 CNY captured, 20.00 CNY left" in said
    assert await column(a_house, "select count(*) from refund") == [0]
    await ask(a_house, "12.00")
    await tell(a_house, refunded(300, number="IN-THE-CONSOLE"))
    said = await refusal(a_house, "5.01")
    assert "5.01 CNY" in said
    assert "20.00 CNY captured, 5.00 CNY left (3.00 CNY went back, 12.00 CNY on its way)" in said
    await ask(a_house, "5.00")
    assert "0.00 CNY left" in await refusal(a_house, why="another")


async def test_the_same_twice_is_one_unless_said_again(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await ask(a_house, "3.00")
    assert "RF-T-1-1" in await refusal(a_house, "3.00", why=" one  was broken ")
    await tell(a_house, refunded(300, number="RF-T-1-1"))
    assert "given back already as RF-T-1-1" in await refusal(a_house, "3.00")
    assert (await ask(a_house, "3.00", again=True)).refund_no == "RF-T-1-2"
    assert (await ask(a_house, "3.00", why="and one was missing")).refund_no == "RF-T-1-3"
    whole = await ask(a_house, why="all of it")
    assert whole.refund_no in await refusal(a_house, why="all of it")


async def test_a_failed_refund_frees_its_share_and_may_be_asked_for_anew(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await ask(a_house, "20.00")
    await refusal(a_house, "0.01")
    await tell(a_house, refunded(2000, number="RF-T-1-1", code="ABNORMAL"))
    assert await column(a_house, "select refunding from payment") == [0]
    assert (await ask(a_house, "20.00")).refund_no == "RF-T-1-2"


@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "-0.01", "1.001", f"1.{'0' * 40}1", "abc", "1e3", "", "nan", "１", "1,00", "9" * 30, "9999999999999"],
)
async def test_what_is_no_amount_is_refused(a_house: House, amount: str) -> None:
    await bring(a_house, State.SIGNED)
    assert "SO-1" in await refusal(a_house, amount)
    assert await column(a_house, "select count(*) from refund") == [0]
    assert await column(a_house, "select count(*) from outbox where kind = 'payment.refund'") == [0]


async def test_what_is_not_known_is_refused_in_words(a_house: House) -> None:
    assert "SO-1: unknown order" in await refusal(a_house, "1.00")
    await place(a_house, make_order())
    assert "no money was captured" in await refusal(a_house, "1.00")
    await pay(a_house)
    assert "no charge T-7: it has T-1 (20.00 CNY at wechatpay)" in await refusal(a_house, "1.00", transaction="T-7")
    await tell(a_house, through("alipay", 2000, "A-1"))
    assert "name one with --charge: T-1" in await refusal(a_house, "1.00")
    assert (await ask(a_house, "1.00", transaction=" t-1")).refund_no == "RF-T-1-1"


async def test_a_number_that_two_providers_gave_is_named_with_its_provider(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await tell(a_house, through("alipay", 2000, "T-1"))
    await by_hand(a_house, "RF-alipay-T-1")
    said = await refusal(a_house, "1.00", transaction="T-1")
    assert said == "SO-1: T-1 is a charge of several providers: say wechatpay:T-1 or alipay:T-1"
    assert "has no charge unionpay:T-1" in await refusal(a_house, "1.00", transaction="unionpay:T-1")
    assert "0.00 CNY left" in await refusal(a_house, "1.00", transaction="alipay:T-1")
    assert (await ask(a_house, "1.00", transaction="wechatpay:t-1")).refund_no == "RF-T-1-1"


@pytest.mark.parametrize("why", ["", "  "])
async def test_a_refund_without_a_reason_is_refused(a_house: House, why: str) -> None:
    """The provider wants one, and a repeat is known by it."""
    await bring(a_house, State.SIGNED)
    assert await refusal(a_house, "1.00", why=why) == "SO-1: a refund needs a reason: say it with --why"
    assert await column(a_house, "select count(*) from refund") == [0]


async def test_a_closed_order_gives_back_what_it_has_and_no_more(a_house: House) -> None:
    await bring(a_house, State.CLOSED)
    said = await refusal(a_house, "20.01")
    assert "20.01 CNY" in said and "20.00 CNY captured" in said
    assert (await ask(a_house, "20.00")).refund_no == "RF-T-1-1"
    await tell(a_house, refunded(2000, number="RF-T-1-1"))
    assert "0.00 CNY left (20.00 CNY went back" in await refusal(a_house, "0.01", why="another")
    assert (await read_case(a_house)).standing.state is State.CLOSED


async def test_a_dry_run_changes_nothing(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    events = await column(a_house, "select count(*) from order_event")
    answer = await ask(a_house, "5.00", dry_run=True)
    assert answer.refund_no == "RF-T-1-1"
    assert await column(a_house, "select count(*) from refund") == [0]
    assert await column(a_house, "select count(*) from outbox where kind = 'payment.refund'") == [0]
    assert await column(a_house, "select count(*) from order_event") == events


async def test_a_cancellation_gives_back_what_a_person_has_not(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await ask(a_house, "5.00")
    for _ in range(2):
        async with opened_one(a_house) as case:
            refunding.give_back(case, case.charges[0], why="order cancelled")
    amounts = {r["refund_no"]: r["amount"] for r in await table(a_house, "select refund_no, amount from refund")}
    assert amounts == {"RF-T-1-1": 500, "RF-T-1": 1500}


async def test_what_failed_is_not_asked_for_again_by_itself(a_house: House) -> None:
    """People were told to refund it by hand: a cancellation that comes later must not do it a second time."""
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, captured(2000, "T-9", minutes=5))
    await tell(a_house, refunded(2000, "T-9", "RF-T-9", code="ABNORMAL"))
    async with opened_one(a_house) as case:
        refunding.give_back(case, case.charges[1], why="order cancelled")
    assert await column(a_house, "select state from refund") == ["failed"]
    assert await column(a_house, "select count(*) from outbox where kind = 'payment.refund'") == [1]


# -- never more than captured ------------------------------------------------------------------------------------


async def test_of_many_who_ask_at_once_only_as_many_get_it_as_there_is_money(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    asked = [ask(a_house, "7.00", why=f"reason {number}") for number in range(8)]
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert Counter(type(end).__name__ for end in ends) == {"Answer": 2, "RefundRefused": 6}
    assert await column(a_house, "select sum(amount) from refund") == [1400]
    sent = await column(a_house, "select payload ->> 'refund_no' from outbox where kind = 'payment.refund'")
    assert sorted(sent) == ["RF-T-1-1", "RF-T-1-2"]


async def test_the_same_from_many_at_once_is_asked_for_once(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    ends = await asyncio.gather(*(ask(a_house, "7.00") for _ in range(8)), return_exceptions=True)
    assert Counter(type(end).__name__ for end in ends) == {"Answer": 1, "RefundRefused": 7}


async def test_the_database_refuses_more_than_was_captured_even_without_the_lock(a_house: House) -> None:
    """The second fence: who reads unlocked and writes past the order's lock is refused at the charge."""
    await bring(a_house, State.SIGNED)

    async def past_the_lock(number: str) -> None:
        case = await read_case(a_house)
        await everybody_read.wait()
        refunding.ask(case, case.charges[0], number, 1500, "in a hurry")
        async with a_house.transaction() as tx:
            await moves.write(tx, [case])

    everybody_read = asyncio.Barrier(3)
    ends = await asyncio.gather(*(past_the_lock(f"RF-X-{n}") for n in range(3)), return_exceptions=True)
    refused = [end for end in ends if isinstance(end, DBAPIError)]
    assert len(refused) == 2 and all("refunds_within_charge" in str(end) for end in refused)
    assert await column(a_house, "select sum(amount) from refund") == [1500]


async def test_nothing_of_another_order_s_charge_is_asked_for(a_house: House) -> None:
    """The same transaction, told for two orders: the money of the first is not the second's to give."""
    await bring(a_house, State.SIGNED)
    await place(a_house, make_order("SO-2"))
    await pay(a_house, "SO-2", "T-2")
    await tell(a_house, captured(2000, "T-1", "SO-2", minutes=9))
    assert await column(a_house, "select count(*) from refund") == [0]
    assert await column(a_house, "select refunding from payment order by id") == [0, 0]


async def test_more_that_went_back_elsewhere_is_a_fact_and_leaves_nothing(a_house: House) -> None:
    """Somebody was faster in the provider's console: told, counted, never refused."""
    await bring(a_house, State.SIGNED)
    await ask(a_house, "15.00")
    await tell(a_house, refunded(1000, number="CONSOLE-1"))
    assert await column(a_house, "select refunding from payment") == [2000]
    assert "0.00 CNY left" in await refusal(a_house, "0.01")
    await tell(a_house, refunded(1500, number="RF-T-1-1", code="CLOSED"))
    assert await column(a_house, "select refunding from payment") == [1000]
    assert (await ask(a_house, "10.00")).refund_no == "RF-T-1-2"


async def test_what_the_provider_gave_back_under_our_number_counts_not_what_we_asked_for(a_house: House) -> None:
    """Books that were restored may give a number anew that the provider knows."""
    await bring(a_house, State.SIGNED)
    await ask(a_house, "3.00")
    await tell(a_house, refunded(500, number="RF-T-1-1"))
    assert await column(a_house, "select refunding from payment") == [500]
    case = await read_case(a_house)
    assert refunding.left(case, case.charges[0]) == 1500


numbers = count(1)
sizes = st.integers(1, 1200)
histories = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.lists(st.tuples(st.booleans(), sizes), min_size=1, max_size=4)),
        st.tuples(st.just("cancel"), st.none()),
        st.tuples(st.just("second charge"), st.integers(1, 2)),
        st.tuples(st.just("end"), st.tuples(st.integers(0, 9), st.sampled_from(["SUCCESS", "SUCCESS", "ABNORMAL"]))),
        st.tuples(st.just("console"), sizes),
    ),
    max_size=10,
)


@settings(max_examples=60)
@given(histories)
async def test_whatever_happens_no_more_is_asked_for_than_was_captured(a_house: House, history: list[Any]) -> None:
    """Persons, cancellations and second charges ask, several at once; providers end, fail, repeat and do their own."""
    order_no = f"SO-H{next(numbers)}"
    await place(a_house, make_order(order_no))
    await pay(a_house, order_no, f"{order_no}-T")
    before = await _going_back(a_house, order_no)
    for minute, (what, value) in enumerate(history, 1):
        await _happen(a_house, order_no, what, value, minute)
        after = await _going_back(a_house, order_no)
        for transaction, (amount, total, booked) in after.items():
            told = before.get(transaction, (0, 0, 0))[1] if what in ("ask", "cancel", "second charge") else total
            assert total <= max(amount, told), "asking never goes above what was captured; a provider's word is a fact"
            assert booked == min(amount, total)
        before = after
    sent = await column(
        a_house,
        "select payload ->> 'refund_no' from outbox where kind = 'payment.refund' and key like :key",
        key=f"payment.refund:{order_no}:%",
    )
    in_books = await column(
        a_house,
        """select refund_no from refund f join sales_order o on o.id = f.order_id
           where order_no = :no and refund_no like 'RF-%'""",
        no=order_no,
    )
    assert sorted(sent) == sorted(in_books), "each refund in the books is sent for once, under its own number"


async def _going_back(house: House, order_no: str) -> dict[str, tuple[int, int, int]]:
    """Transaction -> captured, what its refunds that are not over add up to, what the fence has."""
    found = await table(
        house,
        """select p.transaction_id, p.amount, p.refunding, coalesce(sum(f.amount) filter (where f.state in
             ('asked', 'requested', 'by_hand', 'done')), 0) as total
           from payment p join sales_order o on o.id = p.order_id left join refund f on f.order_id = p.order_id
             and f.transaction_id = p.transaction_id where o.order_no = :no group by p.id""",
        no=order_no,
    )
    return {row["transaction_id"]: (row["amount"], int(row["total"]), row["refunding"]) for row in found}


async def _happen(house: House, order_no: str, what: str, value: Any, minute: int) -> None:
    case = await read_case(house, order_no)
    match what:
        case "ask":
            asked = [
                ask(
                    house, f"{amount / 100:.2f}", order_no=order_no, why=f"{minute}", again=again,
                    transaction=case.charges[amount % len(case.charges)].transaction_id,
                )
                for again, amount in value
            ]  # fmt: skip
            for end in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(end, Answer | RefundRefused), end
        case "cancel":
            async with opened_one(house, order_no) as open_case:
                for charge in open_case.charges:
                    refunding.give_back(open_case, charge, why="order cancelled")
        case "second charge":
            await tell(house, captured(1000, f"{order_no}-S{value}", order_no, minute))
        case "end":
            ours = sorted(number for number in case.refunds if number.startswith("RF-"))
            number, code = ours[value[0] % len(ours)] if ours else "", value[1]
            charge = next((c for c in case.charges if ours and c.key == case.refunds[number].key), None)
            if charge is not None and case.refunds[number].amount <= charge.amount - case.returned(charge):
                amount, name = case.refunds[number].amount, charge.transaction_id
                told = refunded(amount, name, number, of=charge.amount, code=code, order_no=order_no, minutes=minute)
                await tell(house, told, told)
        case "console":
            charge = case.charges[0]
            still_there = charge.amount - case.returned(charge)  # no provider gives back more than it took
            if still_there:
                amount = min(value, still_there)
                await tell(house, refunded(amount, charge.transaction_id, f"C-{order_no}-{minute}", order_no=order_no))


# -- second charges, across providers and over time ----------------------------------------------------------------


@pytest.mark.parametrize("provider", ["wechatpay", "alipay"])
@pytest.mark.parametrize("state", [State.STOCK_LOCKED, State.SIGNED, State.CLOSED])
async def test_paid_twice_is_found_at_any_provider_and_any_time(a_house: House, state: State, provider: str) -> None:
    await bring(a_house, state)
    days_later = 5 * 24 * 60
    await tell(a_house, through(provider, 2000, "A-1", minutes=days_later))
    case = await read_case(a_house)
    assert (case.standing.state, case.charges[1].state) == (state, "surplus")
    [refund] = case.refunds.values()
    by_us = provider in REFUNDED_BY_US
    assert (refund.state, refund.amount) == ("asked" if by_us else "by_hand", 2000)
    assert await column(a_house, "select count(*) from outbox where kind = 'payment.refund'") == [int(by_us)]


@pytest.mark.parametrize("again", ["T-1", " T-1 ", "t-1", "T- 1", "T-1\n"])
async def test_one_transaction_in_another_spelling_is_no_second_charge(a_house: House, again: str) -> None:
    await bring(a_house, State.SIGNED)
    assert await tell(a_house, captured(2000, again, minutes=9)) == ["noted"]
    assert await tell(a_house, through("wechatpay", 2000, again, minutes=11)) == ["noted"], "the shop tells it, too"
    assert await column(a_house, "select transaction_id from payment") == ["T-1"]
    assert await column(a_house, "select count(*) from refund") == [0]
    assert await column(a_house, "select count(*) from outbox where kind = 'payment.refund'") == [0]


async def test_the_database_knows_a_transaction_in_another_spelling(a_house: House) -> None:
    """The second fence: told in two transactions at once for two orders."""
    await place(a_house, make_order("SO-1"), make_order("SO-2"))
    told = (tell(a_house, captured(2000, number, order)) for number, order in (("AbC", "SO-1"), ("aBc", "SO-2")))
    await asyncio.gather(*told)
    assert await column(a_house, "select count(*) from payment") == [1]


async def test_one_number_at_two_providers_are_two_charges(a_house: House) -> None:
    """And what goes back of the one says nothing of the other."""
    await bring(a_house, State.SIGNED)
    await tell(a_house, through("alipay", 2000, "T-1"))
    await tell(a_house, refunded(2000, "T-1", "CONSOLE-1"))
    case = await read_case(a_house)
    assert [(c.provider, case.returned(c)) for c in case.charges] == [("wechatpay", 2000), ("alipay", 0)]
    assert set(case.refunds) == {"RF-alipay-T-1", "CONSOLE-1"}


async def test_one_number_at_two_providers_at_one_moment_are_two_causes() -> None:
    """A shop may use its order's number at both: the second must not count as the first, told again."""
    alipay, unionpay = (through(provider, 2000, "T-1") for provider in ("alipay", "unionpay"))
    assert news.cause_of(alipay) != news.cause_of(unionpay)
    assert news.cause_of(alipay) == news.cause_of(through("alipay", 2000, "T-1"))


# -- by hand -------------------------------------------------------------------------------------------------------


async def test_what_we_cannot_refund_rings_and_waits_for_a_person(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    async with opened_one(a_house) as case:
        news.apply(case, through("alipay", 2000, "A-1"))
        [alert] = surplus_alerts([case]) + refund_alerts([case])
    assert alert["level"] == "urgent"
    assert "by hand at alipay" in alert["text"] and "ballast finance done RF-alipay-A-1" in alert["text"]

    answer = await by_hand(a_house, "RF-alipay-A-1")
    assert "20.00 CNY" in answer.text
    case = await read_case(a_house)
    assert (case.refunds["RF-alipay-A-1"].state, case.standing.state) == ("done", State.STOCK_LOCKED)
    with pytest.raises(RefundRefused, match="is done"):
        await by_hand(a_house, "RF-alipay-A-1")
    with pytest.raises(RefundRefused, match="no refund RF-NOPE"):
        await by_hand(a_house, "RF-NOPE")


async def test_the_last_money_that_counted_given_back_by_hand_acts_as_a_notice_would(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await table(a_house, "update payment set provider = 'import', transaction_id = 'SO-1-1' returning id")
    answer = await ask(a_house, why="gone")
    assert "by hand at import" in answer.text
    await by_hand(a_house, answer.refund_no)
    assert (await read_case(a_house)).standing.reason is HoldReason.REFUNDED_ON_THE_WAY


async def test_orders_whose_numbers_resemble_each_other_have_refunds_of_their_own(a_house: House) -> None:
    """A split order is often called like the whole with `-1` behind it, and so is an imported charge."""
    for order_no in ("SO-1", "SO-1-1"):
        await place(a_house, make_order(order_no))
        await pay(a_house, order_no, f"{order_no}-1")
    await table(a_house, "update payment set provider = 'import' returning id")
    part = await ask(a_house, "5.00")
    async with opened_one(a_house, "SO-1-1") as case:
        refunding.give_back(case, case.charges[0], why="order cancelled")
    found = await table(a_house, "select refund_no, amount from refund order by amount")
    assert [(row["refund_no"], row["amount"]) for row in found] == [
        (part.refund_no, 500),
        ("RF-import-SO-1-1-1", 2000),
    ]
    assert (await ask(a_house, "6.00", why="another")).refund_no == "RF-import-SO-1-1.2"


async def test_a_closed_order_with_money_of_a_stranger_rings_for_it(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await table(a_house, "update payment set provider = 'alipay' returning id")
    async with opened_one(a_house) as case:
        refunding.give_back(case, case.charges[0], why="order cancelled")
        [alert] = refund_alerts([case])
    assert (alert["key"], alert["level"]) == ("refund-by-hand:RF-alipay-T-1", "urgent")
    assert "order cancelled" in alert["text"]


async def test_a_refund_that_somebody_made_meanwhile_waits_for_nobody(a_house: House) -> None:
    """An imported charge: the provider's notice comes under a number that is not ours."""
    await bring(a_house, State.SIGNED)
    await table(a_house, "update payment set provider = 'import', transaction_id = 'SO-1-1' returning id")
    number = (await ask(a_house, "5.00")).refund_no
    await tell(a_house, refunded(500, "4200", "R-77"))
    case = await read_case(a_house)
    assert {n: r.state for n, r in case.refunds.items()} == {number: "overtaken", "R-77": "done"}
    assert refunding.left(case, case.charges[0]) == 1500
    with pytest.raises(RefundRefused, match="overtaken"):
        await by_hand(a_house, number)


async def test_the_books_are_read_under_the_lock(a_house: House) -> None:
    """Who waited for the order sees what the one before asked for."""
    await bring(a_house, State.SIGNED)
    async with a_house.transaction() as tx:
        [first] = await cases.load(tx, now=a_house.clock.now(), waits=a_house.waits, order_nos=["SO-1"])
        waiting = asyncio.create_task(refusal(a_house, "0.01"))
        refunding.ask(first, first.charges[0], "RF-FIRST", 2000, "all")
        await moves.write(tx, [first])
    assert "20.00 CNY on its way" in await waiting
