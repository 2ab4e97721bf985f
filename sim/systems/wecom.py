"""WeCom's group robot: the key in the query is all there is of a signature; limits count bytes of the content."""

import hmac
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sim.config import RobotLimits
from sim.replies import Unreadable, read_object
from sim.systems.robots import Refusal, Robot
from sim.world import World

MOST_BYTES = {"text": 2048, "markdown": 4096}
LIMITS = RobotLimits(per_minute=20, mute_seconds=0.0)
TOO_FAST = Refusal(45009, "api freq out of limit")


class WecomGate:
    def __init__(self, world: World) -> None:
        self._key = world.config.secrets.wecom.key
        self.robot = Robot(world, "wecom", LIMITS, TOO_FAST, answer)

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/wecom/cgi-bin/webhook/send", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        def read(raw: bytes) -> dict[str, Any]:
            self._check(request.query)
            return read_message(raw)

        return await self.robot.take(request, read)

    def _check(self, query: Mapping[str, str]) -> None:
        if not hmac.compare_digest(query.get("key", "").encode(), self._key.encode()):
            raise Refusal(93000, "invalid webhook url")


def answer(code: int, message: str) -> dict[str, Any]:
    return {"errcode": code, "errmsg": message or "ok"}


def read_message(raw: bytes) -> dict[str, Any]:
    try:
        body = read_object(raw)
    except Unreadable as error:
        raise Refusal(40058, "invalid Request Parameter") from error
    kind = body.get("msgtype")
    if kind not in MOST_BYTES:
        raise Refusal(40008, "invalid message type")
    part = body.get(kind)
    content = part.get("content") if isinstance(part, dict) else None
    if not isinstance(content, str) or not content:
        raise Refusal(40058, f"missing {kind}.content")
    if len(content.encode()) > MOST_BYTES[kind]:
        raise Refusal(40058, f"{kind}.content exceed max length {MOST_BYTES[kind]}")
    return body
