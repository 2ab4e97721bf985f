"""Reservations that are asked for within the same few milliseconds are made together, in one transaction.

A thousand buyers of one article would else wait for its row one after the other, each with a connection in hand.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ballast.db.engine import DATABASE_ERRORS
from ballast.domain.promising import Basket
from ballast.door import Kept, reserve_together
from ballast.wiring import House

GATHER: Final = 0.005  # seconds; waiting for company
MOST_AT_ONCE: Final = 200
SECONDS: Final = 2.5
"""For one transaction, less than a shop waits: who works on the same stock may take that long."""


@dataclass(slots=True, eq=False)
class Buyer:
    """One request that waits for its pieces."""

    basket: Basket
    lasts: timedelta
    kept: asyncio.Future[Kept]


class Desk:
    """The reservations of one process, first come, first served. A clerk works while somebody waits."""

    def __init__(self, house: House, *, gather: float = GATHER) -> None:
        self._house, self._gather = house, gather
        self._waiting: deque[Buyer] = deque()
        self._clerk: asyncio.Task[None] | None = None

    async def reserve(self, basket: Basket, lasts: timedelta) -> Kept:
        """Returns once it is committed. Raises what the database throws (`DATABASE_ERRORS`)."""
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
        buyers: dict[str, Buyer] = {}
        while self._waiting and len(buyers) < MOST_AT_ONCE and self._waiting[0].basket.order_no not in buyers:
            buyer = self._waiting.popleft()
            if not buyer.kept.done():
                buyers[buyer.basket.order_no] = buyer
        return list(buyers.values())

    async def _attempt(self, buyers: Sequence[Buyer]) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                found = await reserve_together(self._house, [(buyer.basket, buyer.lasts) for buyer in buyers])
        except DATABASE_ERRORS as error:
            for buyer in buyers:
                if not buyer.kept.done():
                    buyer.kept.set_exception(error)
            return
        for buyer, kept in zip(buyers, found, strict=True):
            if not buyer.kept.done():
                buyer.kept.set_result(kept)
