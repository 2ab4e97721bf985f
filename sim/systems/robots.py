"""What the group robots have in common: how fast they may be told, how they fall silent, what they remember."""

import hashlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from sim.config import RobotLimits
from sim.faults import Call
from sim.replies import answer_json
from sim.world import World


class Refusal(Exception):
    """What a robot says instead of yes."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Robot:
    """One robot. `answer(code, message)` is a reply in the words of its vendor; 0 means yes."""

    def __init__(
        self,
        world: World,
        system: str,
        limits: RobotLimits,
        too_fast: Refusal,
        answer: Callable[[int, str], dict[str, Any]],
    ) -> None:
        self._world, self._system = world, system
        self.limits = limits
        self.refuse = 0
        self._too_fast, self._answer = too_fast, answer
        self._recent: deque[float] = deque()
        self._muted_until = 0.0
        self.messages: list[dict[str, Any]] = []
        self._latest: dict[str, Any] | None = None  # the message that the present request brought, if any

    def command(self, order: dict[str, Any]) -> None:
        """`refuse`: an error code for everything from now on, 0 for none; the rest are limits. Ends a mute."""
        fields = dict(order)
        refuse = int(fields.pop("refuse", self.refuse))
        self.limits, self.refuse = replace(self.limits, **fields), refuse
        self._muted_until = 0.0

    async def take(self, request: web.Request, read: Callable[[bytes], dict[str, Any]]) -> web.StreamResponse:
        """`read` checks the request and gives its message, or raises `Refusal`."""
        self._world.tally.requests[self._system] += 1
        raw = await request.read()
        try:
            body = read(raw)
        except Refusal as refusal:
            return answer_json(self._answer(refusal.code, refusal.message))
        call = Call(self._system, "send", hashlib.sha256(raw).hexdigest(), effect=True)
        return await self._world.faults.serve(
            request, call, lambda real: self._act(body, real), unanswered=self._note_silence
        )

    def _act(self, body: dict[str, Any], real: bool) -> web.Response:
        self._latest = None
        try:
            self._check_pace(time.time())
        except Refusal as refusal:
            return answer_json(self._answer(refusal.code, refusal.message))
        if real:
            self._world.tally.effect("robot_message")
            self._latest = {"received_at_real": time.time(), "message": body, "answered": True}
            self.messages.append(self._latest)
        return answer_json(self._answer(0, ""))

    def _note_silence(self) -> None:
        """The message was taken, and whoever sent it will not hear of it."""
        if self._latest is not None:
            self._latest["answered"] = False
            self._world.tally.effect("robot_unanswered")

    def _check_pace(self, now: float) -> None:
        """Above the limit the robot falls silent for a while, and every message meanwhile is refused."""
        if self.refuse:
            raise Refusal(self.refuse, "refused on command")
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        in_a_second = sum(1 for sent in self._recent if sent > now - 1)
        too_fast = len(self._recent) >= self.limits.per_minute or in_a_second >= self.limits.per_second
        if too_fast and now >= self._muted_until:
            self._muted_until = now + self.limits.mute_seconds
        if too_fast or now < self._muted_until:
            self._world.tally.repeat("robot_muted")
            raise self._too_fast
        self._recent.append(now)
