"""The inbox: each message once, whoever stores it how often; what cannot act yet waits and is woken."""

import asyncio
from typing import Any

from ballast.db import inbox
from ballast.db.inbox import Letter
from ballast.domain.words import Event, State, System
from ballast.ports import Message
from ballast.wiring import House
from tests.db.stage import bring, column, make_order, place, said, shipped, table, tell
from tests.times import NOON


def message(event_id: str = "E-1", order_no: str = "SO-1", topic: str = "track", **payload: Any) -> Message:
    return Message(event_id=event_id, topic=topic, order_no=order_no, payload=payload)


async def store(house: House, *messages: Message, source: str = "kdniao") -> int:
    async with house.transaction() as tx:
        return await inbox.store(tx, [(source, one) for one in messages], NOON)


async def take(house: House, topic: str = "news", most: int = 100) -> list[Letter]:
    async with house.transaction() as tx:
        return await inbox.take(tx, topic, most)


async def settle(house: House, state: str, note: str = "") -> None:
    """Every new message ends like this."""
    async with house.transaction() as tx:
        letters = await inbox.take(tx, "news", 100)
        await inbox.settle(tx, [{"id": letter.id, "state": state, "note": note} for letter in letters], NOON)


async def states(house: House) -> list[str]:
    return await column(house, "select state from inbox order by id")


async def test_fifty_at_once_store_one_row(a_house: House) -> None:
    stored = await asyncio.gather(*(store(a_house, message(said="2")) for _ in range(50)))
    assert sorted(stored) == [0] * 49 + [1]
    assert await column(a_house, "select count(*) from inbox") == [1]


async def test_repeats_inside_one_call_and_same_ids_of_other_systems(a_house: House) -> None:
    assert await store(a_house, message(), message()) == 1
    assert await store(a_house, message(), source="qimen") == 1


async def test_a_message_comes_back_as_it_was_stored(a_house: House) -> None:
    told = message(said="签收", deep={"list": [1, None]})
    await store(a_house, told)
    (letter,) = await take(a_house)
    assert (letter.source, letter.message) == ("kdniao", told)


async def test_orders_and_news_are_two_queues(a_house: House) -> None:
    await store(a_house, message("E-1", topic="order.placed"), message("E-2"))
    assert [letter.message.event_id for letter in await take(a_house, "order")] == ["E-1"]
    assert [letter.message.event_id for letter in await take(a_house, "news")] == ["E-2"]


async def test_two_readers_never_share_a_message_and_a_crash_puts_it_back(a_house: House) -> None:
    await store(a_house, *(message(f"E-{n}") for n in range(4)))
    async with a_house.engine.connect() as first:
        mine = await inbox.take(first, "news", 3)
        theirs = await asyncio.wait_for(take(a_house), 5)
        await first.rollback()
    assert [letter.message.event_id for letter in mine] == ["E-0", "E-1", "E-2"]
    assert [letter.message.event_id for letter in theirs] == ["E-3"]
    assert len(await take(a_house)) == 4


async def test_news_before_its_order_waits_and_is_woken(a_house: House) -> None:
    await store(a_house, message(), message("E-2", order_no="never"))
    await settle(a_house, "waiting", inbox.NO_ORDER)
    async with a_house.transaction() as tx:
        assert await inbox.wake_waiting(tx) == 0
    await place(a_house, make_order())
    async with a_house.transaction() as tx:
        assert await inbox.wake_waiting(tx) == 1
    assert await states(a_house) == ["new", "waiting"]


async def test_news_from_ahead_waits_until_its_order_gets_there(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await store(a_house, message(), message("E-2", order_no="other"))
    await settle(a_house, "waiting", "SCANNED came while the order is STOCK_LOCKED")
    async with a_house.transaction() as tx:
        assert await inbox.wake_waiting(tx) == 0  # its order is there, that is not what it waits for
    await tell(a_house, said(System.QIMEN, Event.WAREHOUSE_PROGRESS, "PICK"))
    assert await states(a_house) == ["waiting", "waiting"]
    await tell(a_house, shipped({"Y-1": {"SKU-1": 2}}))
    assert await states(a_house) == ["new", "waiting"]


async def test_the_first_parcel_wakes_news_of_it(a_house: House) -> None:
    """Partly shipped does not move the order, but its courier can be heard from then on."""
    await bring(a_house, State.STOCK_LOCKED)
    await store(a_house, message())
    await settle(a_house, "waiting", "kdniao says 2 of SO-1, which is only STOCK_LOCKED")
    await tell(a_house, shipped({"Y-1": {"SKU-1": 1}}, final=False))
    assert await states(a_house) == ["new"]


async def test_parked_messages_are_replayed_by_command(a_house: House) -> None:
    await store(a_house, message())
    await store(a_house, message(), source="qimen")
    await settle(a_house, "parked", "code '9' is in no map")
    assert await take(a_house) == []
    async with a_house.transaction() as tx:
        assert await inbox.replay_parked(tx, "qimen") == 1
    assert await states(a_house) == ["parked", "new"]
    async with a_house.transaction() as tx:
        assert await inbox.replay_parked(tx) == 1
    assert await column(a_house, "select distinct note from inbox") == [""]


async def test_done_stays_done(a_house: House) -> None:
    await store(a_house, message())
    await settle(a_house, "done")
    assert await store(a_house, message()) == 0
    async with a_house.transaction() as tx:
        await inbox.replay_parked(tx)
        await inbox.wake_waiting(tx)
    (row,) = await table(a_house, "select state, done_at from inbox")
    assert (row["state"], row["done_at"]) == ("done", NOON)
