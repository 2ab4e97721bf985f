"""Limits over all processes: each allowance here is a process's own, with the database as all that they share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db import call_limits, call_slots
from ballast.db.allowance import SharedAllowance
from ballast.db.call_limits import reserve, share_slots
from ballast.db.engine import make_engine
from ballast.db.upgrade import create_database
from ballast.wiring import House
from tests.db.stage import column, statements

PATIENCE = 20.0


class Gate:
    """The other side: what is under way, and when each call came."""

    def __init__(self) -> None:
        self.now, self.most, self.came = 0, 0, list[float]()

    async def call(self, seconds: float) -> None:
        self.came.append(asyncio.get_running_loop().time())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.now -= 1

    def most_within(self, seconds: float) -> int:
        came = sorted(self.came)
        return max(sum(at <= one < at + seconds for one in came) for at in came)


async def call(allowance: SharedAllowance, gate: Gate, seconds: float = 0.01, patience: float = PATIENCE) -> None:
    """As `VendorHttp` does it."""
    await allowance.take(patience)
    try:
        await allowance.set_out(patience)
        await gate.call(seconds)
    finally:
        allowance.give_back()


@asynccontextmanager
async def processes(
    engine: AsyncEngine, count: int, *, max_calls: int = 4, per_second: float = 0
) -> AsyncIterator[list[SharedAllowance]]:
    made = [SharedAllowance(engine, "kingdee", max_calls=max_calls, per_second=per_second) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            await one.close()


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_together_they_make_no_more_calls_at_once_than_allowed(a_house: House, count: int) -> None:
    gate = Gate()
    async with processes(a_house.engine, count) as them:
        await asyncio.gather(*(call(one, gate) for _ in range(240 // count) for one in them))
        assert len(gate.came) == 240
        assert gate.most == 4  # all of it, and no more
    assert await column(a_house, "select shares from call_limit") == [{}], "everything was given back"


async def test_one_busy_process_has_all_of_it_and_lets_go_when_another_comes(a_house: House) -> None:
    mine, others = Gate(), Gate()
    async with processes(a_house.engine, 2) as (busy, late):
        work = [asyncio.create_task(call(busy, mine, 0.05)) for _ in range(200)]
        await asyncio.sleep(0.5)
        assert mine.now == 4
        await asyncio.wait_for(call(late, others), 2.0)
        await asyncio.gather(*(call(late, others, 0.05) for _ in range(20)), *work)
        assert others.most == 2
    assert mine.most == 4


async def test_more_processes_than_calls_take_turns(a_house: House) -> None:
    gates = [Gate() for _ in range(4)]
    async with processes(a_house.engine, 4, max_calls=1) as them:
        work = [
            asyncio.create_task(call(one, gate, 0.02)) for one, gate in zip(them, gates, strict=True) for _ in range(40)
        ]
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert sum(gate.now for gate in gates) <= 1
            if all(gate.came for gate in gates):
                break
        assert all(gate.came for gate in gates), "somebody never had a turn"
        assert not all(one.done() for one in work)
        await asyncio.gather(*work)


async def test_the_slots_of_a_process_that_died_come_back(a_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_limits, "LEASE", 1.5)
    dead = await share_slots(a_house.engine, "kingdee", "dead", limit=4, holding=0, wanted=4)
    assert dead.slots == 4
    gate, loop = Gate(), asyncio.get_running_loop()
    async with processes(a_house.engine, 1) as (heir,):
        began = loop.time()
        await asyncio.gather(*(call(heir, gate) for _ in range(8)))
        assert 1.0 < loop.time() - began < 5.0
    assert gate.most == 4


async def test_who_was_gone_for_longer_than_its_lease_begins_nothing(
    a_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its slots may be somebody else's by now: a process that was stopped for a while asks first."""
    monkeypatch.setattr(call_slots, "FRESH", 0.2)
    gate, other = Gate(), Gate()
    async with processes(a_house.engine, 2) as (slept, heir):
        await call(slept, gate)
        monkeypatch.setattr(slept._slots, "_settle", lambda: asyncio.sleep(0))
        await asyncio.sleep(0.3)
        with pytest.raises(TimeoutError):
            await call(slept, gate, patience=0.2)
        assert len(gate.came) == 1
        await call(heir, other)


