"""Clocks in the books: what is passed is kept once and told once, what is in time costs nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from ballast.db import clocks, returning
from ballast.db.alerts import raise_alerts
from ballast.db.answers import answer_alerts, find_alerts
from ballast.db.claims import due_now
from ballast.db.return_requests import answer
from ballast.db.returning import ReturnRefused
from ballast.domain.words import Event, HoldReason, State
from ballast.wiring import House
from tasks.sla import Watched, read_some
from tests.db.stage import (
    bring,
    column,
    hold_by_hand,
    make_order,
    opened_one,
    place,
    place_many,
    release,
    scanned,
    statements,
    table,
    tell,
)
from tests.times import NOON, SettableClock

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SCANNED = NOON + 10 * MINUTE


async def sweep(house: House) -> list[str]:
    """Read all clocks that are due; the new breaches, as `yellow in_transit`."""
    watched = Watched()
    while await read_some(house, watched):
        pass
    return [f"{seen.breach.level} {seen.breach.clock.name}" for seen in watched.fresh]


async def in_transit(house: House) -> None:
    """An order that was scanned ten minutes after noon."""
    await bring(house, State.OUTBOUND)
    await tell(house, scanned("Y-1", first_scan_at=SCANNED))
    await sweep(house)


async def breaches(house: House) -> list[Mapping[str, Any]]:
    return await table(house, "select clock, level, started_at, due_at, seen_at, ended_at from sla_breach order by id")


async def open_alert_keys(house: House) -> list[str]:
    return [":".join(key.split(":")[2:4]) for key in await column(
        house, "select key from alert where ended_at is null and key like 'sla:%' order by id")]  # fmt: skip


async def sign(house: House, minutes: int, number: str = "SO-1") -> None:
    await tell(house, scanned("Y-1", Event.PARCEL_SIGNED, "3", order_no=number, minutes=minutes))
    async with opened_one(house, number) as case:
        case.take(Event.SIGNED, cause="signed", actor="ballast", happened_at=NOON + minutes * MINUTE)


async def test_a_breach_is_seen_once_when_it_is_due_and_red_takes_over(a_house: House, clock: SettableClock) -> None:
    await in_transit(a_house)
    assert await column(a_house, "select sla_due_at from sales_order") == [SCANNED + 48 * HOUR]
    clock.set(SCANNED + 48 * HOUR - MINUTE)
    assert await sweep(a_house) == []
    clock.set(SCANNED + 48 * HOUR)
    assert await sweep(a_house) == ["yellow in_transit"]
    assert await sweep(a_house) == []
    assert await open_alert_keys(a_house) == ["in_transit:yellow"]
    clock.set(SCANNED + 73 * HOUR)
    assert await sweep(a_house) == ["red in_transit"]
    assert await open_alert_keys(a_house) == ["in_transit:red"], "red took over"
    assert await column(a_house, "select level from alert order by id") == ["warning", "urgent"]
    assert await column(a_house, "select sla_due_at from sales_order") == [None]


async def test_the_signature_ends_breach_and_alert_at_its_own_time(a_house: House, clock: SettableClock) -> None:
    await in_transit(a_house)
    clock.set(SCANNED + 50 * HOUR)
    await sweep(a_house)
    await sign(a_house, minutes=10 + 49 * 60)
    clock.pass_by(minutes=1)
    assert await sweep(a_house) == []
    [breach] = await breaches(a_house)
    assert (breach["due_at"], breach["ended_at"]) == (SCANNED + 48 * HOUR, SCANNED + 49 * HOUR)
    assert await open_alert_keys(a_house) == []


async def test_what_was_late_and_is_over_is_in_the_books_and_rings_nobody(a_house: House, clock: SettableClock) -> None:
    """The pushes of a week come at once: no sweep saw the parcel while it was late."""
    await in_transit(a_house)
    clock.set(SCANNED + 200 * HOUR)
    await sign(a_house, minutes=10 + 100 * 60)
    assert sorted(await sweep(a_house)) == ["red in_transit", "yellow in_transit"]
    assert [row["ended_at"] for row in await breaches(a_house)] == [SCANNED + 100 * HOUR] * 2
    assert await column(a_house, "select count(*) from alert where key like 'sla:%'") == [0]


async def test_what_is_seen_when_it_is_red_already_rings_once(a_house: House, clock: SettableClock) -> None:
    await in_transit(a_house)
    clock.set(SCANNED + 100 * HOUR)
    assert sorted(await sweep(a_house)) == ["red in_transit", "yellow in_transit"]
    assert await open_alert_keys(a_house) == ["in_transit:red"]


async def test_several_sweeps_at_once_see_each_breach_once(a_house: House, clock: SettableClock) -> None:
    await place_many(a_house, 60)
    clock.pass_by(hours=3)
    seen = await asyncio.gather(*(sweep(a_house) for _ in range(6)))
    assert [len(one) for one in seen if one] and sum(map(len, seen)) == 60
    assert await column(a_house, "select count(*) from alert") == [60]


async def test_one_that_reads_while_another_commits_writes_nothing_twice(a_house: House, clock: SettableClock) -> None:
    [order_id] = await place_many(a_house, 1)
    clock.pass_by(hours=3)
    async with a_house.transaction() as tx:
        [order] = await clocks.facts_of(tx, [order_id])
    assert await sweep(a_house) == ["yellow unpaid"]
    async with a_house.transaction() as tx:
        reading = a_house.sla.current().read(order.facts, clock.now())
        fresh, over = await clocks.write_readings(tx, [(order, reading)], clock.now())
    assert (fresh, over) == ([], [])


async def test_orders_in_time_are_not_read(a_house: House, clock: SettableClock) -> None:
    await place_many(a_house, 300)
    await column(a_house, "update sales_order set sla_due_at = :at returning id", at=NOON + 5 * HOUR)
    async with a_house.transaction() as tx:
        await tx.execute(text("analyze"))
        assert "sla" not in await due_now(tx, clock.now())
    with statements(a_house.engine) as heard:
        assert await sweep(a_house) == []
    claim = next((sql, values) for sql, values in heard if "sla_due_at <=" in sql)
    async with a_house.engine.connect() as tx:
        plan = str((await tx.exec_driver_sql(f"explain {claim[0]}", claim[1])).all())
        await tx.rollback()
    assert "order_sla" in plan and "Seq Scan" not in plan


@pytest.mark.parametrize("orders", [1, 40])
async def test_a_sweep_takes_the_same_number_of_statements(a_house: House, clock: SettableClock, orders: int) -> None:
    await place_many(a_house, orders)
    clock.pass_by(hours=3)
    with statements(a_house.engine) as heard:
        assert len(await sweep(a_house)) == orders
    assert len(heard) <= 9, [sql for sql, _ in heard]


async def test_a_hold_that_nobody_takes_on(a_house: House, clock: SettableClock) -> None:
    await place(a_house, make_order())
    await hold_by_hand(a_house, HoldReason.BY_HAND)
    assert await column(a_house, "select sla_due_at from sales_order") == [NOON + 15 * MINUTE]
    clock.pass_by(minutes=16)
    assert await sweep(a_house) == ["yellow held_unacknowledged"]
    async with a_house.transaction() as tx:
        [alert] = await find_alerts(tx, order_nos=["SO-1"])
        await answer_alerts(tx, [alert.id], by="li", now=clock.now(), resolve=False)
    await sweep(a_house)
    assert [row["ended_at"] for row in await breaches(a_house)] == [clock.now()]
    clock.pass_by(hours=5)
    assert await sweep(a_house) == []


async def test_a_released_hold_was_late_even_if_no_sweep_saw_it(a_house: House, clock: SettableClock) -> None:
    await place(a_house, make_order())
    await hold_by_hand(a_house, HoldReason.BY_HAND)
    clock.pass_by(minutes=40)
    await release(a_house)
    assert await sweep(a_house) == ["yellow held_unacknowledged"]
    assert [row["ended_at"] for row in await breaches(a_house)] == [clock.now()]


async def test_a_return_that_nobody_answers(a_house: House, clock: SettableClock) -> None:
    await bring(a_house, State.OUTBOUND)
    async with opened_one(a_house) as case:
        returning.open_whole(case, why="too late", by="wechat")
    clock.pass_by(hours=4)
    assert "yellow return_unanswered" in await sweep(a_house)
    async with a_house.transaction() as tx:
        said = {"words": "send it back", "now": clock.now(), "waits": a_house.waits}
        await answer(tx, "SO-1", approve=True, by="li", **said)
        with pytest.raises(ReturnRefused, match="no return waits"):
            await answer(tx, "SO-1", approve=False, by="wang", **said)
    await sweep(a_house)
    [late] = [row for row in await breaches(a_house) if row["clock"] == "return_unanswered"]
    assert late["ended_at"] == clock.now()
    found = await table(a_house, "select state, answered_by, note from return_case")
    assert found == [{"state": "approved", "answered_by": "li", "note": "send it back"}]
    assert "RT-SO-1-1: the return is accepted. send it back" in await column(a_house, "select text from order_event")


async def test_a_customer_s_wish_pauses(a_house: House, clock: SettableClock) -> None:
    await in_transit(a_house)
    clock.set(SCANNED + 10 * HOUR)
    async with a_house.transaction() as tx:
        until = clock.now() + 24 * HOUR
        assert await clocks.wish(tx, "SO-1", until=until, by="li", note="away", now=clock.now())
        assert not await clocks.wish(tx, "SO-9", until=until, by="li", note="", now=clock.now())
    assert await sweep(a_house) == []
    assert await column(a_house, "select sla_due_at from sales_order") == [SCANNED + 72 * HOUR]


async def test_a_breach_of_a_clock_that_the_policy_dropped_ends(a_house: House, clock: SettableClock) -> None:
    await in_transit(a_house)
    clock.set(SCANNED + 50 * HOUR)
    await sweep(a_house)
    policy = a_house.sla.current()
    fewer = replace(policy, version="other", clocks=tuple(c for c in policy.clocks if c.name != "in_transit"))
    a_house.sla._policy = fewer
    async with a_house.transaction() as tx:
        assert await clocks.read_all_again(tx, after=0, most=10, now=clock.now()) is not None
        assert await clocks.take_policy(tx, fewer, "text", clock.now())
        assert not await clocks.take_policy(tx, fewer, "text", clock.now())
        assert await clocks.policy_in_force(tx) == "other"
    await sweep(a_house)
    assert [row["ended_at"] for row in await breaches(a_house)] == [clock.now()]
    assert await open_alert_keys(a_house) == []


async def test_a_new_policy_has_every_order_under_way_read_again_page_by_page(a_house: House) -> None:
    ids = await place_many(a_house, 25)
    await column(a_house, "update sales_order set sla_due_at = null returning id")
    await column(a_house, "update sales_order set state = 'CLOSED', due_at = null, due_step = null where id = :id "
                 "returning id", id=ids[0])  # fmt: skip
    after: int | None = 0
    pages = 0
    while after is not None:
        async with a_house.transaction() as tx:
            after = await clocks.read_all_again(tx, after=after, most=10, now=NOON)
        pages += 1
    assert pages == 4
    assert await column(a_house, "select count(*) from sales_order where sla_due_at = :now", now=NOON) == [24]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "sweep", "hold", "release", "answer", "wish", "scan", "sign"]), st.integers(1, 40)
    ),
    min_size=3,
    max_size=14,
)
numbers = count(1)


@given(steps=STEPS)
async def test_however_sweeps_fall_the_books_end_with_what_the_facts_say(
    a_house: House, clock: SettableClock, steps: list[tuple[str, int]]
) -> None:
    number = f"ANY-{next(numbers)}"
    clock.set(NOON)
    order_id = (await bring(a_house, State.OUTBOUND, order=make_order(number))).id
    for what, amount in steps:
        await _do(a_house, clock, number, what, amount)
    clock.pass_by(hours=24 * 40)
    await sweep(a_house)
    async with a_house.transaction() as tx:
        [order] = await clocks.facts_of(tx, [order_id])
    reading = a_house.sla.current().read(order.facts, clock.now())
    expected = {(one.clock.name, str(one.level), one.started_at): one.ended_at for one in reading.breaches}
    kept = {
        (row["clock"], row["level"], row["started_at"]): row["ended_at"]
        for row in await table(a_house, "select * from sla_breach where order_id = :id", id=order_id)
    }
    assert kept == expected


async def _do(house: House, clock: SettableClock, number: str, what: str, amount: int) -> None:
    state = State((await column(house, "select state from sales_order where order_no = :no", no=number))[0])
    minutes = int((clock.now() - NOON) / MINUTE)
    match what:
        case "wait":
            clock.pass_by(hours=amount)
        case "sweep":
            await sweep(house)
        case "hold" if state in (State.OUTBOUND, State.IN_TRANSIT):
            await hold_by_hand(house, HoldReason.COMPLAINT, number, evidence=str(clock.now()))
        case "release" if state is State.ON_HOLD:
            await release(house, number)
        case "answer":
            async with house.transaction() as tx:
                await raise_alerts(tx, [await _alert(house, number)], clock.now())
                raised = await find_alerts(tx, order_nos=[number])
                await answer_alerts(tx, [one.id for one in raised], by="li", now=clock.now(), resolve=False)
        case "wish":
            async with house.transaction() as tx:
                until = clock.now() + amount * HOUR
                await clocks.wish(tx, number, until=until, by="li", note="", now=clock.now())
        case "scan" if state is State.OUTBOUND:
            await tell(house, scanned("Y-1", order_no=number, minutes=minutes, first_scan_at=clock.now()))
        case "sign" if state is State.IN_TRANSIT:
            await sign(house, minutes, number)
        case _:
            pass


async def _alert(house: House, number: str) -> dict[str, Any]:
    [order_id] = await column(house, "select id from sales_order where order_no = :no", no=number)
    key = f"by hand {number} {house.clock.now()}"
    return {"key": key, "level": "info", "title": "t", "text": "", "order_id": order_id}


async def test_the_shop_s_word_of_a_customer_s_tier_counts(a_house: House) -> None:
    """The newest that is said stands; an order that says nothing changes nothing."""
    first, later = NOON - 2 * HOUR, NOON - HOUR
    said = [("SO-1", "vip", first), ("SO-2", "", later), ("SO-3", "wholesale", later)]
    await place(a_house, make_order("SO-0", customer_no="C"))
    orders = [make_order(no, customer_no="C", customer_tier=tier, placed_at=at) for no, tier, at in said]
    await place(a_house, *orders)
    assert await column(a_house, "select tier from customer") == ["wholesale"]
    await place(a_house, make_order("SO-4", customer_no="C"))
    assert await column(a_house, "select tier from customer") == ["wholesale"]
    async with a_house.transaction() as tx:
        assert await clocks.set_tier(tx, "C", "vip", now=NOON + HOUR) == 5
        assert await clocks.set_tier(tx, "nobody", "vip", now=NOON) is None
        [order, *_] = await clocks.facts_of(tx, await column(a_house, "select id from sales_order order by id limit 1"))
    assert order.facts.tier == "vip"
    assert await column(a_house, "select distinct sla_due_at from sales_order") == [NOON + HOUR]
