"""Waking and lanes: news is answered at once, and one system's trouble is no other's."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

import deployments.serve as serve
from flows.read_inbox import read_inbox
from flows.runs import Run, start, woken_by
from flows.send_outbox import LANES, SENDERS, Lane, Rush, drain_lane, send_outbox
from tasks.chunks import Tally
from tests.flows.stage import Stage

DONE: Tally = Counter({"done": 1})


class Desk:
    """What a drain finds and works on, and how often it looked. Work is done once the door is open."""

    def __init__(self, *things: str) -> None:
        self.things = list(things)
        self.looks = 0
        self.done: list[str] = []
        self.door = asyncio.Event()
        self.door.set()

    async def find(self) -> str | None:
        self.looks += 1
        return self.things.pop(0) if self.things else None

    async def work(self, thing: str) -> Tally:
        await self.door.wait()
        self.done.append(thing)
        return DONE

    async def is_done(self) -> bool:
        return bool(self.done)


async def drain(run: Run, desk: Desk, *, every: timedelta | None = None) -> None:
    await run.drain(desk.find, desk.work, at_once=1, is_full=lambda _: False, every=every)


async def lingering(stage: Stage, bell: asyncio.Event, *, linger: float, **patience: timedelta) -> Run:
    stage.patience(**{"gather": timedelta(milliseconds=20), **patience})
    with woken_by(bell):
        return await start("test", linger)


async def test_a_run_that_lingers_looks_when_it_is_rung_and_not_before(stage: Stage) -> None:
    bell, desk = asyncio.Event(), Desk()
    run = await lingering(stage, bell, linger=60.0)
    draining = asyncio.create_task(drain(run, desk))
    await asyncio.sleep(0.3)
    assert desk.looks == 1
    desk.things.append("news")
    bell.set()
    await until(desk.is_done)
    draining.cancel()


async def test_many_rings_are_few_looks(stage: Stage) -> None:
    bell, desk = asyncio.Event(), Desk()
    run = await lingering(stage, bell, linger=0.5, gather=timedelta(milliseconds=200))
    draining = asyncio.create_task(drain(run, desk))
    for _ in range(60):
        bell.set()
        await asyncio.sleep(0.01)
    await draining
    assert 2 <= desk.looks <= 9  # 0.6 s of ringing and 0.5 to 1 s of silence


async def test_a_ring_while_a_run_ends_is_not_forgotten(stage: Stage) -> None:
    """The run cleared the bell before it looked: what is rung afterwards stays rung for the next one."""
    bell, desk = asyncio.Event(), Desk()
    run = await lingering(stage, bell, linger=0.0)
    bell.set()
    await drain(run, desk)
    assert not bell.is_set()
    bell.set()
    assert bell.is_set() and desk.looks == 1


async def test_whoever_has_no_bell_looks_again_by_the_clock(stage: Stage) -> None:
    stage.patience(gather=timedelta(milliseconds=20))
    run, desk = await start("test", 60.0), Desk()
    draining = asyncio.create_task(drain(run, desk))
    await asyncio.sleep(0.1)
    desk.things.append("news")
    await until(desk.is_done)
    draining.cancel()


@pytest.mark.parametrize("run_most", [60.0, 0.3])
async def test_a_quick_lane_does_not_wait_for_a_slow_one(stage: Stage, run_most: float) -> None:
    """Not even when the time of the run is over and only the slow chunk is still under way."""
    bell, quick, slow = asyncio.Event(), Desk(), Desk("slow")
    slow.door.clear()
    run = await lingering(stage, bell, linger=0.1, run_most=timedelta(seconds=run_most))
    both = asyncio.gather(drain(run, quick), drain(run, slow, every=timedelta(milliseconds=50)))
    await asyncio.sleep(0.8)
    quick.things.append("news")
    slow.things.append("more")
    bell.set()
    await until(quick.is_done)
    assert slow.done == []
    slow.door.set()
    await both
    assert slow.done == (["slow"] if run_most < 1 else ["slow", "more"])


async def test_when_its_time_is_over_a_run_takes_nothing_that_could_hold_it_up(stage: Stage) -> None:
    """Else the quick lane would be closed by the end of its own chunk, and the slow one's next chunk still go on."""
    quick, slow = Desk("first"), Desk()
    quick.door.clear()
    run = await lingering(stage, asyncio.Event(), linger=0.1, run_most=timedelta(seconds=0.3))
    both = asyncio.gather(drain(run, quick), drain(run, slow, every=timedelta(milliseconds=50)))
    await asyncio.sleep(0.5)
    slow.things.append("late")
    await asyncio.sleep(0.3)
    quick.door.set()
    await both
    assert (quick.done, slow.done, slow.things) == (["first"], [], ["late"])


