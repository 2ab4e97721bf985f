"""How the doors that shops call answer: JSON, kept by nobody on the way, and the same words for who has no key."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from web.gate import Bearer, Shut
from web.hooks.refusals import Refusal


def refuse_strangers(bearer: Bearer, request: Request, setting: str) -> None:
    """Raises `Refusal` for whoever does not show the key of `setting`, or has guessed too often."""
    try:
        bearer.admit(request)
    except Shut as shut:
        if shut.why == "busy":
            raise Refusal(429, "too many wrong keys", retry_after=shut.pause) from None
        raise Refusal(401, f"this needs the key of {setting}") from None


def read_json(raw: bytes) -> object:
    """What a body says. Raises `Refusal`."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400, "the body is not JSON") from None


def say(status: int, what: object, headers: dict[str, str] | None = None) -> Response:
    """An answer."""
    kept: dict[str, Any] = {"Cache-Control": "no-store"} | (headers or {})
    return Response(orjson.dumps(what), status, kept, media_type="application/json")


def refuse(refusal: Refusal) -> Response:
    """Why there is none."""
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    pause = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else {}
    return say(refusal.status, {"error": refusal.why}, headers | pause)


def not_now() -> Response:
    """The database is not there, or busy."""
    return say(503, {"error": "the database did not answer, ask again"}, {"Retry-After": "1"})
