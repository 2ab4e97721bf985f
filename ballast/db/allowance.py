"""What a system allows all processes together, as `adapters.allowance.Allowance` wants it."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.call_pace import SharedPace
from ballast.db.call_slots import SharedSlots


class SharedAllowance:
    """At most `max_calls` at once and `per_second` a second (0: no such limit), counted in the database.

    Nothing is asked there per call: slots last as long as there are calls, moments are reserved for all that wait.
    """

    def __init__(self, engine: AsyncEngine, system: str, *, max_calls: int, per_second: float) -> None:
        self._pace = SharedPace(engine, system, per_second, lambda: self._slots.waiting) if per_second else None
        self._slots = SharedSlots(engine, system, max_calls, self._held_back)

    async def take(self, patience: float) -> None:
        await self._slots.take(patience)

    def give_back(self) -> None:
        self._slots.give_back()

    async def set_out(self, patience: float) -> None:
        if self._pace is not None:
            await self._pace.set_out(patience)

    async def close(self) -> None:
        if self._pace is not None:
            await self._pace.close()
        await self._slots.close()

    def _held_back(self, since: float) -> bool:
        return self._pace is not None and self._pace.held_back(since)


class RobotAllowance:
    """One call at once in each process, and `per_second` a second over all of them: a robot's limits."""

    def __init__(self, engine: AsyncEngine, system: str, *, per_second: float) -> None:
        self._room = asyncio.Semaphore(1)
        self._pace = SharedPace(engine, system, per_second, lambda: 0)

    async def take(self, patience: float) -> None:
        async with asyncio.timeout(patience):
            await self._room.acquire()

    def give_back(self) -> None:
        self._room.release()

    async def set_out(self, patience: float) -> None:
        await self._pace.set_out(patience)

    async def close(self) -> None:
        await self._pace.close()
