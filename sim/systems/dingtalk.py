"""DingTalk's group robot: a signed message in, HTTP 200 out, the outcome in errcode."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sim.replies import Unreadable, read_object
from sim.systems.robots import Refusal, Robot
from sim.world import World

WINDOW = 3600.0  # real seconds
MAX_BYTES = 20_000
TEXT_OF = {"text": "content", "markdown": "text"}
TOO_FAST = Refusal(130101, "send too fast, exceed 20 times per minute")


def sign(timestamp: str, secret: str) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class DingtalkGate:
    def __init__(self, world: World) -> None:
        self._keys = world.config.secrets.dingtalk
        self.robot = Robot(world, "dingtalk", world.config.robot, TOO_FAST, answer)

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/dingtalk/robot/send", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        def read(raw: bytes) -> dict[str, Any]:
            self._check(request.query)
            return read_message(raw)

        return await self.robot.take(request, read)

    def _check(self, query: Mapping[str, str]) -> None:
        if query.get("access_token") != self._keys.access_token:
            raise Refusal(300005, "token is not exist")
        timestamp = query.get("timestamp", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp) / 1000) > WINDOW:
            raise Refusal(310000, "invalid timestamp")
        if not hmac.compare_digest(query.get("sign", "").encode(), sign(timestamp, self._keys.secret).encode()):
            raise Refusal(310000, "sign not match")


def answer(code: int, message: str) -> dict[str, Any]:
    return {"errcode": code, "errmsg": message or "ok"}


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
