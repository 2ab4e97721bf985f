"""What a system allows us: how many calls at once, how many a second. Who counts over all processes is handed in."""

import asyncio
from typing import Protocol


class Allowance(Protocol):
    """Asked by `VendorHttp` before each call. Whoever waits in vain gets a `TimeoutError` that says why, if it can."""

    async def take(self, patience: float) -> None:
        """Wait for room for one more call at once; `patience` is how many seconds a slow system may make us wait."""

    def give_back(self) -> None:
        """The call has ended."""

    async def set_out(self, patience: float) -> None:
        """Wait until one more attempt may leave; without a limit a second that is now."""

    async def close(self) -> None:
        """Give everything back."""


class Alone:
    """The limit of one process that asks nobody: at most `max_calls` at once, as fast as they go."""

    def __init__(self, max_calls: int) -> None:
        self._room = asyncio.Semaphore(max_calls)

    async def take(self, patience: float) -> None:
        async with asyncio.timeout(patience):
            await self._room.acquire()

    def give_back(self) -> None:
        self._room.release()

    async def set_out(self, patience: float) -> None:
        return

    async def close(self) -> None:
        return
