"""Calls a second over all processes: each reserves the moments of its next calls on one time line, several at once."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.call_limits import OLD_SHAPE, Reserved, reserve
from ballast.db.engine import DATABASE_ERRORS

log = logging.getLogger("ballast.calls")

SLACK: Final = 0.1
"""Seconds that calls may arrive later than reserved before a sliding second could hold one too many."""
LATE: Final = 0.07
"""What of it is ours: a moment missed by more is not used. The rest is the network's, and our clock's error."""
MOST_MISSED: Final = 3
"""After so many reservations in a row that were all missed, one is used however late: who is so slow is no danger."""
AHEAD: Final = 0.25
"""Seconds of the time line that are reserved together at most: what is reserved and not needed, nobody can use."""
PAUSE: Final = 0.2
DRIFT: Final = 0.001
"""How fast our and the database's clock may part, at most."""


class SharedPace:
    """`await set_out()` before each attempt. `more()`: how many calls are about to come.

    Moments lie evenly, so that no sliding second holds more than `per_second`; below one a second, no sliding
    1 / `per_second` seconds more than one.
    """

    def __init__(self, engine: AsyncEngine, system: str, per_second: float, more: Callable[[], int]) -> None:
        self._engine, self._system, self._more = engine, system, more
        span = max(1.0, 1 / per_second)
        self._gap = (span + SLACK) / (span * per_second)
        self._line: deque[asyncio.Future[None]] = deque()
        self._moments: deque[float] = deque()  # reserved, by our loop's time
        self._missed = 0  # reservations since the last one that was of use
        self._apart = Apart()
        self._lead = 0.0
        self._held_back_at = float("-inf")
        self._pump: asyncio.Task[None] | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._trouble = ""

    def held_back(self, since: float) -> bool:
        """Whether a call has waited for its moment after `since`, by the loop's time."""
        return self._held_back_at >= since

    async def set_out(self, patience: float) -> None:
        """Wait for a moment of one's own. Raises TimeoutError when the database gives none."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._let_out())
        try:
            while not (await asyncio.wait({turn}, timeout=patience))[0]:
                if self._trouble or self._pump.done():
                    raise TimeoutError(self._trouble or "nobody lets calls out")
            turn.result()
        except BaseException:
            turn.cancel()
            raise

    async def close(self) -> None:
        working = {task for task in (self._pump, self._drawing) if task is not None}
        if working and (late := (await asyncio.wait(working, timeout=1.0))[1]):
            for task in late:
                task.cancel()
            await asyncio.wait(late)

    async def _let_out(self) -> None:
        """Let one out at each moment, as long as somebody waits."""
        loop = asyncio.get_running_loop()
        while self._next():
            if self._runs_short() and (self._drawing is None or self._drawing.done()):
                self._drawing = asyncio.create_task(self._draw())
            if not self._moments:
                assert self._drawing is not None  # none left is short
                await self._drawing
                continue
            moment = self._moments.popleft()
            if (left := moment - loop.time()) > 0:
                self._held_back_at = moment
                await asyncio.sleep(left)
            if loop.time() - moment > LATE and self._missed <= MOST_MISSED:
                continue
            if self._next():
                self._missed = 0
                self._line.popleft().set_result(None)

    def _runs_short(self) -> bool:
        """Whether more has to be reserved, in time for the answer to come before the last moment has passed."""
        left = len(self._moments)
        return len(self._line) + self._more() > left and left * self._gap <= 2 * self._lead

    def _next(self) -> bool:
        """Whether somebody waits; who has left is left out."""
        while self._line and self._line[0].done():
            self._line.popleft()
        return bool(self._line)

    async def _draw(self) -> None:
        """Reserve moments for all who wait and are about to come."""
        loop = asyncio.get_running_loop()
        missing = len(self._line) + self._more() - len(self._moments)
        count = max(1, min(missing, int(AHEAD / self._gap)))
        asked_at = loop.time()
        try:
            found = await reserve(self._engine, self._system, seconds=count * self._gap, lead=self._lead)
        except ProgrammingError:
            while self._next():
                self._line.popleft().set_exception(TimeoutError(OLD_SHAPE))
            return
        except DATABASE_ERRORS as lost:
            self._trouble = f"the database does not say when calls may leave ({type(lost).__name__})"
            log.warning("%s: %s, trying again", self._system, self._trouble)
            await asyncio.sleep(PAUSE)
            return
        self._trouble, heard_at = "", loop.time()
        self._missed += 1
        self._lead = min(AHEAD, heard_at - asked_at)
        begins = self._apart.here(found, asked_at, heard_at)
        self._moments.extend(begins + number * self._gap for number in range(count))


class Apart:
    """How far our loop's time is from the database's, known from questions and answers; the best one counts."""

    def __init__(self) -> None:
        self._apart, self._error, self._known_at = 0.0, float("inf"), 0.0

    def here(self, found: Reserved, asked_at: float, heard_at: float) -> float:
        """When the reserved time begins, by our loop's time."""
        apart, error = (asked_at + heard_at) / 2 - found.now, (heard_at - asked_at) / 2
        known = self._error + DRIFT * (heard_at - self._known_at)
        if error <= known or abs(apart - self._apart) > error + known:  # better, or one of the clocks was set
            self._apart, self._error, self._known_at = apart, error, heard_at
        return found.begins + self._apart
