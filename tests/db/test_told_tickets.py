"""Tickets that a shop tells of: the table of the file import, each number once, whatever comes twice or late."""

from typing import Any

import pytest

from ballast.db import inbox
from ballast.wiring import House
from tasks.inbox import read_messages
from tests.db import shop_door
from tests.db.stage import column, make_order, place, table

OPEN, END = "2026-03-03T10:00:00+08:00", "2026-03-04T10:00:00+08:00"


@pytest.fixture(autouse=True)
def door(a_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    shop_door.open_door(a_house, monkeypatch)


async def tell(house: House, what: str, event_id: str, *, read: bool = True, **parts: Any) -> None:
    ticket = {"ticket_no": "T1", "customer_no": "C1", "kind": "complaint", "opened_at": OPEN, **parts}
    await shop_door.push(house, f"ticket.{what}", event_id, read=read, ticket=ticket)


async def tickets(house: House) -> list[dict[str, Any]]:
    return [dict(row) for row in await table(house, "select * from ticket order by source, ticket_no")]


async def test_opened_and_closed_it_is_one_ticket_and_its_words_are_kept_once(a_house: House) -> None:
    await tell(a_house, "opened", "E-1", severity="high", text="late again")
    [one] = await tickets(a_house)
    assert (one["source"], one["customer_no"], one["severity"], one["text"]) == ("direct", "C1", "high", "late again")
    assert one["closed_at"] is None
    await tell(a_house, "closed", "E-2", severity="high", closed_at=END, text="late again, made good")
    [one] = await tickets(a_house)
    assert one["closed_at"] is not None and one["text"] == "late again, made good"
    assert await column(a_house, "select payload ->> 'text' from inbox") == [None, None]
    assert await column(a_house, "select state from inbox") == ["done", "done"]


async def test_what_is_told_late_opens_nothing_again_and_what_is_opened_anew_does(a_house: House) -> None:
    await tell(a_house, "closed", "E-1", closed_at=END, text="whole")
    await tell(a_house, "opened", "E-2", text="half")
    [one] = await tickets(a_house)
    assert one["closed_at"] is not None and one["text"] == "whole"
    await tell(a_house, "opened", "E-3", opened_at="2026-03-05T10:00:00+08:00")
    assert [one["closed_at"] for one in await tickets(a_house)] == [None]


async def test_several_messages_at_once_leave_the_last_word(a_house: House) -> None:
    await tell(a_house, "opened", "E-1", read=False)
    await tell(a_house, "closed", "E-2", closed_at=END, read=False)
    await tell(a_house, "opened", "E-3", read=False, source="desk")
    await read_messages.fn(100)
    assert [(one["source"], one["closed_at"] is None) for one in await tickets(a_house)] == [
        ("desk", True), ("direct", False),
    ]  # fmt: skip


async def test_one_that_names_an_order_only_waits_for_it(a_house: House) -> None:
    await tell(a_house, "opened", "E-1", customer_no=None, order_no="SO-1", text="where is it")
    assert await column(a_house, "select state from inbox") == ["waiting"]
    assert await column(a_house, "select payload ->> 'text' from inbox") == ["where is it"]
    await place(a_house, make_order())
    async with a_house.transaction() as tx:
        await inbox.wake_waiting(tx)
    await read_messages.fn(100)
    [one] = await tickets(a_house)
    assert (one["customer_no"], one["order_no"], one["text"]) == ("C-SO-1", "SO-1", "where is it")


async def test_one_that_contradicts_its_order_is_parked_and_told(a_house: House) -> None:
    await place(a_house, make_order())
    await tell(a_house, "opened", "E-1", order_no="SO-1", customer_no="C-9")
    await tell(a_house, "opened", "E-2", ticket_no="T2")
    assert await column(a_house, "select state from inbox order by id") == ["parked", "done"]
    assert [one["ticket_no"] for one in await tickets(a_house)] == ["T2"]
    [text] = await column(a_house, "select text from alert")
    assert "order SO-1 is of customer C-SO-1, and the ticket names C-9" in text
