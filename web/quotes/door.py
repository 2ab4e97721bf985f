"""Answers `POST /quote`, for whoever has the key. Contract prices are nobody else's business."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotUnderstood
from adapters.signing import same
from adapters.storefronts.direct.questions import AskedQuote, read_question
from ballast.db.customers import find_customer
from ballast.db.engine import DATABASE_ERRORS
from ballast.domain.rules.prices import Wanted
from ballast.rules.appraisal import Question, appraise
from ballast.rules.quotes import quote_of
from ballast.wiring import House
from web.bounds import per_minute, sender_of
from web.hooks.body import Body, BodyReader
from web.hooks.refusals import Refusal

MOST_BYTES = 128 * 1024
"""500 lines have 50 KB."""


class QuoteDoor:
    """The quotes of one process."""

    def __init__(self, house: House, key: str) -> None:
        self._house, self._key = house, key
        self._bodies = BodyReader(most_bytes=MOST_BYTES)
        limits = house.settings.limits
        self._wrong = per_minute(limits.wrong_keys_per_minute, limits.senders)

    async def answer(self, request: Request) -> Response:
        """200 and the quote; 400 what is wrong with the question; 401 without the key, 429 for who guesses."""
        body = Body(request)
        try:
            self._admit(request)
            async with self._bodies.read(request, body) as raw:
                asked = _read(raw)
            return _json(200, await self._quote(asked))
        except Refusal as refusal:
            await body.drain()
            return _json(refusal.status, {"error": refusal.why}, _headers(refusal))
        except NotUnderstood as wrong:
            return _json(400, {"error": str(wrong)})
        except DATABASE_ERRORS:
            return _json(503, {"error": "the database did not answer, ask again"}, {"Retry-After": "1"})

    def _admit(self, request: Request) -> None:
        wrong, now = self._wrong.of(sender_of(request)), self._house.clock.machine_now()
        if not wrong.has(now):
            raise Refusal(429, "too many wrong keys", retry_after=wrong.pause)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same(self._key, given.strip()):
            return
        wrong.take(now)
        raise Refusal(401, "this needs the key of BALLAST_QUOTE_KEY")

    async def _quote(self, asked: AskedQuote) -> dict[str, object]:
        async with self._house.transaction() as tx:
            now = self._house.clock.now()
            rules = await self._house.rules.current(tx, now)
            known = await find_customer(tx, asked.customer) if asked.customer else None
        question = Question(
            lines=[
                Wanted(line_no=line.line_no or place, sku=line.sku, quantity=line.quantity, own_price=line.unit_price)
                for place, line in enumerate(asked.lines, 1)
            ],
            at=asked.at or now, currency=asked.currency, freight=asked.freight, channel=asked.channel,
            customer=asked.customer, tier=asked.tier if asked.tier is not None else known.tier if known else "",
            first_order=asked.first_order if asked.first_order is not None else known is None,
            coupons=tuple(asked.coupons), province=asked.province, city=asked.city,
        )  # fmt: skip
        return quote_of(rules, question, appraise(rules, question, explain=asked.explain), explain=asked.explain)


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
