"""A process's part of the calls at once that a system allows all of them: drawn for many calls, a counter per call."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from socket import gethostname
from typing import Final

from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.call_limits import LEASE, OLD_SHAPE, Granted, share_slots
from ballast.db.engine import DATABASE_ERRORS

log = logging.getLogger("ballast.calls")

FRESH: Final = LEASE / 2
"""Seconds after the database was heard in which calls begin: those end, as a rule, before the lease does."""
RENEW: Final = 1.0
"""Seconds between two words to the database while nobody else calls this system; what is idle is given back then."""
YIELD: Final = 0.25
"""The same while others call it, too: so long one waits at most until another one hears that it has to share."""
SOON: Final = 0.03
"""Seconds between two words when more is wanted, was granted before, and could be granted again."""


class SharedSlots:
    """`await take()` before a call, `give_back()` after it.

    A keeper draws slots while there are calls, lets go of what others need, and gives back all when there are none.
    When the database does not answer, calls go on within the slots that are held, for `FRESH` seconds; then none
    begins. `excused()` tells whether somebody waits for our own limits and not for a slow system.
    """

    def __init__(
        self, engine: AsyncEngine, system: str, limit: int, excused: Callable[[float], bool] = lambda _since: False
    ) -> None:
        self._engine, self._system, self._limit, self._excused = engine, system, limit, excused
        self._owner = f"{gethostname()}:{os.getpid()}:{token_hex(4)}"
        self._slots = self._busy = 0
        self._fresh_until = 0.0
        self._line: deque[asyncio.Future[None]] = deque()
        self._peak, self._peak_before = 0, 0  # calls under way and waiting, in this second and the one before
        self._granted, self._booked = Granted(0, False), 0  # what we may use, and what is ours in the books
        self._more = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._trouble, self._closing = "", asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._line)

    async def take(self, patience: float) -> None:
        """Wait for a slot. Raises TimeoutError when none comes though it should have."""
        if not self._line and self._may_begin():
            self._begin()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        self._peak = max(self._peak, self._demand())
        self._ask()
        try:
            await self._wait(turn, patience)
        except BaseException:
            if turn in self._line:
                self._line.remove(turn)
            elif not turn.cancelled() and not turn.exception():
                self.give_back()  # its turn came while it left
            raise

    def give_back(self) -> None:
        self._busy -= 1
        self._hand_out()
        if self._owes():
            self._more.set()

    async def close(self) -> None:
        """Leave the rest to others now; what is under way has ended."""
        self._closing.set()
        self._more.set()
        if self._keeper is not None and not (await asyncio.wait([self._keeper], timeout=1.0))[0]:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._booked:
            with suppress(*DATABASE_ERRORS):  # then the lease ends by itself
                await share_slots(
                    self._engine, self._system, self._owner, limit=self._limit, holding=self._busy, wanted=0
                )

    def _demand(self) -> int:
        return self._busy + len(self._line)

    def _owes(self) -> bool:
        """Whether others could have something of what is still ours in the books."""
        return self._booked > max(self._busy, self._slots)

    def _may_begin(self) -> bool:
        return self._busy < self._slots and asyncio.get_running_loop().time() < self._fresh_until

    def _begin(self) -> None:
        self._busy += 1
        self._peak = max(self._peak, self._busy)

    def _hand_out(self) -> None:
        while self._line and self._may_begin():
            turn = self._line.popleft()
            if not turn.done():
                self._begin()
                turn.set_result(None)

    async def _wait(self, turn: asyncio.Future[None], patience: float) -> None:
        loop = asyncio.get_running_loop()
        impatient = loop.call_later(patience, self._complain, turn, patience, loop.time())
        try:
            await turn
        finally:
            impatient.cancel()

    def _complain(self, turn: asyncio.Future[None], patience: float, began: float) -> None:
        """A smaller share of the limit makes a longer line: then it is no slow system that one waits for."""
        if turn.done():
            return
        loop = asyncio.get_running_loop()
        smaller = self._limit / self._slots if self._slots else 1.0
        if self._trouble:
            turn.set_exception(TimeoutError(self._trouble))
        elif loop.time() - began >= patience * smaller and not self._excused(loop.time() - patience):
            turn.set_exception(TimeoutError("" if self._slots else "all calls that it allows are other processes'"))
        else:
            loop.call_later(patience, self._complain, turn, patience, began)

    # -- the keeper

    def _ask(self) -> None:
        if self._slots < self._limit:
            self._more.set()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        second = loop.time()
        while not self._closing.is_set():
            self._more.clear()
            if loop.time() - second >= RENEW:
                self._peak, self._peak_before, second = self._demand(), self._peak, loop.time()
            await self._settle()
            if not (self._slots or self._demand() or self._peak or self._peak_before):
                return
            await self._rest()

    async def _settle(self) -> None:
        """One word to the database and its answer."""
        asked_at = asyncio.get_running_loop().time()
        if asked_at >= self._fresh_until:
            self._slots = 0  # perhaps others have them now
        holding = max(self._busy, self._slots)
        wanted = min(self._limit, max(self._demand(), self._peak, self._peak_before))
        try:
            self._granted = await share_slots(
                self._engine, self._system, self._owner, limit=self._limit, holding=holding, wanted=wanted
            )
        except ProgrammingError:
            for turn in self._line:
                if not turn.done():
                    turn.set_exception(TimeoutError(OLD_SHAPE))
            return
        except DATABASE_ERRORS as lost:
            self._trouble = f"the database does not say how many calls are allowed ({type(lost).__name__})"
            log.warning("%s: %s, trying again", self._system, self._trouble)
            return
        self._trouble, self._slots = "", self._granted.slots
        self._booked = max(holding, self._slots)
        self._fresh_until = asked_at + FRESH
        self._hand_out()

    async def _rest(self) -> None:
        """Until there is something to say. More is asked for at once, unless less was granted than was wanted."""
        if self._trouble or (self._granted.slots < min(self._limit, self._demand()) and not self._owes()):
            pause = longest = YIELD
        else:
            pause, longest = SOON, YIELD if self._granted.others else RENEW
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._closing.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(longest - pause):
                await self._more.wait()
