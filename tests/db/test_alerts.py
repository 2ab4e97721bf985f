"""Alerts: one cause rings once, each rung is written once, the most urgent goes first, answers stop the climb."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ballast.db import alerts
from ballast.db.alerts import Climbed, Ringing
from ballast.db.answers import answer_alerts, find_alert, find_alerts, open_alerts
from ballast.domain.words import Event, HoldReason, State
from ballast.wiring import House
from tests.db.stage import column, make_order, opened_one, place, table, until_blocked
from tests.times import NOON, SettableClock

HOUR = timedelta(hours=1)


def alert(key: str, level: str = "warning", **more: Any) -> dict[str, Any]:
    return {"key": key, "level": level, "title": key, "text": "", "order_id": None, **more}


async def ring(house: House, *raised: dict[str, Any]) -> int:
    async with house.transaction() as tx:
        return await alerts.raise_alerts(tx, raised, house.clock.now())


async def climb(house: House, *, channel: str = "robot", next_at: Any = None) -> int:
    """Tell whatever is due to be told through one channel."""
    async with house.transaction() as tx:
        now = house.clock.now()
        rungs = [
            Climbed(alert_id=a.id, was=a.rung, rung=a.rung, channel=channel, people=("li",), next_at=next_at)
            for a in await alerts.claim_climbing(tx, now)
        ]
        return await alerts.write_rungs(tx, rungs, now)


async def claim(house: House, channel: str = "robot") -> list[Ringing]:
    async with house.transaction() as tx:
        now = house.clock.now()
        return await alerts.claim_notices(tx, channel, most=50, now=now, until=house.lease())


async def test_two_who_raise_the_same_the_other_way_round_do_not_block_each_other(a_house: House) -> None:
    raised = [alert(key) for key in ("a", "b", "c")]
    async with a_house.transaction() as tx:
        await alerts.raise_alerts(tx, raised[1:2], NOON)
        both = [asyncio.create_task(ring(a_house, *some)) for some in (raised, raised[::-1])]
        await until_blocked(a_house, len(both))
        await tx.rollback()
    assert sorted(await asyncio.gather(*both)) == [0, 3]


async def test_one_key_rings_once(a_house: House) -> None:
    rung = await asyncio.gather(*(ring(a_house, alert("code:9"), alert("code:9")) for _ in range(20)))
    assert sum(rung) == 1
    await climb(a_house)
    assert len(await claim(a_house)) == 1


async def test_a_rung_is_written_once_however_many_climb(a_house: House) -> None:
    await ring(a_house, *(alert(f"k{n}") for n in range(20)))
    written = await asyncio.gather(*(climb(a_house, next_at=NOON + HOUR) for _ in range(8)))
    assert sum(written) == 20
    assert await climb(a_house) == 0, "the next rung is not due"
    found = await table(a_house, "select rung, climbs_at from alert")
    assert found == [{"rung": 1, "climbs_at": NOON + HOUR}] * 20


async def test_who_comes_late_with_a_rung_changes_nothing(a_house: House) -> None:
    """Two read the same alert, one after the other's commit: the unique rung holds where the lock could not."""
    await ring(a_house, alert("k"))
    [raised] = await table(a_house, "select id from alert")
    late = Climbed(alert_id=raised["id"], was=0, rung=0, channel="robot", people=(), next_at=NOON)
    await climb(a_house)
    async with a_house.transaction() as tx:
        assert await alerts.write_rungs(tx, [late], NOON) == 0
    assert await table(a_house, "select rung, climbs_at from alert") == [{"rung": 1, "climbs_at": None}]


async def test_the_most_urgent_first(a_house: House) -> None:
    await ring(a_house, alert("a", "info"), alert("b", "urgent"), alert("c"), alert("d", "unheard of"))
    await climb(a_house)
    assert [one.title for one in await claim(a_house)] == ["b", "c", "a", "d"]


async def test_each_channel_claims_its_own(a_house: House) -> None:
    await ring(a_house, alert("a"))
    await climb(a_house, channel="one")
    assert await claim(a_house, "another") == []
    async with a_house.transaction() as tx:
        lost = await alerts.claim_of_others(tx, ["another"], most=9, now=NOON)
        assert [one.channel for one in lost] == ["one"]
        assert await alerts.claim_of_others(tx, ["one"], most=9, now=NOON) == []


async def test_a_claimed_notice_is_due_again_when_its_sender_died(a_house: House, clock: SettableClock) -> None:
    await ring(a_house, alert("a"))
    await climb(a_house)
    assert [(one.attempts, one.perhaps_sent) for one in await claim(a_house)] == [(1, 1)]
    assert await claim(a_house) == []
    clock.set(a_house.lease())
    assert [(one.attempts, one.perhaps_sent) for one in await claim(a_house)] == [(2, 2)]


async def test_a_call_that_was_not_taken_leaves_no_doubt(a_house: House, clock: SettableClock) -> None:
    await ring(a_house, alert("a"))
    await climb(a_house)
    for attempt in range(1, 6):
        [claimed] = await claim(a_house)
        assert (claimed.attempts, claimed.perhaps_sent) == (attempt, 1)
        async with a_house.transaction() as tx:
            await alerts.not_heard(tx, [claimed])
        clock.set(a_house.lease())


async def test_sent_given_up_or_again_later(a_house: House, clock: SettableClock) -> None:
    await ring(a_house, alert("sent"), alert("given up"), alert("later"))
    await climb(a_house)
    claimed = {one.title: one for one in await claim(a_house)}
    later = NOON + HOUR
    async with a_house.transaction() as tx:
        await alerts.end_notices(tx, [claimed["sent"]], sent_at=NOON)
        await alerts.end_notices(tx, [claimed["given up"]], note="the robot is gone")
        await alerts.end_notices(tx, [claimed["later"]], due_at=later)
    clock.set(later)
    assert [one.title for one in await claim(a_house)] == ["later"]
    found = await table(a_house, "select sent_at, note from alert_notice where due_at is null order by note")
    assert found == [{"sent_at": NOON, "note": ""}, {"sent_at": None, "note": "the robot is gone"}]


