"""JSON from outside: objects only, and nothing that the database could not keep."""

from typing import Any

import httpx
import orjson

from adapters.errors import NotUnderstood, OutsideError
from ballast.domain.words import System


def read_object(body: bytes, system: System) -> dict[str, Any]:
    """Decode one JSON object. Raises `NotUnderstood` for anything else.

    orjson refuses NaN, bad UTF-8, half surrogates and absurd depth. NUL it lets through, PostgreSQL does not: such a
    message would fail on every redelivery, so it is refused at the door.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise NotUnderstood(system, f"not JSON ({wrong.msg} at {wrong.pos})") from None
    if not isinstance(data, dict):
        raise NotUnderstood(system, f"JSON, but a {type(data).__name__} where an object belongs")
    if b"\\u0000" in body:
        raise NotUnderstood(system, "a NUL character in its text")
    return data


def reply_object(
    reply: httpx.Response, system: System, otherwise: type[OutsideError], *, order_no: str = ""
) -> dict[str, Any]:
    """The JSON object of a reply. Anything else (a proxy's HTML page) says nothing about the effect: `otherwise`."""
    try:
        return read_object(reply.content, system)
    except NotUnderstood as wrong:
        what = f"HTTP {reply.status_code} without a JSON reply: {wrong.what}"
        raise otherwise(system, what, order_no=order_no, code=str(reply.status_code)) from None
