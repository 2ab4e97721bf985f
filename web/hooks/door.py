"""The way of one webhook: bounded, read, verified, stored, and only then acknowledged."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.errors import BadSignature, NotUnderstood
from adapters.storefronts.direct.status import PLACED
from ballast.clock import Clock
from ballast.domain.promising import said_of
from ballast.door import as_json
from ballast.ports import Delivery, Hook, HookAnswer, HookRequest, Message
from ballast.settings import LimitSettings
from web.bounds import sender_of
from web.hooks.body import Body, BodyReader
from web.hooks.collector import Collector, NotPromised, NotStored, Unstorable
from web.hooks.crowd import Crowd
from web.hooks.observing import Visit
from web.hooks.refusals import Refusal, RefusalLog

log = logging.getLogger(__name__)

LONGEST_EVENT_ID: Final = 1000  # bytes; the unique index has room for 2,700
LONGEST_ORDER_NO: Final = 100

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a hostile body may raise inside a reader that did not foresee it: refused like any other, and told to us."""


class Door:
    """Answers `/hooks/{source}`. Every sender has its own bounds, every source its own line of refusals.

    `orders`: stores new orders, apart from news: they may wait for whoever works on the stock, and news must not.
    """

    def __init__(
        self,
        hooks: Mapping[str, Hook],
        collector: Collector,
        clock: Clock,
        limits: LimitSettings,
        *,
        orders: Collector | None = None,
    ) -> None:
        self._hooks, self._collector, self._clock = hooks, collector, clock
        self._orders = orders or collector
        self._crowd, self._bodies, self._refusals = Crowd(limits), BodyReader(), RefusalLog()

    async def answer(self, request: Request) -> Response:
        """Never 500, whatever was sent. Acknowledged means committed."""
        source = request.path_params["source"]
        hook = self._hooks.get(source)
        if hook is None:
            return JSONResponse({"error": "no such source, or it is not configured"}, 404)
        with Visit(hook.source, request.method) as visit:
            return await self._answer(source, hook, request, visit)

    async def _answer(self, source: str, hook: Hook, request: Request, visit: Visit) -> Response:
        now, body = self._clock.machine_now(), Body(request)
        try:
            delivery = await self._take(source, hook, request, body, now)
        except Refusal as refusal:
            self._crowd.note_refusal(sender_of(request), refusal.status, now)
            self._refusals.note(source, refusal, now)
            await body.drain()
            answer = _with(hook.refused(refusal.status, refusal.why, now), refusal.told)
            visit.refused(refusal.status)
            return _respond(answer, close=not body.whole, retry_after=refusal.retry_after)
        visit.accepted()
        return _respond(delivery.echo or hook.accepted(now))

    def close(self) -> None:
        """Tell the refusals that are not yet told."""
        self._refusals.close()

    async def _take(self, source: str, hook: Hook, request: Request, body: Body, now: datetime) -> Delivery:
        sender = sender_of(request)
        self._crowd.admit(source, sender, now)
        async with self._bodies.read(request, body) as raw:
            delivery = receive(hook, _untouched(request, raw), now)
            self._crowd.note_proof(sender, now)
            await self._store(source, delivery.messages)
        return delivery

    async def _store(self, source: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        collector = self._orders if any(message.topic == PLACED for message in messages) else self._collector
        try:
            await collector.put(source, messages)
        except NotPromised as refused:
            lines = [as_json(line) for line in refused.answer.lines]
            raise Refusal(409, f"cannot be promised: {said_of(refused.answer)}", told={"lines": lines}) from None
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
    """Header names come in lower case, query values decoded once. A header that comes twice is one with a comma, as
    HTTP has it: no signature is like that. Raises `Refusal` for a query value that comes twice: which is signed?"""
    headers: dict[str, str] = {}
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    query = request.query_params
    if len(query.multi_items()) != len(query):
        raise Refusal(401, "a value of the query comes twice")
    return HookRequest(method=request.method, query=dict(query), headers=headers, body=raw)


def _with(answer: HookAnswer, told: Mapping[str, Any] | None) -> HookAnswer:
    """Only our own format is told more than a reason, and it is JSON."""
    return replace(answer, body=orjson.dumps(orjson.loads(answer.body) | told)) if told else answer


def _respond(answer: HookAnswer, *, close: bool = False, retry_after: int | None = None) -> Response:
    headers = {"connection": "close"} if close else {}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return Response(answer.body, answer.status, headers, answer.media_type)
