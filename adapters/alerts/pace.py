"""A robot's own limits, kept before it falls silent. What the settings allow is kept by whoever sends, in the books."""

import asyncio
from collections import deque
from datetime import datetime

from adapters.errors import Throttled
from ballast.clock import Clock
from ballast.domain.words import System

MINUTE = 60.0
SECOND = 1.0


class Pace:
    """Limits of one robot in this process, each (messages, seconds), the longest first."""

    def __init__(self, system: System, clock: Clock, *limits: tuple[int, float]) -> None:
        self._system, self._clock = system, clock
        self._limits = [(deque[float](maxlen=most), seconds) for most, seconds in limits]

    async def take_turn(self) -> datetime:
        """Now, counted as a message; the end of a second is waited for.

        Raises `Throttled`, and counts nothing, when it would take longer until the robot may be told again.
        """
        for sent, seconds in self._limits:
            while len(sent) == sent.maxlen and (left := sent[0] + seconds - self._now()) > 0:
                if left > SECOND:
                    what = f"{len(sent)} messages in the last {seconds:g} s; merge what waits"
                    raise Throttled(self._system, what, seconds=left)
                await asyncio.sleep(left)
        moment = self._clock.machine_now()
        for sent, _ in self._limits:
            sent.append(moment.timestamp())
        return moment

    def _now(self) -> float:
        return self._clock.machine_now().timestamp()