async def test_a_lane_that_looks_seldom_does_not_hold_up_the_end(stage: Stage) -> None:
    run = await lingering(stage, asyncio.Event(), linger=9.0, run_most=timedelta(seconds=0.3))
    began = time.monotonic()
    await drain(run, Desk("first"), every=timedelta(seconds=30))
    assert time.monotonic() - began < 9.0


def test_every_kind_of_message_has_its_lane() -> None:
    systems = [system for lane in LANES for system in lane.systems]
    assert sorted({kind.split(".")[0] for kind in SENDERS}) == sorted(systems)


def test_a_rush_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rush = Rush()
    assert not rush.on
    rush.note(behind=True)
    assert rush.on
    rush.note(behind=False)
    assert not rush.on
    rush.note(behind=True)
    monkeypatch.setattr(Rush, "LONGEST", 0.0)
    rush.note(behind=True)
    assert not rush.on


@asynccontextmanager
async def listening(stage: Stage) -> AsyncIterator[None]:
    listener = serve.Listener(stage.house, answers={"inbox": read_inbox, "outbox": send_outbox})
    tasks = [asyncio.create_task(duty) for duty in listener.duties()]
    await asyncio.sleep(0.5)
    yield
    stage.house.stopping = True
    await listener.under_way.end(lambda: False)
    stage.house.stopping = False
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not await true():
        await asyncio.sleep(0.05)
        assert time.monotonic() < end, f"it did not come true within {seconds:g} s"


async def _is_sent(stage: Stage, key: str) -> bool:
    found = await stage.rows("select done_at is not null as done from outbox where key = :key", key=key)
    return bool(found and found[0].done)


async def test_the_books_wait_while_the_shop_is_behind(stage: Stage) -> None:
    order_no, rush = await stage.handed_over(), Rush()
    await stage.ship(order_no)
    await stage.read()
    rush.note(behind=True)
    run = await lingering(stage, asyncio.Event(), linger=60.0)
    draining = asyncio.create_task(drain_lane(run, Lane(("erp",)), rush))
    await asyncio.sleep(1.5)
    assert not await stage.rows("select 1 from outbox where lease_owner is not null or done_at is not null")
    rush.note(behind=False)
    await until(lambda: _is_sent(stage, f"erp.outbound:{order_no}"))
    draining.cancel()


@pytest.mark.parametrize("faults", [{"latency_ms": [5000, 5000]}, {"error_rate": 1.0}], ids=["slow", "down"])
async def test_the_shop_is_told_while_the_erp_is_in_trouble(stage: Stage, faults: dict[str, object]) -> None:
    stage.patience(linger=timedelta(seconds=1), run_most=timedelta(seconds=2))
    first, second = await stage.handed_over(), await stage.handed_over()
    await stage.world.faults(system="kingdee", **faults)
    async with listening(stage):
        await stage.ship(first)
        await until(lambda: _is_sent(stage, f"shop.shipped:{first}"))
        await asyncio.sleep(2.5)  # the time of the run is over; the ERP's chunk goes on
        await stage.ship(second)
        await until(lambda: _is_sent(stage, f"shop.shipped:{second}"))
        assert not await _is_sent(stage, f"erp.outbound:{first}")
        await stage.world.calm()
    waybill = (await stage.world.truth(second))["parcels"][0]["waybill"]
    assert waybill in str((await stage.world.truth(second))["shop"])
