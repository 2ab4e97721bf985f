"""Calls of one moment travel as one; everyone hears of his own thing only."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.errors import OutsideError, Refused
from adapters.together import Together
from ballast.domain.words import System


class Carrier:
    """Doubles numbers, refuses negative ones, and remembers what travelled together."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []

    async def send(self, things: Sequence[int]) -> list[int | OutsideError]:
        self.trips.append(list(things))
        await asyncio.sleep(0.01)
        return [thing * 2 if thing >= 0 else Refused(System.KINGDEE, f"{thing}") for thing in things]


async def test_what_comes_at_one_moment_travels_together_in_parts_of_most() -> None:
    carrier = Carrier()
    together = Together(carrier.send, most=4)
    assert await asyncio.gather(*(together(n) for n in range(10))) == [n * 2 for n in range(10)]
    assert carrier.trips == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert await together(7) == 14
    assert carrier.trips[3:] == [[7]]


async def test_an_error_reaches_only_whose_it_is() -> None:
    together = Together(Carrier().send, most=9)
    ends = await asyncio.gather(together(1), together(-5), together(3), return_exceptions=True)
    assert (ends[0], ends[2]) == (2, 6)
    assert isinstance(ends[1], Refused) and ends[1].what == "-5"


async def test_who_stops_waiting_does_not_stop_the_others() -> None:
    carrier = Carrier()
    together = Together(carrier.send, most=9)
    gone, stays = asyncio.create_task(together(1)), asyncio.create_task(together(2))
    await asyncio.sleep(0.008)  # under way
    gone.cancel()
    assert await stays == 4
    assert carrier.trips == [[1, 2]]
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_failure_of_the_call_itself_reaches_everybody() -> None:
    async def broken(things: Sequence[int]) -> list[int | OutsideError]:
        raise RuntimeError("broken")

    together = Together(broken, most=9)
    ends = await asyncio.gather(together(1), together(2), return_exceptions=True)
    assert [str(end) for end in ends] == ["broken", "broken"]


async def test_closing_waits_for_what_is_under_way() -> None:
    carrier = Carrier()
    together = Together(carrier.send, most=2)
    waiting = [asyncio.create_task(together(n)) for n in range(3)]
    await asyncio.sleep(0)
    await together.close()
    assert all(task.done() for task in waiting) or await asyncio.gather(*waiting) == [0, 2, 4]
    assert len(carrier.trips) == 2
