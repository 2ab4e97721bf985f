"""The way of one webhook: bounded, read, verified, stored, and only then acknowledged."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.errors import BadSignature, NotUnderstood
from ballast.clock import Clock
from ballast.ports import Delivery, Hook, HookAnswer, HookRequest, Message
from web.hooks.body import Body, BodyReader
from web.hooks.bounds import TokenBucket
from web.hooks.collector import Collector, NotStored, Unstorable
from web.hooks.refusals import Refusal, RefusalLog

log = logging.getLogger(__name__)

PER_SECOND: Final = 500.0
BURST: Final = 2000.0
LONGEST_EVENT_ID: Final = 1000  # bytes; the unique index has room for 2,700
LONGEST_ORDER_NO: Final = 100

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a hostile body may raise inside a reader that did not foresee it: refused like any other, and told to us."""


class Door:
    """Answers `/hooks/{source}`. One bucket and one line of refusals per source."""

    def __init__(self, hooks: Mapping[str, Hook], collector: Collector, clock: Clock) -> None:
        self._hooks, self._collector, self._clock = hooks, collector, clock
        self._buckets = {source: TokenBucket(PER_SECOND, BURST) for source in hooks}
        self._bodies, self._refusals = BodyReader(), RefusalLog()

    async def answer(self, request: Request) -> Response:
        """Never 500, whatever was sent. Acknowledged means committed."""
        source = request.path_params["source"]
        hook = self._hooks.get(source)
        if hook is None:
            return JSONResponse({"error": "no such source, or it is not configured"}, 404)
        now, body = self._clock.machine_now(), Body(request)
        try:
            delivery = await self._take(source, hook, request, body, now)
        except Refusal as refusal:
            self._refusals.note(source, refusal, now)
            await body.drain()
            return _respond(hook.refused(refusal.status, refusal.why, now), close=not body.whole)
        return _respond(delivery.echo or hook.accepted(now))

    def close(self) -> None:
        """Tell the refusals that are not yet told."""
        self._refusals.close()

    async def _take(self, source: str, hook: Hook, request: Request, body: Body, now: datetime) -> Delivery:
        if not self._buckets[source].take(now):
            raise Refusal(429, "too many requests, send it again later")
        async with self._bodies.read(request, body) as raw:
            delivery = receive(hook, _untouched(request, raw), now)
            await self._store(source, delivery.messages)
        return delivery

    async def _store(self, source: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        try:
            await self._collector.put(source, messages)
        except NotStored as error:
            raise Refusal(503, f"not stored, send it again: {error}") from None
        except Unstorable as error:
            raise Refusal(400, f"this cannot be stored: {error}") from None


def receive(hook: Hook, request: HookRequest, now: datetime) -> Delivery:
    """Verify and decode. Raises `Refusal`."""
    try:
        delivery = hook.receive(request, now)
    except BadSignature:
        raise Refusal(401, "not signed as agreed, or too old") from None
    except NotUnderstood as error:
        raise Refusal(400, error.what) from None
    except UNREADABLE as error:
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
        log.error("hook %s: its reader broke on a body (%s at %s)", hook.source, type(error).__name__, place)
        raise Refusal(400, "this cannot be read") from None
    for message in delivery.messages:
        _check_lengths(message)
    return delivery


def _check_lengths(message: Message) -> None:
    """Longer than any vendor's: the indexes could not hold it, and its row would stand in the way of others."""
    if len(message.event_id.encode()) > LONGEST_EVENT_ID:
        raise Refusal(400, f"its id is longer than {LONGEST_EVENT_ID} bytes")
    if len(message.order_no) > LONGEST_ORDER_NO:
        raise Refusal(400, f"its order number is longer than {LONGEST_ORDER_NO} characters")


def _untouched(request: Request, raw: bytes) -> HookRequest:
    """Header names come in lower case, query values decoded once."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
    return HookRequest(method=request.method, query=dict(request.query_params), headers=headers, body=raw)


def _respond(answer: HookAnswer, *, close: bool = False) -> Response:
    headers = {"connection": "close"} if close else None
    return Response(answer.body, answer.status, headers, answer.media_type)
