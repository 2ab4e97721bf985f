"""The outbox: for one order and one system in the order of deciding, each message once."""

import asyncio
from datetime import timedelta
from typing import Any

from ballast.db import outbox
from ballast.db.outbox import Outgoing
from ballast.domain.words import State
from ballast.wiring import House
from tests.db.stage import bring, column, make_order, opened_one, place, table
from tests.times import NOON, SettableClock


async def claim(house: House, owner: str = "a", most: int = 100) -> list[Outgoing]:
    async with house.transaction() as tx:
        now = house.clock.now()
        found = await outbox.claim_messages(tx, owner=owner, most=most, now=now, until=house.lease())
    return sorted(found, key=lambda message: message.id)


async def end(house: House, owner: str, *ends: dict[str, Any]) -> None:
    async with house.transaction() as tx:
        await outbox.end_messages(tx, owner, ends, house.clock.now())


def done(message: Outgoing) -> dict[str, Any]:
    return {"id": message.id, "done": True, "due_at": None, "note": ""}


async def send(house: House, *kinds: str, order_no: str = "SO-1") -> None:
    async with opened_one(house, order_no) as case:
        for kind in kinds:
            case.send(kind)


async def test_messages_to_one_system_leave_one_after_the_other(a_house: House) -> None:
    await place(a_house, make_order("SO-1"), make_order("SO-2"))
    await send(a_house, "shop.shipped", "erp.outbound")
    await send(a_house, "shop.received", "erp.receipt")
    await send(a_house, "shop.received", order_no="SO-2")
    first = await claim(a_house)
    assert [m.key for m in first] == ["shop.shipped:SO-1", "erp.outbound:SO-1", "shop.received:SO-2"]
    assert await claim(a_house, "b") == []
    await end(a_house, "a", done(first[0]))
    assert [m.key for m in await claim(a_house, "b")] == ["shop.received:SO-1"]


async def test_who_asks_for_some_systems_gets_theirs_in_their_order(a_house: House) -> None:
    await place(a_house, make_order("SO-1"))
    await send(a_house, "erp.outbound", "shop.shipped", "parcel.follow", "courier.subscribe")
    await send(a_house, "shop.received")
    async with a_house.transaction() as tx:
        now, until = a_house.clock.now(), a_house.lease()
        for systems, keys in (
            (("shop",), {"shop.shipped:SO-1"}),
            (("shop", "erp"), {"erp.outbound:SO-1"}),  # shop.received waits for the first
            (("courier", "parcel"), {"courier.subscribe:SO-1", "parcel.follow:SO-1"}),
            (("payment",), set()),
        ):
            found = await outbox.claim_messages(tx, owner="a", most=9, now=now, until=until, systems=systems)
            assert {message.key for message in found} == keys


async def test_a_message_that_was_given_up_keeps_its_followers_back(a_house: House) -> None:
    """The shop cannot take `received` for what it never heard was shipped: a person mends the first."""
    await place(a_house, make_order())
    await send(a_house, "shop.shipped", "shop.received")
    (first,) = await claim(a_house)
    await end(a_house, "a", {"id": first.id, "done": False, "due_at": None, "note": "refused"})
    assert await claim(a_house) == []
    async with a_house.transaction() as tx:
        assert await outbox.send_again(tx, [first.order_id], NOON) == 1
    assert [m.key for m in await claim(a_house)] == ["shop.shipped:SO-1"]


async def test_senders_at_once_never_share_a_message(a_house: House) -> None:
    await place(a_house, *(make_order(f"SO-{n}") for n in range(60)))
    for n in range(60):
        await send(a_house, "shop.shipped", order_no=f"SO-{n}")
    taken = await asyncio.gather(*(claim(a_house, f"w{n}", most=10) for n in range(8)))
    ids = [message.id for batch in taken for message in batch]
    assert len(ids) == len(set(ids)) == 60


async def test_a_lease_ends_by_itself_and_the_late_sender_is_refused(a_house: House, clock: SettableClock) -> None:
    await place(a_house, make_order())
    await send(a_house, "shop.shipped")
    (late,) = await claim(a_house, "late")
    clock.pass_by(minutes=5)
    (again,) = await claim(a_house, "winner")
    await end(a_house, "late", done(late))
    assert await column(a_house, "select done_at from outbox") == [None]
    await end(a_house, "winner", done(again))
    await end(a_house, "winner", {"id": again.id, "done": False, "due_at": clock.now(), "note": "too late"})
    (row,) = await table(a_house, "select done_at, due_at, attempts, note from outbox")
    assert dict(row) == {"done_at": clock.now(), "due_at": None, "attempts": 1, "note": ""}


async def test_one_key_is_one_message(a_house: House) -> None:
    await place(a_house, make_order())
    await send(a_house, "shop.shipped", "shop.shipped")
    await send(a_house, "shop.shipped")
    assert await column(a_house, "select key from outbox") == ["shop.shipped:SO-1"]


async def test_given_back_without_counting_an_attempt(a_house: House) -> None:
    await place(a_house, make_order())
    await send(a_house, "shop.shipped")
    (message,) = await claim(a_house)
    async with a_house.transaction() as tx:
        await outbox.give_back_messages(tx, "stranger", [message.id], NOON)
    assert await claim(a_house) == []
    async with a_house.transaction() as tx:
        await outbox.give_back_messages(tx, "a", [message.id], NOON)
    assert [m.attempts for m in await claim(a_house)] == [0]


async def test_a_pause_is_kept(a_house: House, clock: SettableClock) -> None:
    await place(a_house, make_order())
    await send(a_house, "shop.shipped")
    (message,) = await claim(a_house)
    later = NOON + timedelta(minutes=3)
    await end(a_house, "a", {"id": message.id, "done": False, "due_at": later, "note": "429"})
    clock.pass_by(minutes=2)
    assert await claim(a_house) == []
    clock.set(later)
    assert [m.attempts for m in await claim(a_house)] == [1]


async def test_the_whole_way_tells_shop_erp_and_courier_once_each(a_house: House) -> None:
    await bring(a_house, State.CLOSED)
    assert await column(a_house, "select kind from outbox order by kind") == [
        "courier.subscribe",
        "erp.outbound",
        "erp.receipt",
        "shop.received",
        "shop.shipped",
    ]
