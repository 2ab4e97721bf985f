"""Every call that reaches a system, as its gate counts it: how many at once, how many in a second."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web

from sim.faults import SYSTEMS

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
SECOND = 1.0


@dataclass(slots=True)
class Counted:
    """Calls of one system. Under way: taken, neither answered nor left by its caller."""

    calls: int = 0
    most_at_once: int = 0
    most_in_a_second: int = 0
    under_way: dict[int, web.Request] = field(default_factory=dict)  # by their id: requests have no hash
    latest: deque[float] = field(default_factory=deque)  # of the last second

    def arrive(self, request: web.Request, now: float) -> None:
        self.calls += 1
        self.under_way[id(request)] = request
        if len(self.under_way) > self.most_at_once:
            self.under_way = {key: one for key, one in self.under_way.items() if one is request or is_there(one)}
            self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.latest.append(now)
        while self.latest[0] <= now - SECOND:
            self.latest.popleft()
        self.most_in_a_second = max(self.most_in_a_second, len(self.latest))

    def tell(self) -> dict[str, int]:
        return {
            "calls": self.calls,
            "under_way": sum(is_there(one) for one in self.under_way.values()),
            "most_at_once": self.most_at_once,
            "most_in_a_second": self.most_in_a_second,
        }


def is_there(request: web.Request) -> bool:
    """Whether its caller still waits."""
    return request.transport is not None and not request.transport.is_closing()


class Traffic:
    """Counts from its beginning, or from the last `begin_anew`, on; what is under way then counts on."""

    def __init__(self) -> None:
        self._systems = {system: Counted() for system in SYSTEMS}

    @web.middleware
    async def count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        counted = self._systems.get(request.path.split("/", 2)[1])
        if counted is None:
            return await handler(request)
        counted.arrive(request, time.monotonic())
        try:
            return await handler(request)
        finally:
            self._systems[request.path.split("/", 2)[1]].under_way.pop(id(request), None)

    def begin_anew(self) -> None:
        for system, counted in self._systems.items():
            self._systems[system] = Counted(under_way=counted.under_way)

    def tell(self) -> dict[str, dict[str, int]]:
        """Systems that were called at all."""
        return {system: counted.tell() for system, counted in self._systems.items() if counted.calls}
