"""Claims: nobody shares an order, a dead worker's orders move again, a late writer is refused."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from ballast.db import cases, claims
from ballast.db.claims import Chunk
from ballast.domain.words import Event, State, Step
from ballast.wiring import House
from tests.db.stage import column, make_order, opened_one, pay, place, place_many, read_case
from tests.times import NOON, SettableClock

PAYMENT = Step.CONFIRM_PAYMENT


async def claim(house: House, owner: str, most: int = 100, step: Step = PAYMENT) -> Chunk:
    async with house.transaction() as tx:
        return await claims.claim(tx, step, owner=owner, most=most, now=house.clock.now(), until=house.lease())


@pytest.mark.parametrize("workers", [2, 8])
async def test_claimers_at_once_never_share_an_order(a_house: House, workers: int) -> None:
    ids = await place_many(a_house, 500)
    taken: list[Chunk] = []

    async def work(name: int) -> None:
        turn = 0
        while chunk := (await claim(a_house, f"w{name}.{turn}", most=17)):
            if not chunk.ids:
                return
            taken.append(chunk)
            turn += 1

    await asyncio.gather(*(work(name) for name in range(workers)))
    each = Counter(order for chunk in taken for order in chunk.ids)
    assert sorted(each) == ids
    assert set(each.values()) == {1}
    assert len({chunk.owner.split(".")[0] for chunk in taken}) == workers  # the test was a race, not a queue


async def test_an_open_claim_is_skipped_and_not_waited_for(a_house: House) -> None:
    await place_many(a_house, 3)
    async with a_house.transaction() as first:
        mine = await claims.claim(first, PAYMENT, owner="a", most=2, now=NOON, until=a_house.lease())
        other = await asyncio.wait_for(claim(a_house, "b"), 5)
    assert len(mine.ids) == 2
    assert len(other.ids) == 1
    assert not set(mine.ids) & set(other.ids)


async def test_the_lease_ends_by_itself(a_house: House, clock: SettableClock) -> None:
    await place_many(a_house, 2)
    first = await claim(a_house, "dead")
    assert (await claim(a_house, "early")).ids == ()
    clock.set(a_house.lease())
    assert (await claim(a_house, "later")).ids == first.ids


async def test_renewing_keeps_the_lease_and_only_the_holder_can(a_house: House, clock: SettableClock) -> None:
    await place_many(a_house, 1)
    chunk = await claim(a_house, "a")
    clock.pass_by(seconds=40)
    async with a_house.transaction() as tx:
        assert await claims.hold_on(tx, Chunk(PAYMENT, "stranger", chunk.ids), now=NOON, until=NOON) == set()
        assert await claims.hold_on(tx, chunk, now=a_house.clock.now(), until=a_house.lease()) == set(chunk.ids)
    clock.pass_by(seconds=40)
    assert (await claim(a_house, "b")).ids == ()


async def test_a_late_writer_finds_nothing_to_write(a_house: House, clock: SettableClock) -> None:
    await place_many(a_house, 2)
    late = await claim(a_house, "late")
    clock.pass_by(hours=1)
    winner = await claim(a_house, "winner")
    async with a_house.transaction() as tx:
        fenced = await cases.load(tx, now=NOON, waits=a_house.waits, ids=late.ids, lease_owner=late.owner)
        found = await cases.load(tx, now=NOON, waits=a_house.waits, ids=winner.ids, lease_owner=winner.owner)
        given = await claims.give_back(tx, late, NOON)
    assert fenced == []
    assert len(found) == 2
    assert given == 0


async def test_what_is_given_back_is_due_at_once_without_an_attempt(a_house: House) -> None:
    ids = await place_many(a_house, 2)
    chunk = await claim(a_house, "a")
    async with a_house.transaction() as tx:
        assert await claims.give_back(tx, chunk, NOON) == 2
    assert (await claim(a_house, "b")).ids == tuple(ids)
    assert await column(a_house, "select distinct attempts from sales_order") == [0]


async def test_a_step_gets_only_its_own_orders_and_only_due_ones(a_house: House, clock: SettableClock) -> None:
    await place(a_house, make_order("paid"), make_order("unpaid"))
    await pay(a_house, "paid")
    assert (await claim(a_house, "a")).ids == ()  # the unpaid one has half an hour
    assert len((await claim(a_house, "b", step=Step.LOCK_STOCK)).ids) == 1
    clock.pass_by(hours=1)
    assert len((await claim(a_house, "c")).ids) == 1


async def test_one_order_is_claimed_by_number_unless_somebody_works_on_it(a_house: House) -> None:
    (order_id,) = await place_many(a_house, 1)

    async def claim_one(number: str, owner: str) -> Chunk | None:
        async with a_house.transaction() as tx:
            return await claims.claim_one(tx, number, owner=owner, now=NOON, until=a_house.lease())

    assert await claim_one("SO-0000", "rerun") == Chunk(PAYMENT, "rerun", (order_id,))
    assert await claim_one("SO-0000", "second") is None
    assert await claim_one("unknown", "third") is None


async def test_news_for_the_same_step_leaves_the_lease_with_its_holder(a_house: House) -> None:
    await place_many(a_house, 1)
    chunk = await claim(a_house, "worker")
    async with opened_one(a_house, "SO-0000") as case:
        case.reschedule()
    assert (await read_case(a_house, "SO-0000")).lease_owner == chunk.owner


async def test_news_that_leads_to_another_step_takes_the_lease(a_house: House) -> None:
    await place_many(a_house, 1)
    chunk = await claim(a_house, "worker")
    await pay(a_house, "SO-0000")
    case = await read_case(a_house, "SO-0000")
    assert (case.lease_owner, case.due) == (None, (Step.LOCK_STOCK, NOON))
    async with a_house.transaction() as tx:
        assert not await cases.load(tx, now=NOON, waits=a_house.waits, ids=chunk.ids, lease_owner=chunk.owner)


async def test_another_attempt_is_counted_and_a_move_starts_afresh(a_house: House) -> None:
    await place_many(a_house, 1)
    async with opened_one(a_house, "SO-0000") as case:
        case.again(NOON + timedelta(seconds=2))
    again = await read_case(a_house, "SO-0000")
    assert (again.attempts, again.due) == (1, (PAYMENT, NOON + timedelta(seconds=2)))
    async with opened_one(a_house, "SO-0000") as case:
        case.take(Event.CANCELLED, cause="cancel", actor="person:li")
    closed = await read_case(a_house, "SO-0000")
    assert (closed.standing.state, closed.attempts, closed.due) == (State.CLOSED, 0, None)
