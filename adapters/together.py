"""Calls that are made at the same moment travel as one, where a vendor takes several things in one call."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from adapters.errors import OutsideError

T = TypeVar("T")
R = TypeVar("R")

GATHER: Final = 0.005
"""Seconds that the first waits for company: the orders of a chunk arrive in the same turn of the event loop."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket(Generic[T, R]):
    """One thing on its way, and who waits for its outcome."""

    thing: T
    outcome: asyncio.Future[R]

    def settle(self, end: R | Exception) -> None:
        """Tell the outcome, unless nobody waits for it any more."""
        if self.outcome.done():
            return
        if isinstance(end, Exception):
            self.outcome.set_exception(end)
        else:
            self.outcome.set_result(end)


class Together(Generic[T, R]):
    """`await together(thing)`: the thing's own outcome, however many others went along.

    `send(things)` makes the call and returns what became of each, in the same order: a result, or an `OutsideError`
    that is raised to the one it belongs to. At most `most` things per call. A caller that stops waiting (its run was
    cancelled) does not stop the call: it is under way for the others.
    """

    def __init__(self, send: Callable[[Sequence[T]], Awaitable[Sequence[R | OutsideError]]], *, most: int) -> None:
        self._send, self._most = send, most
        self._waiting: list[Ticket[T, R]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, thing: T) -> R:
        ticket: Ticket[T, R] = Ticket(thing, asyncio.get_running_loop().create_future())
        self._waiting.append(ticket)
        if len(self._waiting) == 1:
            self._start(self._depart())
        return await ticket.outcome

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _depart(self) -> None:
        await asyncio.sleep(GATHER)
        all_of_them, self._waiting = self._waiting, []
        for first in range(0, len(all_of_them), self._most):
            self._start(self._carry(all_of_them[first : first + self._most]))

    async def _carry(self, tickets: Sequence[Ticket[T, R]]) -> None:
        try:
            for ticket, end in zip(tickets, await self._send([one.thing for one in tickets]), strict=True):
                ticket.settle(end)
        except Exception as failure:  # noqa: BLE001  # passed on: whoever waits would wait for ever
            for ticket in tickets:
                ticket.settle(failure)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
