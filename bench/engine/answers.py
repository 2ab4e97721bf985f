"""The server that answers at once: any POST is an effect, named by `order` and `step` of its JSON, and is counted."""

import orjson

from bench.asgi import Message, Receive, Send, answer, read_body

_ANSWER = b'{"ok":true,"id":"X1"}'
_effects: set[tuple[str, str]] = set()
_calls = [0]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Counts and answers."""
    if scope["type"] != "http":
        return
    said = _ANSWER
    if scope["method"] == "POST":
        asked = orjson.loads(await read_body(receive))
        _effects.add((asked["order"], asked["step"]))
        _calls[0] += 1
    elif scope["path"] == "/forget":
        _effects.clear()
        _calls[0] = 0
    else:
        said = orjson.dumps({"calls": _calls[0], "effects": len(_effects)})
    await answer(send, said)
