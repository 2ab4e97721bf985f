"""Merging orders in the books: before they have stock, whoever asks at once, and what others count afterwards."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballast.db import merging, news, refunding
from ballast.db.channels import channel_report
from ballast.db.engine import run
from ballast.db.ledger import money_of
from ballast.db.sampling import changed_since, choose_sample
from ballast.domain.channels import Measure, Period, measure
from ballast.domain.editing import NotChanged, Refusal
from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.ports import News, Order, ReturnAsked
from ballast.wiring import House
from tasks.alarms import return_alerts
from tasks.merging import merge_orders
from tests.db.stage import (
    RECEIVER,
    captured,
    column,
    hold_by_hand,
    make_order,
    opened_one,
    pay,
    place,
    read_case,
    said,
    table,
    tell,
)
from tests.times import NOON


def order(number: str, **changes: Any) -> Order:
    return make_order(number, **{"customer_no": "C-1", **changes})


async def short(house: House, *orders: Order) -> None:
    """Paid orders of which no piece is on the shelf."""
    await place(house, *orders)
    for at, one in enumerate(orders, 1):
        await pay(house, one.order_no, f"T-{at}")
        await hold_by_hand(house, HoldReason.STOCK_SHORT, one.order_no)


async def test_orders_that_wait_for_stock_are_one_at_once(a_house: House) -> None:
    await short(a_house, order("SO-1"), order("SO-2", freight=Money(500), total=Money(2500)))
    said_ = await merge_orders(a_house, ["SO-1", "SO-2"], by="li")
    assert said_ == "carries SO-2 (25.00 CNY) from now on, total 45.00 CNY"
    heads = await table(a_house, "select order_no, state, total, freight, due_step from sales_order order by id")
    assert [tuple(head.values()) for head in heads] == [
        ("SO-1", "PENDING_PAYMENT", 4500, 500, Step.LOCK_STOCK), ("SO-2", "CLOSED", 2500, 500, None),
    ]  # fmt: skip
    owners = "select o.order_no || ' ' || p.transaction_id from payment p join sales_order o on o.id = p.order_id"
    assert sorted(await column(a_house, owners)) == ["SO-1 T-1", "SO-1 T-2"]
    assert await column(a_house, "select key from outbox") == [], "the ERP never knew of it"
    assert await column(a_house, "select state from order_edit") == ["done", "done"]
    async with a_house.transaction() as tx:
        rows = {row.facts.order_no: row for row in await money_of(tx, ["SO-1", "SO-2"], a_house.clock.now())}
    assert {number: (row.account.due, row.findings) for number, row in rows.items()} == {
        "SO-1": (4500, ()), "SO-2": (0, ()),
    }  # fmt: skip


async def test_two_who_merge_at_once_merge_once(a_house: House) -> None:
    await short(a_house, *(order(f"SO-{at}") for at in (1, 2, 3)))
    ends = await asyncio.gather(
        merge_orders(a_house, ["SO-1", "SO-2"], by="li"),
        merge_orders(a_house, ["SO-3", "SO-2"], by="wang"),
        merge_orders(a_house, ["SO-2", "SO-1"], by="chen"),
        return_exceptions=True,
    )
    assert sorted(type(end).__name__ for end in ends) == ["NotChanged", "NotChanged", "str"]
    assert len(await column(a_house, "select leader from order_merge")) == 1
    assert sorted(await column(a_house, "select state from sales_order")) == ["CLOSED", "ON_HOLD", "PENDING_PAYMENT"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (order("SO-2", customer_no="C-2"), "SO-2 and SO-1 are not of one customer"),
        (order("SO-2", receiver=replace(RECEIVER, address="中山路 9 号")), "SO-2 and SO-1 are not of one address"),
        (order("SO-2", channel="douyin"), "SO-2 and SO-1 are not of one channel"),
    ],
)
async def test_what_is_not_alike_is_not_merged(a_house: House, other: Order, words: str) -> None:
    await short(a_house, order("SO-1"), other)
    with pytest.raises(NotChanged, match=words) as no:
        await merge_orders(a_house, ["SO-1", "SO-2"], by="li")
    assert no.value.refusal is Refusal.NOT_ALIKE
    assert await column(a_house, "select version from sales_order order by id") == [2, 2]


async def test_what_waits_for_stock_does_not_hold_up_what_has_it(a_house: House) -> None:
    await short(a_house, order("SO-2"))
    await place(a_house, order("SO-1"))
    await pay(a_house, "SO-1", "T-9")
    async with opened_one(a_house, "SO-1") as case:
        case.take(Event.STOCK_LOCKED, cause="lock_stock:SO-1", actor="ballast")
    for numbers in (["SO-1", "SO-2"], ["SO-2", "SO-1"]):
        with pytest.raises(NotChanged, match="SO-2 waits for stock, and would hold up SO-1"):
            await merge_orders(a_house, numbers, by="li")


async def test_money_on_its_way_back_has_to_arrive_first(a_house: House) -> None:
    await short(a_house, order("SO-1"), order("SO-2"))
    async with opened_one(a_house, "SO-2") as case:
        refunding.ask(case, case.charges[0], "R-1", 500, "a voucher")
    with pytest.raises(NotChanged, match="money of SO-2 is going back"):
        await merge_orders(a_house, ["SO-1", "SO-2"], by="li")


async def test_news_of_a_merged_order_is_its_leaders_where_it_is_of_money_or_goods(a_house: House) -> None:
    await short(a_house, order("SO-1"), order("SO-2", lines=(("SKU-2", 3),)))
    await merge_orders(a_house, ["SO-1", "SO-2"], by="li")
    async with a_house.transaction() as tx:
        led = await merging.leaders_of(tx, ["SO-1", "SO-2", "SO-none"])
    assert set(led) == {"SO-2"} and led["SO-2"].lines == {1: (2, 3)}
    assert merging.redirected(captured(100, order_no="SO-2"), led).order_no == "SO-1"
    assert merging.redirected(said(System.DIRECT, Event.CANCEL_ASKED, "x", order_no="SO-2"), led).order_no == "SO-2"
    moved = {lines: merging.redirected(wish(lines), led) for lines in (((1, 2),), None, ((2, 1),))}
    assert [(one.order_no, one.return_asked and one.return_asked.lines) for one in moved.values()] == [
        ("SO-1", ((2, 2),)), ("SO-1", ((2, 3),)), ("SO-2", ((2, 1),)),
    ]  # fmt: skip
    assert await tell(a_house, replace(captured(2000, "T-2", "SO-1"), order_no="SO-1")) == ["noted"]
    assert await column(a_house, "select count(*) from refund") == [0], "its own charge, told again, goes nowhere"


def wish(lines: tuple[tuple[int, int], ...] | None) -> News:
    asked = ReturnAsked(request_id="r", lines=lines, reason=ReturnReason.QUALITY)
    return said(System.DIRECT, Event.NOTED, "order.return_requested", order_no="SO-2", return_asked=asked)


async def test_a_shop_that_cancels_a_merged_order_is_told_by_a_person(a_house: House) -> None:
    await short(a_house, order("SO-1"), order("SO-2"))
    await merge_orders(a_house, ["SO-1", "SO-2"], by="li")
    async with opened_one(a_house, "SO-2") as case:
        assert not news.apply(case, said(System.DIRECT, Event.CANCEL_ASKED, "order.cancelled", order_no="SO-2"))
        [alert] = return_alerts([case])
    assert alert["title"] == "SO-2: was merged" and "`ballast order edit SO-1 --remove LINE`" in alert["text"]
    assert (await read_case(a_house, "SO-1")).standing.state is State.PENDING_PAYMENT


async def test_what_was_merged_is_counted_once(a_house: House) -> None:
    await short(a_house, order("SO-1"), order("SO-2"), order("SO-3", customer_no="C-3"))
    day = NOON.date()
    period, now = Period(day, day), a_house.clock.now() + timedelta(days=1)
    async with a_house.transaction() as tx:
        before = await channel_report(tx, period, now)
    await merge_orders(a_house, ["SO-1", "SO-2"], by="li")
    async with a_house.transaction() as tx:
        after = await channel_report(tx, period, now)
        assert len(await choose_sample(tx, 10, seed=1)) == 2
        assert len(await changed_since(tx, NOON - timedelta(days=1))) == 2
        assert await merging.mergeable(tx) == []
    for one in (Measure.ORDERS, Measure.REVENUE):
        assert measure(one, after.channels[0].now) == measure(one, before.channels[0].now)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 900), st.integers(0, 900)), min_size=2, max_size=4))
async def test_whatever_is_merged_owes_and_has_what_its_parts_did(
    a_house: House, parts: list[tuple[int, int, int]]
) -> None:
    async with a_house.transaction() as tx:
        for name in ("refund", "payment", "order_edit", "order_merge", "hold", "order_event", "order_line",
                     "order_origin", "outbox", "sales_order"):  # fmt: skip
            await run(tx, f"delete from {name}")
    made = [
        order(f"SO-{at}", lines=(("SKU-1", pieces), ("SKU-2", 1)), freight=Money(freight), discount=Money(less),
              total=Money((pieces + 1) * 1000 + freight - less))
        for at, (pieces, freight, less) in enumerate(parts, 1)
    ]  # fmt: skip
    await short(a_house, *made)
    await merge_orders(a_house, [one.order_no for one in made], by="li")
    case = await read_case(a_house, "SO-1")
    total = sum(one.total.amount for one in made)
    goods = sum(line.line.amount for line in case.lines)
    assert case.head["total"] == total == goods + case.head["freight"] - case.head["discount"]
    assert sum(charge.amount for charge in case.charges) == total
    assert sum(line.line.quantity for line in case.lines) == sum(line.quantity for one in made for line in one.lines)
