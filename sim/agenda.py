"""What will happen when: one heap over business time and one timer, however many orders there are."""

import asyncio
import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import TypeAlias

from sim.clock import SetClock, WorldClock
from sim.records import Order

GRAIN = 0.01  # real seconds; what is due within it happens together, which saves waking up for each event
BURST = 200  # events per turn of the loop, so that requests are served in between

Happening: TypeAlias = Callable[[float], None]


class Agenda:
    def __init__(self, clock: WorldClock | SetClock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Order | None, Happening]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_for = math.inf

    def add(self, due: float, order: Order | None, happen: Happening) -> None:
        """`happen` is called at that business time with that time, not with the (later) moment of the call."""
        if order is not None:
            order.open += 1
        heapq.heappush(self._heap, (due, next(self._numbers), order, happen))
        if due < self._wakes_for:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wakes_for = None, math.inf
        if self._heap:
            self._wakes_for = self._heap[0][0]
            delay = max(GRAIN, self._clock.real_delay(self._wakes_for))
            if not math.isinf(delay):
                self._timer = asyncio.get_running_loop().call_later(delay, self._run_due)

    def look_again(self) -> None:
        """The clock was set: something may be due now."""
        self._set_timer()

    def _run_due(self) -> None:
        self._wakes_for = -math.inf  # no timers for what is added meanwhile
        now = self._clock.now()
        try:
            for _ in range(BURST):
                if not self._heap or self._heap[0][0] > now:
                    break
                self._run_first()
        finally:
            self._set_timer()

    def _run_first(self) -> None:
        due, _, order, happen = heapq.heappop(self._heap)
        try:
            happen(due)
        finally:
            if order is not None:
                order.open -= 1

    def stop(self) -> None:
        self._heap.clear()
        self._set_timer()
