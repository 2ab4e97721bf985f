"""Feishu's custom bot: the token in the path, the signature in the body, the outcome in code."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sim.config import RobotLimits
from sim.replies import Unreadable, read_object
from sim.systems.robots import Refusal, Robot
from sim.world import World

WINDOW = 3600  # real seconds
MOST_BYTES = 20 * 1024
LIMITS = RobotLimits(per_minute=100, mute_seconds=0.0, per_second=5)
TOO_FAST = Refusal(11232, "frequency limited")


def sign(timestamp: str, secret: str) -> str:
    """Over nothing at all: timestamp and secret are the key."""
    digest = hmac.new(f"{timestamp}\n{secret}".encode(), digestmod=hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class FeishuGate:
    def __init__(self, world: World) -> None:
        self._keys = world.config.secrets.feishu
        self.robot = Robot(world, "feishu", LIMITS, TOO_FAST, answer)

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/feishu/open-apis/bot/v2/hook/{token}", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        def read(raw: bytes) -> dict[str, Any]:
            if not hmac.compare_digest(request.match_info["token"].encode(), self._keys.token.encode()):
                raise Refusal(19001, "param invalid: incoming webhook access token invalid")
            body = read_message(raw)
            self._check(body)
            return body

        return await self.robot.take(request, read)

    def _check(self, body: Mapping[str, Any]) -> None:
        timestamp, given = body.get("timestamp"), body.get("sign")
        if not isinstance(timestamp, str) or not timestamp.isdigit() or not isinstance(given, str):
            raise Refusal(19021, "sign match fail or timestamp is not within one hour from current time")
        right = hmac.compare_digest(given.encode(), sign(timestamp, self._keys.secret).encode())
        if not right or abs(time.time() - int(timestamp)) > WINDOW:
            raise Refusal(19021, "sign match fail or timestamp is not within one hour from current time")


def answer(code: int, message: str) -> dict[str, Any]:
    if code:
        return {"code": code, "msg": message, "data": {}}
    return {"StatusCode": 0, "StatusMessage": "success", "code": 0, "msg": "success", "data": {}}


def read_message(raw: bytes) -> dict[str, Any]:
    if len(raw) > MOST_BYTES:
        raise Refusal(9499, "Bad Request: body is too large")
    try:
        body = read_object(raw)
    except Unreadable as error:
        raise Refusal(9499, "Bad Request") from error
    readable = {"text": _is_text, "interactive": _is_card}.get(str(body.get("msg_type")))
    if readable is None or not readable(body):
        raise Refusal(9499, "Bad Request: msg_type or its content")
    return body


def _is_text(body: Mapping[str, Any]) -> bool:
    content = body.get("content")
    return isinstance(content, dict) and isinstance(content.get("text"), str) and bool(content["text"])


def _is_card(body: Mapping[str, Any]) -> bool:
    """A header with a plain title, and divisions of lark_md or plain text."""
    try:
        title, elements = body["card"]["header"]["title"], body["card"]["elements"]
        texts = [element["text"] for element in elements if element["tag"] == "div"]
        named = title["tag"] == "plain_text" and bool(title["content"])
        said = all(text["tag"] in ("lark_md", "plain_text") and isinstance(text["content"], str) for text in texts)
    except (KeyError, TypeError):
        return False
    return named and said and bool(texts)
