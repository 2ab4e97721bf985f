"""The webhook door of those who race against Ballast: the same signatures and readers, and no framework around them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import uvicorn

from adapters.errors import OutsideError
from ballast.ports import Hook, HookAnswer, HookRequest, Message
from bench import asgi
from bench.asgi import Receive, Send

Take = Callable[[str, Sequence[Message]], Awaitable[None]]
"""Source and messages; returns once they are stored. Raises `NotTaken` when they have to be sent again."""

PREFIX = "/hooks/"


class NotTaken(Exception):
    """It cannot be stored yet: the sender has to send it again."""


class BareDoor:
    """An ASGI application: read the body, verify and decode it, have it taken, acknowledge."""

    def __init__(self, hooks: Mapping[str, Hook], take: Take) -> None:
        self._hooks, self._take = hooks, take

    async def __call__(self, scope: asgi.Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        await asgi.answer(send, answer.body, status=answer.status, media_type=answer.media_type)

    async def _answer(self, scope: asgi.Message, receive: Receive) -> HookAnswer:
        source = scope["path"].removeprefix(PREFIX)
        hook = self._hooks.get(source)
        if hook is None:
            return HookAnswer(status=200 if scope["path"] == "/ready" else 404, body=b"", media_type="text/plain")
        now = datetime.now(UTC)
        request = HookRequest(
            method=scope["method"],
            query=dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=await asgi.read_body(receive),
        )
        try:
            await self._take(source, hook.receive(request, now).messages)
        except NotTaken as error:
            return hook.refused(503, str(error), now)
        except OutsideError as error:
            return hook.refused(400, error.what, now)
        return hook.accepted(now)


async def serve(door: BareDoor, port: int) -> None:
    """Until SIGTERM."""
    config = uvicorn.Config(door, port=port, access_log=False, log_level="warning", lifespan="off", ws="none")
    await uvicorn.Server(config).serve()
