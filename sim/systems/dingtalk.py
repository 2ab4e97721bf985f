"""DingTalk's group robot: a signed message in, HTTP 200 out, the outcome in errcode."""

import base64
import hashlib
import hmac
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sim.config import RobotLimits
from sim.faults import Call
from sim.replies import Unreadable, answer_json, read_object
from sim.world import World

WINDOW = 3600.0  # real seconds
MAX_BYTES = 20_000
TEXT_OF = {"text": "content", "markdown": "text"}


class Refusal(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def sign(timestamp: str, secret: str) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class DingtalkGate:
    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = world.config.secrets.dingtalk
        self.limits: RobotLimits = world.config.robot
        self._recent: deque[float] = deque()
        self._muted_until = 0.0
        self.messages: list[dict[str, Any]] = []

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/dingtalk/robot/send", self.handle)

    def set_limits(self, limits: RobotLimits) -> None:
        self.limits = limits
        self._muted_until = 0.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._world.tally.requests["dingtalk"] += 1
        raw = await request.read()
        try:
            self._check(request.query)
            body = read_message(raw)
        except Refusal as refusal:
            return answer_json({"errcode": refusal.code, "errmsg": refusal.message})
        call = Call("dingtalk", "send", hashlib.sha256(raw).hexdigest(), effect=True)
        return await self._world.faults.serve(request, call, lambda real: self._act(body, real))

    def _check(self, query: Mapping[str, str]) -> None:
        if query.get("access_token") != self._keys.access_token:
            raise Refusal(300005, "token is not exist")
        timestamp = query.get("timestamp", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp) / 1000) > WINDOW:
            raise Refusal(310000, "invalid timestamp")
        if not hmac.compare_digest(query.get("sign", "").encode(), sign(timestamp, self._keys.secret).encode()):
            raise Refusal(310000, "sign not match")

    def _act(self, body: dict[str, Any], real: bool) -> web.Response:
        try:
            self._check_pace(time.time())
        except Refusal as refusal:
            return answer_json({"errcode": refusal.code, "errmsg": refusal.message})
        if real:
            self._world.tally.effect("robot_message")
            self.messages.append({"received_at_real": time.time(), "message": body})
        return answer_json({"errcode": 0, "errmsg": "ok"})

    def _check_pace(self, now: float) -> None:
        """Above the limit the robot falls silent for a while, and every message meanwhile is refused."""
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        if now >= self._muted_until and len(self._recent) >= self.limits.per_minute:
            self._muted_until = now + self.limits.mute_seconds
        if now < self._muted_until:
            self._world.tally.repeat("robot_muted")
            raise Refusal(130101, "send too fast, exceed 20 times per minute")
        self._recent.append(now)


def read_message(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise Refusal(400106, "request body is too large")
    try:
        body = read_object(raw)
    except Unreadable as error:
        raise Refusal(400101, "message format error") from error
    kind = body.get("msgtype")
    part = body.get(kind) if isinstance(kind, str) else None
    if kind not in TEXT_OF or not isinstance(part, dict) or not part.get(TEXT_OF[kind]):
        raise Refusal(400102, "msgtype or its content is missing")
    if kind == "markdown" and not part.get("title"):
        raise Refusal(400103, "markdown title is missing")
    return body