async def test_without_its_database_a_process_goes_on_within_its_slots_then_says_why_not(
    a_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_slots, "FRESH", 0.8)
    gate = Gate()
    async with processes(a_house.engine, 1) as (one,):
        await asyncio.gather(*(call(one, gate) for _ in range(4)))

        async def no_answer(*_: object, **__: object) -> None:
            raise ConnectionRefusedError

        with monkeypatch.context() as away:
            away.setattr(call_slots, "share_slots", no_answer)
            await call(one, gate)
            assert len(gate.came) == 5
            await asyncio.sleep(1.0)
            with pytest.raises(TimeoutError, match="does not say how many calls"):
                await call(one, gate, patience=0.5)
            assert len(gate.came) == 5
        await call(one, gate)
    assert len(gate.came) == 6


async def test_an_older_shape_is_said_at_once(server_url: str) -> None:
    await create_database(server_url, "ballast_old_shape", fresh=True)
    engine = make_engine(server_url.replace("/postgres?", "/ballast_old_shape?"), pool=1)
    one = SharedAllowance(engine, "kingdee", max_calls=4, per_second=0)
    with pytest.raises(TimeoutError, match="ballast db upgrade"):
        await asyncio.wait_for(call(one, Gate()), 5)
    await one.close()
    await engine.dispose()


async def test_a_caller_that_leaves_takes_no_slot_with_it(a_house: House) -> None:
    gate = Gate()
    async with processes(a_house.engine, 1, max_calls=1) as (one,):
        first = asyncio.create_task(call(one, gate, 0.5))
        await asyncio.sleep(0.2)
        leaving = [asyncio.create_task(call(one, gate)) for _ in range(5)]
        staying = asyncio.create_task(call(one, gate))
        await asyncio.sleep(0.05)
        for task in leaving:
            task.cancel()
        await asyncio.gather(first, staying)
        first.cancel()
        await call(one, gate)
    assert len(gate.came) == 3


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_no_sliding_second_has_more_calls_than_allowed(a_house: House, count: int) -> None:
    gate = Gate()
    async with processes(a_house.engine, count, max_calls=32, per_second=40) as them:
        await asyncio.gather(*(call(one, gate) for _ in range(100 // count) for one in them))
    assert gate.most_within(1.0) <= 40
    took = gate.came[-1] - gate.came[0]
    assert 100 / 40 < took < 4.5, took  # near the limit, and not far below


async def test_less_than_one_a_second(a_house: House) -> None:
    gate = Gate()
    async with processes(a_house.engine, 2, per_second=0.8) as them:
        await asyncio.gather(*(call(one, gate) for _ in range(2) for one in them))
    assert min(after - before for before, after in pairwise(sorted(gate.came))) >= 1.25


async def test_what_waits_for_our_own_limit_is_not_told_that_the_system_is_slow(a_house: House) -> None:
    gate = Gate()
    async with processes(a_house.engine, 1, max_calls=1, per_second=10) as (one,):
        await asyncio.gather(*(call(one, gate, patience=0.3) for _ in range(15)))
    assert len(gate.came) == 15


async def test_a_slow_system_is(a_house: House) -> None:
    gate = Gate()
    async with processes(a_house.engine, 1, max_calls=1) as (one,):
        ends = await asyncio.gather(*(call(one, gate, 0.6, patience=0.3) for _ in range(3)), return_exceptions=True)
    assert [type(end) for end in ends].count(TimeoutError) == 2
    assert len(gate.came) == 1


async def test_reservations_follow_each_other(a_house: House) -> None:
    parts = [await reserve(a_house.engine, "qimen", seconds=0.5, lead=0.0) for _ in range(3)]
    assert [round(after.begins - before.begins, 3) for before, after in pairwise(parts)] == [0.5, 0.5]
    assert abs(parts[0].begins - parts[0].now) < 0.1
    ahead = await reserve(a_house.engine, "kdniao", seconds=0.5, lead=2.0)
    assert 1.9 < ahead.begins - ahead.now < 2.1


async def test_a_thousand_calls_cost_a_few_statements(a_house: House) -> None:
    gate = Gate()
    async with processes(a_house.engine, 1, max_calls=16) as (one,):
        with statements(a_house.engine) as said:
            await asyncio.gather(*(call(one, gate, 0.005) for _ in range(1000)))
        assert len(gate.came) == 1000
    assert len(said) <= 12, said
