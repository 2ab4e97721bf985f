"""What the world counts of the calls that reach it, by itself: at once, and in any second."""

import asyncio
import time
from contextlib import suppress

from sim.traffic import Counted
from tests.sim.conftest import Stage

EMPTY = "<request><orderCode>SO1</orderCode></request>"


async def ask(stage: Stage, count: int) -> None:
    await asyncio.gather(*(stage.call.qimen("deliveryorder.query", EMPTY) for _ in range(count)))


async def test_calls_at_once_and_in_a_second(stage: Stage) -> None:
    assert await stage.call.ask("calls") == {}
    await stage.call.world("faults", {"system": "qimen", "latency_ms": [300, 300]})
    await ask(stage, 7)
    await ask(stage, 2)
    assert (await stage.call.ask("calls"))["qimen"] == {
        "calls": 9, "under_way": 0, "most_at_once": 7, "most_in_a_second": 9,
    }  # fmt: skip
    await asyncio.sleep(1.1)
    await stage.call.world("calls")
    assert await stage.call.ask("calls") == {}
    await ask(stage, 3)
    told = (await stage.call.ask("calls"))["qimen"]
    assert (told["most_at_once"], told["most_in_a_second"]) == (3, 3)


async def test_whoever_hangs_up_is_not_under_way(stage: Stage) -> None:
    await stage.call.world("faults", {"system": "qimen", "latency_ms": [2_000, 2_000]})
    for _ in range(3):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await stage.call.qimen("deliveryorder.query", EMPTY)
    told = (await stage.call.ask("calls"))["qimen"]
    assert (told["calls"], told["most_at_once"], told["under_way"]) == (3, 1, 0)


def test_any_second_counts_and_not_those_of_the_clock() -> None:
    counted, began = Counted(), time.monotonic()

    class Request:
        transport = None

    for moment in (0.0, 0.6, 0.9, 1.1, 1.5, 2.6):
        counted.arrive(Request(), began + moment)  # type: ignore[arg-type]
    assert counted.most_in_a_second == 4  # from 0.6 on
