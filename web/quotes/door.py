"""Answers what a shop asks: `POST /quote`, `POST /orders/check`. For whoever has the key; stock and contract prices
are nobody else's business.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotUnderstood
from adapters.storefronts.direct.questions import read_check, read_question
from ballast.db.engine import DATABASE_ERRORS
from ballast.door import check
from ballast.quoting import answer
from ballast.wiring import House
from web.answers import not_now, read_json, refuse, refuse_strangers, say
from web.gate import Bearer
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
            refuse_strangers(self._bearer, request, "BALLAST_QUOTE_KEY")
            async with self._bodies.read(request, body) as raw:
                asked = read_json(raw)
            async with asyncio.timeout(SECONDS):
                return say(200, await self._reply(self._house, asked))
        except Refusal as refusal:
            await body.drain()
            return refuse(refusal)
        except NotUnderstood as wrong:
            return say(400, {"error": str(wrong)})
        except DATABASE_ERRORS:
            return not_now()
