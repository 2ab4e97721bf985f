"""How fast a robot may be told, kept before it falls silent."""

from collections import deque
from datetime import datetime

from adapters.errors import Throttled
from ballast.clock import Clock
from ballast.domain.words import System

MINUTE = 60.0
SECOND = 1.0


class Pace:
    """Limits of one robot in this process, each (messages, seconds). Over all processes their owner keeps them."""

    def __init__(self, system: System, clock: Clock, *limits: tuple[int, float]) -> None:
        self._system, self._clock = system, clock
        self._limits = [(deque[float](maxlen=most), seconds) for most, seconds in limits]

    def take_turn(self) -> datetime:
        """Now, counted as a message. Raises `Throttled`, and counts nothing, before the robot would go mute."""
        moment = self._clock.machine_now()
        now = moment.timestamp()
        for sent, seconds in self._limits:
            if len(sent) == sent.maxlen and now - sent[0] < seconds:
                what = f"{len(sent)} messages in the last {seconds:g} s; merge what waits"
                raise Throttled(self._system, what, seconds=seconds - (now - sent[0]))
        for sent, _ in self._limits:
            sent.append(now)
        return moment
