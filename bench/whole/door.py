"""The webhook door of those who race against Ballast: the same signatures and readers, and no framework around them."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

from adapters.errors import OutsideError
from ballast.ports import Hook, HookAnswer, HookRequest, Message

ASGI = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[ASGI]]
Send = Callable[[ASGI], Awaitable[None]]
Take = Callable[[str, Sequence[Message]], Awaitable[None]]
"""Source and messages; returns once they are stored. Raises `NotTaken` when they have to be sent again."""

PREFIX = "/hooks/"


class NotTaken(Exception):
    """It cannot be stored yet: the sender has to send it again."""


class BareDoor:
    """An ASGI application: read the body, verify and decode it, have it taken, acknowledge."""

    def __init__(self, hooks: Mapping[str, Hook], take: Take) -> None:
        self._hooks, self._take = hooks, take

    async def __call__(self, scope: ASGI, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        headers = [(b"content-type", answer.media_type.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: ASGI, receive: Receive) -> HookAnswer:
        source = scope["path"].removeprefix(PREFIX)
        hook = self._hooks.get(source)
        if hook is None:
            return HookAnswer(status=200 if scope["path"] == "/ready" else 404, body=b"", media_type="text/plain")
        now = datetime.now(UTC)
        request = HookRequest(
            method=scope["method"],
            query=dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=await _body(receive),
        )
        try:
            await self._take(source, hook.receive(request, now).messages)
        except NotTaken as error:
            return hook.refused(503, str(error), now)
        except OutsideError as error:
            return hook.refused(400, error.what, now)
        return hook.accepted(now)


async def _body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def serve(door: BareDoor, port: int) -> None:
    """Until SIGTERM."""
    config = uvicorn.Config(door, port=port, access_log=False, log_level="warning", lifespan="off", ws="none")
    await uvicorn.Server(config).serve()
