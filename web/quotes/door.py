"""Answers `POST /quote`, for whoever has the key. Contract prices are nobody else's business."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotUnderstood
from adapters.storefronts.direct.questions import AskedQuote, read_question
from ballast.db.engine import DATABASE_ERRORS
from ballast.quoting import answer
from ballast.wiring import House
from web.gate import Bearer, Shut
from web.hooks.body import Body, BodyReader
from web.hooks.refusals import Refusal

MOST_BYTES = 128 * 1024
"""500 lines have 50 KB."""


class QuoteDoor:
    """The quotes of one process."""

    def __init__(self, house: House, key: str) -> None:
        self._house, self._bodies = house, BodyReader(most_bytes=MOST_BYTES)
        self._bearer = Bearer(key, house.settings.limits, house.clock)

    async def answer(self, request: Request) -> Response:
        """200 and the quote; 400 what is wrong with the question; 401 without the key, 429 for who guesses."""
        body = Body(request)
        try:
            self._refuse_strangers(request)
            async with self._bodies.read(request, body) as raw:
                asked = _read(raw)
            return _json(200, await answer(self._house, asked))
        except Refusal as refusal:
            await body.drain()
            return _json(refusal.status, {"error": refusal.why}, _headers(refusal))
        except NotUnderstood as wrong:
            return _json(400, {"error": str(wrong)})
        except DATABASE_ERRORS:
            return _json(503, {"error": "the database did not answer, ask again"}, {"Retry-After": "1"})

    def _refuse_strangers(self, request: Request) -> None:
        try:
            self._bearer.admit(request)
        except Shut as shut:
            if shut.why == "busy":
                raise Refusal(429, "too many wrong keys", retry_after=shut.pause) from None
            raise Refusal(401, "this needs the key of BALLAST_QUOTE_KEY") from None


def _read(raw: bytes) -> AskedQuote:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400, "the body is not JSON") from None
    return read_question(data)


def _headers(refusal: Refusal) -> dict[str, str]:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    return headers | ({"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else {})


def _json(status: int, said: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(said), status, headers, media_type="application/json")
