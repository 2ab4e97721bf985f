"""What is asked within the same few milliseconds is answered together: by one query, or reserved in one transaction.

A thousand buyers of one article would else wait for its row one after the other, each with a connection in hand. The
busier the database is, the more share its answer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ballast.db.engine import DATABASE_ERRORS
from ballast.domain.promising import Basket
from ballast.door import NOBODY, Kept, look_together, reserve_together
from ballast.wiring import House

GATHER: Final = 0.005  # seconds; waiting for company
MOST_AT_ONCE: Final = 200
SECONDS: Final = 2.5
"""For one transaction, less than a shop waits: who works on the same stock may take that long."""


Work = Callable[[House, Sequence[tuple[Basket, timedelta]]], Awaitable[list[Kept]]]


@dataclass(slots=True, eq=False)
class Buyer:
    """One request that waits for its answer."""

    basket: Basket
    lasts: timedelta
    kept: asyncio.Future[Kept]


class Desk:
    """One kind of question in one process, first come, first served. A clerk works while somebody waits."""

    def __init__(self, house: House, work: Work, *, gather: float = GATHER) -> None:
        self._house, self._work, self._gather = house, work, gather
        self._waiting: deque[Buyer] = deque()
        self._clerk: asyncio.Task[None] | None = None

    async def ask(self, basket: Basket, lasts: timedelta) -> Kept:
        """The answer; what is kept is committed by then. Raises what the database throws (`DATABASE_ERRORS`)."""
        buyer = Buyer(basket, lasts, asyncio.get_running_loop().create_future())
        self._waiting.append(buyer)
        if self._clerk is None or self._clerk.done():
            self._clerk = asyncio.create_task(self._serve())
        return await buyer.kept

    async def close(self) -> None:
        """Serve who waits."""
        if self._clerk is not None:
            await asyncio.wait([self._clerk])

    async def _serve(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._gather)
            if buyers := self._take():
                await self._attempt(buyers)

    def _take(self) -> list[Buyer]:
        """The next ones, of each order once; who gave up is left out."""
        buyers, numbers = list[Buyer](), set[str]()
        while self._waiting and len(buyers) < MOST_AT_ONCE and self._waiting[0].basket.order_no not in numbers:
            buyer = self._waiting.popleft()
            if not buyer.kept.done():
                buyers.append(buyer)
                numbers |= {buyer.basket.order_no} - {NOBODY}
        return buyers

    async def _attempt(self, buyers: Sequence[Buyer]) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                found = await self._work(self._house, [(buyer.basket, buyer.lasts) for buyer in buyers])
        except DATABASE_ERRORS as error:
            for buyer in buyers:
                if not buyer.kept.done():
                    buyer.kept.set_exception(error)
            return
        for buyer, kept in zip(buyers, found, strict=True):
            if not buyer.kept.done():
                buyer.kept.set_result(kept)


class Desks:
    """Where questions are answered, and where reservations are made: those wait for locks, these must not."""

    def __init__(self, house: House) -> None:
        self._questions, self._reservations = Desk(house, look_together), Desk(house, reserve_together)

    async def ask(self, basket: Basket, lasts: timedelta) -> Kept:
        """See `Desk.ask`."""
        return await (self._reservations if lasts else self._questions).ask(basket, lasts)

    async def close(self) -> None:
        """Serve who waits."""
        await self._questions.close()
        await self._reservations.close()
