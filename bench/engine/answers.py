"""The server that answers at once: any POST is an effect, named by `order` and `step` of its JSON, and is counted."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

Message = MutableMapping[str, Any]
_ANSWER = b'{"ok":true,"id":"X1"}'
_effects: set[tuple[str, str]] = set()
_calls = [0]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """An ASGI application without a framework: what it costs is no contestant's."""
    if scope["type"] != "http":
        return
    answer = _ANSWER
    if scope["method"] == "POST":
        asked = orjson.loads(await _body(receive))
        _effects.add((asked["order"], asked["step"]))
        _calls[0] += 1
    elif scope["path"] == "/forget":
        _effects.clear()
        _calls[0] = 0
    else:
        answer = orjson.dumps({"calls": _calls[0], "effects": len(_effects)})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body
