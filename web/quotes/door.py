"""Answers what a shop asks: `POST /quote`, `POST /orders/check`. For whoever has the key; stock and contract prices
are nobody else's business.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotUnderstood
from adapters.storefronts.direct.questions import read_check, read_question
from ballast.db.engine import DATABASE_ERRORS
from ballast.door import check
from ballast.quoting import answer
from ballast.wiring import House
from web.gate import Bearer, Shut
from web.hooks.body import Body, BodyReader
from web.hooks.refusals import Refusal
from web.quotes.desk import Desks

MOST_BYTES: Final = 128 * 1024
"""500 lines have 50 KB."""

SECONDS: Final = 3.0
"""Who asks for pieces waits for whoever works on the same stock, but not for long."""

Reply = Callable[[House, object], Awaitable[dict[str, Any]]]
"""From the JSON of a question to that of its answer. Raises `NotUnderstood`."""


async def quote_of(here: House, question: object) -> dict[str, Any]:
    """What an order would cost, and why."""
    return await answer(here, read_question(question))


def check_of(desks: Desks) -> Reply:
    """What of an order can be promised; with `reserve` it is kept."""

    async def reply(here: House, question: object) -> dict[str, Any]:
        return await check(here, read_check(question), desks.ask)

    return reply


class ShopDoor:
    """One question that shops ask, for one process."""

    def __init__(self, house: House, bearer: Bearer, reply: Reply) -> None:
        self._house, self._bearer, self._reply = house, bearer, reply
        self._bodies = BodyReader(most_bytes=MOST_BYTES)

    async def answer(self, request: Request) -> Response:
        """200 and the answer; 400 what is wrong with the question; 401 without the key, 429 for who guesses."""
        body = Body(request)
        try:
            self._refuse_strangers(request)
            async with self._bodies.read(request, body) as raw:
                asked = _read(raw)
            async with asyncio.timeout(SECONDS):
                return _json(200, await self._reply(self._house, asked))
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


def _read(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400, "the body is not JSON") from None


def _headers(refusal: Refusal) -> dict[str, str]:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    return headers | ({"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else {})


def _json(status: int, said: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(said), status, headers, media_type="application/json")
