"""Points at which a test stops one of two that do the same."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from ballast.db import cases
from ballast.db.claims import Chunk, claim
from ballast.db.engine import rows
from ballast.domain.words import Step
from tasks.chunks import Tally
from tasks.rerun import WORK
from tests.flows.stage import Stage

LEASE_IS_OVER = timedelta(minutes=2)


class Stall:
    """A method of which the first caller stops after the effect, until it is let `go`; it then gets `answer`.

    `before`: it stops before the effect.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, method: str, *, before: bool = False) -> None:
        self._call, self._before = getattr(owner, method), before
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.answer: Exception | None = None
        monkeypatch.setattr(owner, method, self)

    async def __call__(self, *args: Any, **more: Any) -> Any:
        first = not self.reached.is_set()
        if first and self._before:
            await self._stop()
        made = await self._call(*args, **more)
        if first and not self._before:
            await self._stop()
            if self.answer is not None:
                raise self.answer
        return made

    async def _stop(self) -> None:
        self.reached.set()
        await self.go.wait()

    async def wait(self) -> None:
        await asyncio.wait_for(self.reached.wait(), 30)


async def claimed(stage: Stage, step: Step) -> Chunk:
    """What is due at a step, in the hands of `the slow one`."""
    now = stage.house.clock.now()
    async with stage.house.transaction() as tx:
        chunk = await claim(tx, step, owner="the slow one", most=5, now=now, until=stage.house.lease())
    assert chunk.ids
    return chunk


async def begin(stage: Stage, step: Step) -> asyncio.Task[Tally]:
    """Claim what is due at a step, and set to work on it."""
    return asyncio.create_task(WORK[step](await claimed(stage, step)))  # type: ignore[arg-type]  # a task's function is a coroutine function


@asynccontextmanager
async def in_line(stage: Stage, order_no: str, *each: Callable[[], Awaitable[Any]]) -> AsyncIterator[list[Any]]:
    """Let them come to an order's row while it is locked, one behind the other; then all go at once. Their results."""
    came: list[asyncio.Task[Any]] = []
    async with stage.house.transaction() as tx:
        await cases.load(tx, now=stage.house.clock.now(), waits=stage.house.waits, order_nos=[order_no])
        for number, one in enumerate(each, 1):
            came.append(asyncio.ensure_future(one()))  # type: ignore[arg-type]  # every one of them is a coroutine
            await _wait_for(tx, number)
    yield await asyncio.gather(*came)


async def _wait_for(tx: Any, number: int) -> None:
    async with asyncio.timeout(30):
        while len(await rows(tx, "select 1 from pg_locks where not granted")) < number:
            await asyncio.sleep(0.01)