async def test_what_was_told_through_a_channel_is_not_told_there_again(a_house: House) -> None:
    await ring(a_house, alert("a"))
    await climb(a_house, channel="one")
    [notice] = await claim(a_house, "one")
    async with a_house.transaction() as tx:
        assert await alerts.tell_through(tx, [(notice, "two")], NOON) == 1
        assert await alerts.tell_through(tx, [(notice, "two")], NOON) == 0
    assert [one.people for one in await claim(a_house, "two")] == [("li",)]


@pytest.mark.parametrize("resolve", [False, True], ids=["acknowledged", "resolved"])
async def test_an_answer_stops_the_climb(a_house: House, clock: SettableClock, resolve: bool) -> None:
    await ring(a_house, alert("a"), alert("b"))
    await climb(a_house, next_at=NOON + HOUR)
    one, other = [seen.id for seen in reversed(await _open(a_house))]
    clock.set(NOON + timedelta(minutes=5))
    async with a_house.transaction() as tx:
        [seen] = await answer_alerts(tx, [one, 99_999], by="li", now=clock.now(), resolve=resolve, note="called them")
        assert await answer_alerts(tx, [one], by="wang", now=clock.now(), resolve=False) == [], "li was first"
    assert (seen.acknowledged_by, seen.acknowledged_at, seen.note) == ("li", clock.now(), "called them")
    assert (seen.resolved_by, seen.ended_at) == (("li", clock.now()) if resolve else (None, None))
    clock.set(NOON + 2 * HOUR)
    assert await climb(a_house) == 1
    told = {seen.id: len(seen.told) for seen in await _open(a_house, ended=True)}
    assert told == {one: 1, other: 2}


async def test_who_resolves_what_another_took_on(a_house: House, clock: SettableClock) -> None:
    await ring(a_house, alert("a"))
    [raised] = await _open(a_house)
    async with a_house.transaction() as tx:
        await answer_alerts(tx, [raised.id], by="li", now=NOON, resolve=False, note="on it")
        await answer_alerts(tx, [raised.id], by="wang", now=NOON + HOUR, resolve=True)
        assert await answer_alerts(tx, [raised.id], by="zhao", now=NOON + 2 * HOUR, resolve=True) == []
        seen = await find_alert(tx, raised.id)
    assert seen is not None
    assert (seen.acknowledged_by, seen.resolved_by, seen.resolved_at, seen.note) == ("li", "wang", NOON + HOUR, "on it")
    assert await _open(a_house) == []


async def test_a_rung_that_waits_to_be_sent_is_not_told_any_more(a_house: House) -> None:
    """The first telling goes out all the same: somebody may have answered what others never heard of."""
    await ring(a_house, alert("a"))
    await climb(a_house, next_at=NOON)
    await climb(a_house)
    [raised] = await _open(a_house)
    async with a_house.transaction() as tx:
        await answer_alerts(tx, [raised.id], by="li", now=NOON, resolve=False)
    assert [(one.rung, one.over) for one in await claim(a_house)] == [(0, True)]


@pytest.mark.parametrize("over", ["answered", "ended"])
async def test_what_is_over_before_anybody_heard_of_it_is_told_once(a_house: House, over: str) -> None:
    await ring(a_house, alert("a"))
    [raised] = await _open(a_house)
    async with a_house.transaction() as tx:
        if over == "answered":
            await answer_alerts(tx, [raised.id], by="li", now=NOON, resolve=False)
        else:
            await alerts.end_alerts(tx, NOON, keys=["a"])
    assert await climb(a_house, next_at=NOON) == 1
    assert [(one.rung, one.over) for one in await claim(a_house)] == [(0, True)]
    assert await climb(a_house) == 0, "and climbs no further"


async def test_answering_a_hold_s_alert_takes_the_hold_on(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"))
    for number in ids:
        async with opened_one(a_house, number) as case:
            case.take(Event.HELD, cause="h", actor="ballast", reason=HoldReason.BY_HAND)
        await ring(a_house, alert(f"hold:{number}", order_id=ids[number]))
    async with a_house.transaction() as tx:
        [seen] = await find_alerts(tx, order_nos=["SO-1"])
        await answer_alerts(tx, [seen.id], by="li", now=NOON, resolve=False)
    assert await column(a_house, "select acknowledged_by from hold order by order_id") == ["li", None]
    assert await column(a_house, "select sla_due_at from sales_order where order_no = 'SO-1'") == [NOON]


async def test_the_end_of_a_hold_ends_its_alert(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"))
    async with opened_one(a_house) as case:
        case.take(Event.HELD, cause="h", actor="ballast", reason=HoldReason.BY_HAND)
    await ring(a_house, *(alert(key, order_id=ids["SO-1"]) for key in ("hold:1", "surplus:1")))
    await climb(a_house, next_at=NOON)
    async with opened_one(a_house) as case:
        case.take(Event.RELEASED, cause="r", actor="person:li")
    assert case.standing.state is State.PENDING_PAYMENT
    found = await table(a_house, "select key, ended_at, climbs_at from alert order by key")
    assert found == [
        {"key": "hold:1", "ended_at": NOON, "climbs_at": None},
        {"key": "surplus:1", "ended_at": None, "climbs_at": NOON},
    ]


async def _open(house: House, *, ended: bool = False) -> list[Any]:
    async with house.transaction() as tx:
        return list(await open_alerts(tx, ended=ended))


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
