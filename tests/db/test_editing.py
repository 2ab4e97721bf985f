"""Changing orders in the books: before the lock at once, with money, reservation and history; after that by asking."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from ballast.db import cases, editing, moves, reservations
from ballast.domain.editing import Change, NotChanged, Refusal
from ballast.domain.money import Money
from ballast.domain.promising import Basket, Piece
from ballast.domain.sourcing import SourcingSet, StrategyRow
from ballast.domain.words import Event, HoldReason, State, Step
from ballast.ports import Order
from ballast.wiring import House
from tasks.editing import edit_order
from tests.db.stage import (
    bring,
    column,
    fill_shelf,
    hold_by_hand,
    make_order,
    opened_one,
    pay,
    place,
    read_case,
    shipped,
    table,
    tell,
)

LINES = (("SKU-1", 4), ("SKU-2", 2))
FEWER = Change(quantities={1: 2})
ELSEWHERE = Change(receiver={"city": "宁波", "address": "中山路 2 号"})


def order(**changes: object) -> Order:
    """60.00 of goods, 6.00 off, 8.00 freight: 62.00."""
    return replace(make_order(lines=LINES), total=Money(6200), freight=Money(800), discount=Money(600), **changes)


async def test_before_the_lock_a_paid_order_is_changed_at_once_and_the_money_goes_back(a_house: House) -> None:
    await place(a_house, order())
    await pay(a_house)
    said = await edit_order(a_house, "SO-1", FEWER, by="li")
    assert said == "changed by li: line 1: 4 -> 2 pieces, total 62.00 CNY -> 44.00 CNY, 18.00 CNY goes back"
    [head] = await table(a_house, "select total, discount, freight, state from sales_order")
    assert dict(head) == {"total": 4400, "discount": 400, "freight": 800, "state": "PENDING_PAYMENT"}
    assert await column(a_house, "select quantity from order_line order by line_no") == [2, 2]
    [refund] = await table(a_house, "select refund_no, amount, state from refund")
    assert (refund["amount"], refund["state"]) == (1800, "asked")
    assert await column(a_house, "select key from outbox where kind = 'payment.refund'") != []
    [row] = await table(a_house, "select change, asked_by, state, answer from order_edit")
    assert (row["change"]["quantities"], row["asked_by"], row["state"], row["answer"]) == ({"1": 2}, "li", "done", said)
    assert said in await column(a_house, "select text from order_event")
    assert (await read_case(a_house)).order().edited


async def test_the_same_again_changes_nothing_and_a_line_can_go(a_house: House) -> None:
    await place(a_house, order())
    await pay(a_house)
    await edit_order(a_house, "SO-1", FEWER, by="li")
    with pytest.raises(NotChanged) as again:
        await edit_order(a_house, "SO-1", FEWER, by="li")
    assert again.value.refusal is Refusal.NOTHING
    await edit_order(a_house, "SO-1", Change(quantities={2: 0}), by="li")
    assert await column(a_house, "select line_no from order_line") == [1]
    [head] = await table(a_house, "select total, discount from sales_order")
    amounts = await column(a_house, "select amount from refund order by refund_no")
    assert (head["total"], head["discount"]) == (6200 - sum(amounts), 200)
    assert amounts == [1800, 1800]


async def test_two_who_change_at_once_change_one_after_the_other(a_house: House) -> None:
    await place(a_house, order())
    await pay(a_house)
    await asyncio.gather(*(edit_order(a_house, "SO-1", Change(quantities={n: 1}), by="li") for n in (1, 2)))
    assert await column(a_house, "select quantity from order_line order by line_no") == [1, 1]
    [total] = await column(a_house, "select total from sales_order")
    assert total == 6200 - sum(await column(a_house, "select amount from refund"))


async def test_a_dry_run_changes_nothing(a_house: House) -> None:
    await place(a_house, order())
    said = await edit_order(a_house, "SO-1", FEWER, by="li", dry_run=True)
    assert said.startswith("would be: changed by li: line 1: 4 -> 2")
    assert await column(a_house, "select quantity from order_line order by line_no") == [4, 2]
    assert await table(a_house, "select 1 from order_edit") == []


async def test_an_unpaid_order_may_grow_and_its_reservation_follows(a_house: House) -> None:
    await place(a_house, order())
    await fill_shelf(a_house, {"SKU-1": 9, "SKU-2": 9})
    now = a_house.clock.now()
    async with a_house.transaction() as tx:
        basket = Basket("SO-1", [Piece(1, "SKU-1", 4), Piece(2, "SKU-2", 2)])
        terms, lasts = reservations.Terms(), {"SO-1": timedelta(hours=1)}
        await reservations.reserve(tx, [basket], terms, now=now, lasts=lasts)
    await edit_order(a_house, "SO-1", Change(quantities={1: 6, 2: 0}), by="li")
    kept = await table(a_house, "select sku, quantity, expires_at from stock_reservation")
    assert [(row["sku"], row["quantity"]) for row in kept] == [("SKU-1", 6)]
    assert kept[0]["expires_at"] == now + timedelta(hours=1)
    assert await table(a_house, "select 1 from refund") == []


async def test_what_the_rows_split_is_reserved_apart_after_a_change_too(a_house: House) -> None:
    await place(a_house, order())
    await fill_shelf(a_house, {"SKU-1": 9}, "CK001")
    await fill_shelf(a_house, {"SKU-2": 9}, "CK002")
    rows = SourcingSet(strategies=(StrategyRow(name="all", split=True),))
    async with a_house.transaction() as tx:
        now, waits = a_house.clock.now(), replace(a_house.waits, sourcing=rows)
        basket = Basket("SO-1", [Piece(1, "SKU-1", 4), Piece(2, "SKU-2", 2)])
        terms, lasts = reservations.Terms(rules=rows), {"SO-1": timedelta(hours=1)}
        await reservations.reserve(tx, [basket], terms, now=now, lasts=lasts)
        [case] = await cases.load(tx, now=now, waits=waits, order_nos=["SO-1"])
        await editing.edit(tx, case, Change(quantities={1: 6}), by="li")
        await moves.write(tx, [case])
    kept = await table(a_house, "select sku, warehouse, quantity from stock_reservation order by sku")
    assert [tuple(row.values()) for row in kept] == [("SKU-1", "CK001", 6), ("SKU-2", "CK002", 2)]


async def test_an_order_that_was_short_tries_again_with_fewer_pieces(a_house: House) -> None:
    await place(a_house, order())
    await pay(a_house)
    await hold_by_hand(a_house, HoldReason.STOCK_SHORT)
    await edit_order(a_house, "SO-1", FEWER, by="li")
    case = await read_case(a_house)
    assert (case.standing.state, case.due and case.due[0]) == (State.PENDING_PAYMENT, Step.LOCK_STOCK)


async def test_while_its_stock_is_being_locked_it_waits(a_house: House) -> None:
    await place(a_house, order())
    await pay(a_house)
    async with opened_one(a_house) as case:
        case.lease_owner, case.due, case.touched = "step:1", (Step.LOCK_STOCK, a_house.lease()), True
    with pytest.raises(NotChanged, match="try again in a minute"):
        await edit_order(a_house, "SO-1", FEWER, by="li")


async def test_what_has_left_is_offered_the_way_back(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND, order=order())
    with pytest.raises(NotChanged) as refused:
        await edit_order(a_house, "SO-1", FEWER, by="li")
    assert refused.value.refusal is Refusal.LEFT
    assert "`ballast returns request SO-1 --line 1:2`" in str(refused.value)
    assert await column(a_house, "select quantity from order_line order by line_no") == [4, 2]


async def test_goods_that_are_faster_end_a_change_that_was_asked_for(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=order())
    async with opened_one(a_house) as case:
        case.begun, case.warehouse, case.with_warehouse = frozenset({"wms.create"}), "CK001", True
        said = editing.ask(case, ELSEWHERE, by="li")
    assert said == "change asked for: city, address; to be stopped first: SO-1 CK001"
    case = await read_case(a_house)
    assert case.due and case.due[0] is Step.SHIP_OUT and case.due[1] <= a_house.clock.now()
    assert await column(a_house, "select state from delivery") == ["recalled"]
    with pytest.raises(NotChanged, match="under way"):
        await edit_order(a_house, "SO-1", FEWER, by="wang")
    assert (await edit_order(a_house, "SO-1", ELSEWHERE, by="li")).startswith("asked for already")
    await tell(a_house, shipped({"Y-1": {"SKU-1": 4, "SKU-2": 2}}))
    [row] = await table(a_house, "select state, answer from order_edit")
    assert row["state"] == "refused" and "the goods were faster" in row["answer"]
    assert "`ballast returns request SO-1`" in row["answer"]
    assert await column(a_house, "select title from alert where level = 'info'") == [
        "SO-1 was not changed, as li had asked"
    ]
    assert (await read_case(a_house)).head["receiver"]["city"] == "杭州"


async def test_a_cancellation_ends_it_too(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=order())
    async with opened_one(a_house) as case:
        case.begun, case.warehouse, case.with_warehouse = frozenset({"wms.create"}), "CK001", True
        editing.ask(case, ELSEWHERE, by="li")
    async with opened_one(a_house) as case:
        case.take(Event.CANCEL_ASKED, cause="c", actor="person:li", text="not wanted")
    assert await column(a_house, "select state from order_edit") == ["refused"]
    case = await read_case(a_house)
    assert case.due and case.due[0] is Step.CALL_OFF
    async with a_house.transaction() as tx:
        (case,) = await cases.load(tx, now=a_house.clock.now(), waits=a_house.waits, order_nos=["SO-1"])
        with pytest.raises(NotChanged, match="being called off"):
            editing.ask(case, ELSEWHERE, by="li")
        await moves.write(tx, [case])
