"""Alerts: one cause rings once, the most urgent first, and the robot's limit holds over all connections."""

import asyncio
from datetime import timedelta
from typing import Any

from ballast.db import alerts
from ballast.db.alerts import Ringing
from ballast.wiring import House
from tests.db.stage import column, table
from tests.times import NOON, SettableClock


def alert(key: str, level: str = "warning") -> dict[str, Any]:
    return {"key": key, "level": level, "title": key, "text": "", "order_id": None}


async def ring(house: House, *raised: dict[str, Any]) -> int:
    async with house.transaction() as tx:
        return await alerts.raise_alerts(tx, raised, house.clock.now())


async def claim(house: House) -> list[Ringing]:
    async with house.transaction() as tx:
        now = house.clock.now()
        return await alerts.claim_alerts(tx, most=50, now=now, until=house.lease())


async def test_one_key_rings_once(a_house: House) -> None:
    rung = await asyncio.gather(*(ring(a_house, alert("code:9"), alert("code:9")) for _ in range(20)))
    assert sum(rung) == 1
    assert len(await claim(a_house)) == 1


async def test_the_most_urgent_first(a_house: House) -> None:
    await ring(a_house, alert("a", "info"), alert("b", "urgent"), alert("c"), alert("d", "unheard of"))
    assert [one.title for one in await claim(a_house)] == ["b", "c", "a", "d"]


async def test_a_claimed_alert_is_due_again_when_its_sender_died(a_house: House, clock: SettableClock) -> None:
    await ring(a_house, alert("a"))
    assert [one.attempts for one in await claim(a_house)] == [1]
    assert await claim(a_house) == []
    clock.set(a_house.lease())
    assert [one.attempts for one in await claim(a_house)] == [2]


async def test_an_alert_whose_senders_died_is_claimed_twice_and_given_up(a_house: House, clock: SettableClock) -> None:
    """Each may have died after the robot heard it, and the robot cannot be asked."""
    await ring(a_house, alert("a"))
    for perhaps in (1, 2):
        assert [one.perhaps_sent for one in await claim(a_house)] == [perhaps]
        clock.set(a_house.lease())
    assert await claim(a_house) == []
    assert await table(a_house, "select due_at, sent_at, attempts, perhaps_sent from alert") == [
        {"due_at": None, "sent_at": None, "attempts": 2, "perhaps_sent": 2}
    ]


async def test_a_call_that_was_not_taken_leaves_no_doubt(a_house: House, clock: SettableClock) -> None:
    await ring(a_house, alert("a"))
    for attempt in range(1, 6):
        [claimed] = await claim(a_house)
        assert (claimed.attempts, claimed.perhaps_sent) == (attempt, 1)
        async with a_house.transaction() as tx:
            await alerts.not_heard(tx, [claimed])
        clock.set(a_house.lease())


async def test_sent_given_up_or_again_later(a_house: House, clock: SettableClock) -> None:
    await ring(a_house, alert("sent"), alert("given up"), alert("later"))
    claimed = {one.title: one for one in await claim(a_house)}
    later = NOON + timedelta(hours=1)
    ends = (("sent", NOON, None), ("given up", None, None), ("later", None, later))
    async with a_house.transaction() as tx:
        for name, sent_at, due_at in ends:
            await alerts.end_alerts(tx, [claimed[name]], sent_at=sent_at, due_at=due_at)
    clock.set(later)
    assert [one.title for one in await claim(a_house)] == ["later"]
    found = await table(a_house, "select title, sent_at from alert where due_at is null order by title")
    assert [(row["title"], row["sent_at"]) for row in found] == [("given up", None), ("sent", NOON)]


async def test_the_robots_limit_holds_across_connections(a_house: House) -> None:
    async def slot(robot: str) -> bool:
        async with a_house.transaction() as tx:
            return await alerts.send_slot(tx, robot, per_minute=18)

    taken = await asyncio.gather(*(slot("one") for _ in range(40)))
    assert sum(taken) == 18
    assert await slot("another")


async def test_a_slot_is_free_again_after_a_minute(a_house: House) -> None:
    async with a_house.transaction() as tx:
        assert await alerts.send_slot(tx, "robot", per_minute=1)
        assert not await alerts.send_slot(tx, "robot", per_minute=1)
    await column(
        a_house, "update robot_slot set sent = array[clock_timestamp() - interval '61 seconds'] returning robot"
    )
    async with a_house.transaction() as tx:
        assert await alerts.send_slot(tx, "robot", per_minute=1)
    assert await column(a_house, "select cardinality(sent) from robot_slot") == [1]  # the old one is forgotten
