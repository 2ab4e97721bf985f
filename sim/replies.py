"""Small answers every system gives."""

from typing import Any

import orjson
from aiohttp import web


def answer_json(data: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json", charset="utf-8")


def answer_xml(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="text/xml", charset="utf-8")


class Unreadable(ValueError):
    """The body is not a JSON object."""


def read_object(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(str(error)) from error
    if not isinstance(data, dict):
        raise Unreadable("not an object")
    return data
