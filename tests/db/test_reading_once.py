"""A step reads its orders before its calls and decides after them: what was written meanwhile is read again."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from ballast.db import cases, claims, moves
from ballast.db.case import Case
from ballast.db.claims import Chunk
from ballast.db.engine import run
from ballast.domain.words import Event, State, Step
from ballast.wiring import House
from tests.db.stage import captured, column, opened_one, place_many, tell
from tests.times import SettableClock

TWO = ["SO-0000", "SO-0001"]


async def opened_chunk(house: House) -> tuple[Chunk, list[Case]]:
    """Two orders, claimed and read as a step reads them."""
    await place_many(house, 2)
    async with house.transaction() as tx:
        now = house.clock.now()
        chunk = await claims.claim(tx, Step.CONFIRM_PAYMENT, owner="step", most=9, now=now, until=house.lease())
        return chunk, await cases.load(
            tx, now=now, waits=house.waits, ids=chunk.ids, lease_owner=chunk.owner, lock=False
        )


async def locked(house: House, read: Sequence[Case]) -> list[Case]:
    async with house.transaction() as tx:
        return await cases.lock(tx, read, now=house.clock.now(), waits=house.waits, lease_owner="step")


async def test_what_nobody_touched_is_taken_as_it_was_read(a_house: House, clock: SettableClock) -> None:
    _, read = await opened_chunk(a_house)
    clock.pass_by(seconds=3)
    again = await locked(a_house, read)
    assert [case.order_no for case in again] == TWO
    assert all(mine is case for mine, case in zip(read, again, strict=True))
    assert {case.now for case in again} == {clock.now()}


async def note(house: House) -> None:
    """History only: no state, no due time changes."""
    async with opened_one(house, TWO[0]) as case:
        case.take(Event.NOTED, cause="a person wrote", actor="person:lin")


async def pay(house: House) -> None:
    await tell(house, captured(2000, "T-1", TWO[0]))


async def read_the_clocks(house: House) -> None:
    async with house.transaction() as tx:
        at = house.clock.now() + timedelta(hours=5)
        await run(tx, "update sales_order set sla_due_at = :at where order_no = :no", at=at, no=TWO[0])


@pytest.mark.parametrize("write", [note, pay, read_the_clocks])
async def test_what_was_written_meanwhile_is_read_again(
    a_house: House, write: Callable[[House], Awaitable[None]]
) -> None:
    _, read = await opened_chunk(a_house)
    await write(a_house)
    first, second = await locked(a_house, read)
    assert first is not read[0]
    assert second is read[1]
    assert (first.version, len(first.charges), first.head["sla_due_at"]) != (
        read[0].version,
        len(read[0].charges),
        read[0].head["sla_due_at"],
    )


async def test_who_lost_an_order_meanwhile_does_not_get_it_back(a_house: House) -> None:
    _, read = await opened_chunk(a_house)
    async with a_house.transaction() as tx:
        await run(tx, "update sales_order set lease_owner = 'other' where order_no = :no", no=TWO[0])
    assert [case.order_no for case in await locked(a_house, read)] == TWO[1:]


async def test_a_case_that_was_taken_as_it_was_read_is_written(a_house: House) -> None:
    _, read = await opened_chunk(a_house)
    async with a_house.transaction() as tx:
        held = await cases.lock(tx, read, now=a_house.clock.now(), waits=a_house.waits, lease_owner="step")
        for case in held:
            case.take(Event.PAYMENT_ENDED, cause="unpaid", actor="ballast")
        await moves.write(tx, held)
    assert await column(a_house, "select distinct state from sales_order") == [State.CLOSED]


async def test_a_lease_that_has_just_begun_is_not_written_again(a_house: House, clock: SettableClock) -> None:
    chunk, _ = await opened_chunk(a_house)

    async def hold_on() -> set[int]:
        async with a_house.transaction() as tx:
            return await claims.hold_on(tx, chunk, now=a_house.clock.now(), until=a_house.lease())

    begun = await column(a_house, "select due_at from sales_order")
    clock.pass_by(seconds=5)
    assert await hold_on() == set(chunk.ids)
    assert await column(a_house, "select due_at from sales_order") == begun
    clock.pass_by(seconds=15)  # `kept` renews after a third of it: by then it is written
    assert await hold_on() == set(chunk.ids)
    assert await column(a_house, "select distinct due_at from sales_order") == [a_house.lease()]
