"""A whole life told in any order, with repeats, between steps that run at any moment: it ends as if told in order.

Inbox, steps and books are the real ones. What the systems outside answer is of no interest here, so they are simple.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ballast.wiring
import tasks.inbox
from ballast.db import inbox
from ballast.db.claims import claim
from ballast.db.engine import rows
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.ports import Codes, Message, News, Receipt
from ballast.wiring import House
from tasks.inbox import read_messages
from tasks.rerun import WORK
from tests.db.stage import captured, fill_shelf, make_order, place, said, scanned, shipped
from tests.times import NOON

LINES = (("SKU-1", 2), ("SKU-2", 1))
LIFE: Mapping[str, News] = {
    "paid": captured(3000, minutes=1),
    "accepted": said(System.QIMEN, Event.WAREHOUSE_PROGRESS, "ACCEPT", minutes=2),
    "packed": said(System.QIMEN, Event.WAREHOUSE_PROGRESS, "PACKAGE", minutes=3),
    "first left": shipped({"A": {"SKU-1": 2}}, final=False, minutes=4),
    "rest left": shipped({"B": {"SKU-2": 1}}, minutes=5),
    "first moves": scanned("A", minutes=6, first_scan_at=NOON + timedelta(minutes=6)),
    "rest moves": scanned("B", minutes=7, first_scan_at=NOON + timedelta(minutes=7)),
    "rest is stuck": scanned("B", Event.HELD, "416", minutes=8, reason=HoldReason.COURIER_PROBLEM),
    "rest is near": scanned("B", code="202", minutes=9),
    "first signed": scanned("A", Event.PARCEL_SIGNED, "301", minutes=10),
    "rest signed": scanned("B", Event.PARCEL_SIGNED, "301", minutes=11),
    "received": said(System.WECHAT, Event.RECEIPT_CONFIRMED, "2", minutes=12),
}
"""What is told of one order, in the order in which it happened."""

numbers = count(1)


class Teller:
    """A door whose messages name their news."""

    @property
    def codes(self) -> Codes:
        return {}

    def read(self, message: Message, _codes: Codes) -> News:
        told = LIFE[message.payload["what"]]
        return News(**{name: getattr(told, name) for name in told.__slots__} | {"order_no": message.order_no})


class Agreeable:
    """Systems outside that do what they are told and know nothing themselves."""

    async def reserve(self, *_: Any, **__: Any) -> Receipt:
        return Receipt(reference="agreed")

    create = reserve

    async def ask(self, *_: Any) -> Sequence[News]:
        return ()

    track = ask

    async def close(self) -> None: ...


@pytest.fixture
async def open_house(a_house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    a_house.clock.set(NOON + timedelta(hours=1))  # type: ignore[attr-defined]  # the clock of the tests
    a_house.roles |= dict.fromkeys(("erp", "wms", "courier", "payment"), Agreeable())
    monkeypatch.setitem(ballast.wiring._open, asyncio.get_running_loop(), a_house)
    monkeypatch.setattr(tasks.inbox, "hooks", lambda _: {"teller": Teller()})
    await fill_shelf(a_house, {"SKU-1": 100_000, "SKU-2": 100_000})
    return a_house


async def happen(house: House, order_no: str, what: str, copy: int) -> None:
    """One thing comes in: the order itself, a message, or a step's turn."""
    if what == "placed":
        await place(house, make_order(order_no, LINES))
        async with house.transaction() as tx:
            await inbox.wake_waiting(tx)
    elif what in LIFE:
        message = Message(event_id=f"{order_no} {what} {copy}", topic="x", order_no=order_no, payload={"what": what})
        async with house.transaction() as tx:
            await inbox.store(tx, [("teller", message)], house.clock.now())
    else:
        await work(house, Step(what))


async def work(house: House, step: Step) -> None:
    async with house.transaction() as tx:
        now, until = house.clock.now(), house.lease()
        chunk = await claim(tx, step, owner=f"{step} {next(numbers)}", most=9, now=now, until=until)
    if chunk.ids:
        await WORK[step](chunk)


async def come_to_rest(house: House) -> None:
    """Until nothing is left to read and no step has anything to do."""
    for _ in range(3):
        while await read_messages.fn(100):
            pass
        for step in Step:
            await work(house, step)


BOOKS = {
    "order": "select state, held_from, paid_at, outbound_at, picked_up_at, progress, lease_owner from o",
    "line": "select sku, shipped from order_line where order_id in (select id from o) order by line_no",
    "parcel": "select waybill, items, said, picked_up_at, signed_at from parcel where order_id in (select id from o) "
    "order by waybill",
    "payment": "select amount, state from payment where order_id in (select id from o)",
    "lock": "select sku, quantity, state from stock_lock where order_id in (select id from o) order by sku",
    "said": "select system, part, said from external_status where order_id in (select id from o) order by 1, 2",
    "outbox": "select kind, count(*) from outbox where order_id in (select id from o) group by kind order by kind",
    "effect": "select kind, state from effect where order_id in (select id from o) order by kind",
    "inbox": "select count(*) from inbox where order_no in (select order_no from o) and state <> 'done'",
}


async def books(house: House, order_no: str) -> dict[str, list[tuple[Any, ...]]]:
    """What must not depend on the order of what was heard (an order is signed by its parcels or by the customer)."""
    found = {}
    async with house.transaction() as tx:
        for name, sql in BOOKS.items():
            which = "with o as (select * from sales_order where order_no = :no) "
            found[name] = [tuple(row) for row in await rows(tx, which + sql, no=order_no)]
        found["shelf"] = [tuple(row) for row in await rows(tx, "select sku, locked from stock_level order by sku")]
    return found


async def live(house: House, told: Sequence[str]) -> dict[str, list[tuple[Any, ...]]]:
    """A new order of which these things are told; its books at the end. Reading follows every second of them."""
    order_no = f"SO-{next(numbers)}"
    async with house.transaction() as tx:  # its transaction is its own
        await rows(tx, "update payment set transaction_id = 'of another order ' || id returning 1")
    for number, what in enumerate(told):
        await happen(house, order_no, what, number)
        if number % 2:
            await read_messages.fn(100)
    await come_to_rest(house)
    return await books(house, order_no)


everything = ["placed", *LIFE]
twists = st.tuples(
    st.permutations(everything),
    st.lists(st.tuples(st.integers(0, len(everything)), st.sampled_from([*LIFE, *Step])), max_size=10),
)
"""All that is told in some order, and where a repeat or a step comes in between."""


@given(twists)
@settings(max_examples=25)
async def test_it_ends_as_if_told_in_order(open_house: House, twist: tuple[list[str], list[tuple[int, str]]]) -> None:
    told, more = twist
    for place_, what in sorted(more, reverse=True):
        told = [*told[:place_], str(what), *told[place_:]]
    straight = await live(open_house, [w for one in everything for w in (one, *(s.value for s in Step))])
    [order] = straight["order"]
    assert order[0] == State.SIGNED and straight["inbox"] == [(0,)], "the straight way is a way"

    assert await live(open_house, told) == straight
