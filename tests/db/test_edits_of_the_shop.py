"""Changes that a shop's customer asks for, from the signed push to the books: the rules of the command line."""

from datetime import timedelta
from typing import Any

import pytest

from ballast.db import inbox, reservations
from ballast.db.archive import Place, archive_chunk
from ballast.domain.promising import Basket, Piece
from ballast.domain.words import HoldReason, State, Step
from ballast.wiring import House
from tasks.inbox import read_messages, tell_overdue
from tests.db import shop_door
from tests.db.shop_door import open_door
from tests.db.stage import bring, column, fill_shelf, hold_by_hand, opened_one, pay, place, read_case, table
from tests.db.test_editing import order
from tests.times import SettableClock

FEWER = [{"line_no": 1, "quantity": 2}]


@pytest.fixture(autouse=True)
def door(a_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    open_door(a_house, monkeypatch)


async def push(house: House, event_id: str = "E-1", **edit: Any) -> None:
    """The shop asks for a change of `SO-1`."""
    asked = {"order_no": "SO-1", "customer_no": "C-SO-1", **edit}
    await shop_door.push(house, "order.edit_requested", event_id, edit=asked)


async def letters(house: House) -> list[str]:
    return await column(house, "select state from inbox order by id")


async def pieces(house: House) -> list[int]:
    return await column(house, "select quantity from order_line order by line_no")


async def alerts(house: House) -> list[tuple[str, str, str]]:
    return [tuple(row.values()) for row in await table(house, "select level, title, text from alert order by id")]


async def texts(house: House) -> str:
    return "\n".join(await column(house, "select text from order_event order by id"))


async def test_a_paid_order_is_changed_at_once_and_its_money_goes_back(a_house: House) -> None:
    await place(a_house, order())
    await pay(a_house)
    await push(a_house, lines=FEWER, receiver={"address": "中山路 2 号"})
    assert await pieces(a_house) == [2, 2]
    assert (await read_case(a_house)).head["receiver"]["address"] == "中山路 2 号"
    assert await column(a_house, "select amount from refund") == [1800]
    assert await column(a_house, "select asked_by from order_edit") == ["direct"]
    told = await table(a_house, "select actor, text from order_event order by id desc limit 2")
    assert {row["actor"] for row in told} == {"direct"}, "a shop is no person"
    words = await texts(a_house)
    assert "the shop asks for a change: address, line 1: 2 pieces (taken on)" in words
    assert "changed by direct: address, line 1: 4 -> 2 pieces" in words and "中山路" not in words
    assert (await letters(a_house), await alerts(a_house)) == (["done"], [])


async def test_the_same_message_changes_it_once(a_house: House) -> None:
    await place(a_house, order())
    await push(a_house, lines=FEWER)
    await push(a_house, lines=[{"line_no": 1, "quantity": 3}])
    assert (await pieces(a_house), await letters(a_house)) == ([2, 2], ["done"]), "one event id is one wish"
    async with a_house.transaction() as tx:
        await tx.exec_driver_sql("update inbox set state = 'new'")
    await read_messages.fn(100)
    assert await column(a_house, "select state from order_edit") == ["done"]


async def test_what_is_reserved_follows(a_house: House) -> None:
    await place(a_house, order())
    await fill_shelf(a_house, {"SKU-1": 9, "SKU-2": 9})
    basket = Basket("SO-1", [Piece(1, "SKU-1", 4), Piece(2, "SKU-2", 2)])
    async with a_house.transaction() as tx:
        terms, lasts = reservations.Terms(), {"SO-1": timedelta(hours=1)}
        await reservations.reserve(tx, [basket], terms, now=a_house.clock.now(), lasts=lasts)
    await push(a_house, lines=[{"line_no": 1, "quantity": 6}, {"line_no": 2, "quantity": 0}])
    kept = await table(a_house, "select sku, quantity, expires_at from stock_reservation")
    assert [tuple(row.values()) for row in kept] == [("SKU-1", 6, a_house.clock.now() + timedelta(hours=1))]


async def test_what_has_left_is_refused_and_told_with_the_way_back(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND, order=order())
    await push(a_house, lines=FEWER)
    await push(a_house, "E-2", lines=FEWER)
    assert await pieces(a_house) == [4, 2]
    [(level, title, text)] = await alerts(a_house)
    assert (level, title) == ("info", "SO-1 was not changed, as the shop had asked")
    assert "`ballast returns request SO-1 --line 1:2`" in text
    assert f"(refused: {text})" in await texts(a_house)
    assert (await letters(a_house), await column(a_house, "select count(*) from order_edit")) == (["done"] * 2, [0])


async def test_another_customers_order_is_not_changed(a_house: House) -> None:
    await place(a_house, order())
    await push(a_house, customer_no="C-9", receiver={"address": "elsewhere"})
    assert (await read_case(a_house)).head["receiver"]["address"] != "elsewhere"
    [(level, _, text)] = await alerts(a_house)
    assert level == "info" and "SO-1 is not an order of customer C-9" in text
    assert await column(a_house, "select count(*) from order_edit") == [0]


async def test_while_a_step_is_at_work_it_waits_and_is_done_when_the_step_is(a_house: House) -> None:
    await place(a_house, order())
    async with opened_one(a_house) as case:
        case.lease_owner, case.due, case.touched = "step:1", (Step.CONFIRM_PAYMENT, a_house.lease()), True
    await push(a_house, lines=FEWER)
    assert (await letters(a_house), await pieces(a_house)) == (["waiting"], [4, 2])
    await tell_overdue()
    assert await letters(a_house) == ["waiting"]
    async with opened_one(a_house) as case:
        case.lease_owner, case.touched = None, True
    await tell_overdue()
    await read_messages.fn(100)
    assert (await letters(a_house), await pieces(a_house), await alerts(a_house)) == (["done"], [2, 2], [])


async def test_another_change_that_is_under_way_is_answered_first(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=order())
    await push(a_house, lines=FEWER)
    assert await column(a_house, "select state from order_edit") == ["asked"]
    await push(a_house, "E-2", lines=[{"line_no": 1, "quantity": 1}])
    await push(a_house, "E-3", lines=FEWER)
    assert await letters(a_house) == ["done", "waiting", "done"], "the same again is the same"
    async with a_house.transaction() as tx:
        await tx.exec_driver_sql("update order_edit set state = 'refused', ended_at = now()")
    await tell_overdue()
    assert await letters(a_house) == ["done", "new", "done"]


async def test_one_that_is_held_for_something_else_is_refused_as_by_hand(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED, order=order())
    await hold_by_hand(a_house, HoldReason.RISK_SUSPECTED)
    await push(a_house, lines=FEWER)
    [(_, _, text)] = await alerts(a_house)
    assert "release it first" in text


async def test_before_its_order_it_waits_for_it(a_house: House) -> None:
    await push(a_house, lines=FEWER)
    assert await letters(a_house) == ["waiting"]
    await place(a_house, order())
    async with a_house.transaction() as tx:
        await inbox.wake_waiting(tx)
    await read_messages.fn(100)
    assert (await letters(a_house), await pieces(a_house)) == (["done"], [2, 2])


async def test_what_is_asked_of_an_order_in_the_archive_is_told(a_house: House, clock: SettableClock) -> None:
    await bring(a_house, State.CLOSED, order=order())
    clock.pass_by(days=500)
    async with a_house.transaction() as tx:
        await tx.exec_driver_sql("update outbox set done_at = now()")
        await tx.exec_driver_sql("update sales_order set sla_due_at = null")
        chunk = await archive_chunk(tx, before=clock.now(), after=Place(), now=clock.now())
    assert chunk.archived == ("SO-1",)
    await push(a_house, lines=FEWER)
    wish = {"order_no": "SO-1", "customer_no": "C-SO-1", "reason": "quality"}
    await shop_door.push(a_house, "order.return_requested", "R-1", **{"return": wish})
    told = await alerts(a_house)
    assert [(level, title) for level, title, _ in told] == [
        ("info", "SO-1 is in the archive, and the shop asks for something")
    ] * 2
    assert all("`ballast db recall SO-1`" in text for _, _, text in told)
