"""The one way out: httpx with aiohttp's transport, errors translated, blips repeated where that is safe."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from adapters.allowance import Allowance, Alone
from adapters.errors import OutcomeUnknown, OutsideError, Unavailable
from adapters.observing import Call
from ballast.domain.words import System

NOT_TAKEN = frozenset({408, 425, 429, 503})
"""The server says that it did not take the request: safe to repeat."""

WAIT = 60.0
"""Seconds that a call waits for its turn when all calls that are allowed are under way and the system is slow."""

LONGEST = 25.0
"""Seconds for one attempt, from connecting to the last byte: a reply that drips must not hold an order for ever."""

KEPT_ALIVE = 5.0
"""Seconds that an idle connection stays open: servers close theirs later, as a rule."""

LARGEST_REPLY = 8 * 1024 * 1024

logging.getLogger("httpx").setLevel(logging.WARNING)
"""At INFO it writes whole URLs, and some vendors want their credentials there."""


_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "Ballast"}
"""Of every call, unless an adapter says another, in this spelling."""

Sign = Callable[[httpx.Request], None]


def _leave_as_it_is(_: httpx.Request) -> None:
    """Most vendors' signatures are part of what the request is built of."""


class VendorHttp:
    """One vendor's connection. At most `max_calls` at once; a request is built and signed when its turn comes.

    An `allowance` counts over all processes what may be under way, and what may leave in a second; it ends with us.

    Owner of blips only: a call that was not taken (refused connection, 429, 503) is repeated twice within about two
    seconds; a read that failed in any way likewise. A write whose outcome is unknown is never repeated here.
    """

    def __init__(
        self, system: System, *, max_calls: int, timeout: float = 10.0, allowance: Allowance | None = None
    ) -> None:
        self.system = system
        self._allowance = allowance or Alone(max_calls)
        self._max_calls = max_calls
        self._transport = AiohttpTransport(client=self._open)
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._max_calls, ssl=self._transport.ssl_context, keepalive_timeout=KEPT_ALIVE
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        await self._transport.aclose()
        await self._allowance.close()

    async def read(
        self,
        method: str,
        url: str,
        *,
        order_no: str = "",
        operation: str = "",
        sign: Sign = _leave_as_it_is,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        """A call that changes nothing: repeated on every blip. Raises `Unavailable`.

        `operation` is what figures and traces call it, one of few words; by default the method and what of the path is
        the same for every order. `sign` is given every attempt before it leaves: a repeat must not reuse a nonce.
        `body`: as httpx takes it (`json`, `content`, `data`, `params`).
        """
        with Call(self.system, method, url, order_no=order_no, operation=operation) as call:
            build = partial(self._build, method, url, sign, headers or {}, body)
            try:
                return await self._in_turn(call, (Unavailable, OutcomeUnknown), build, order_no)
            except OutcomeUnknown as blip:
                raise Unavailable(self.system, blip.what, order_no=order_no, code=blip.code) from blip

    async def write(
        self,
        method: str,
        url: str,
        *,
        order_no: str = "",
        operation: str = "",
        sign: Sign = _leave_as_it_is,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        """A call that changes something: repeated only if not taken. Raises `Unavailable`, `OutcomeUnknown`."""
        with Call(self.system, method, url, order_no=order_no, operation=operation) as call:
            build = partial(self._build, method, url, sign, headers or {}, body)
            return await self._in_turn(call, (Unavailable,), build, order_no)

    def _build(
        self, method: str, url: str, sign: Sign, headers: Mapping[str, str], body: Mapping[str, Any]
    ) -> httpx.Request:
        request = httpx.Request(
            method, _read_url(url), headers={**_HEADERS, **headers}, extensions=self._extensions, **body
        )
        sign(request)
        return request

    async def _in_turn(
        self, call: Call, blips: tuple[type[OutsideError], ...], build: Callable[[], httpx.Request], order_no: str
    ) -> httpx.Response:
        """Wait for room, not for ever: a system that hangs must not keep whole chunks, one call after the other."""
        try:
            await self._allowance.take(WAIT)
        except TimeoutError as no:
            what = f"{str(no) or 'it answers too slowly'}: no turn within {WAIT:g} s"
            raise Unavailable(self.system, what, order_no=order_no) from None
        try:
            await self._set_out()
            call.begin()
            return await self._sent(call, blips, build, order_no)
        finally:
            self._allowance.give_back()

    async def _sent(
        self, call: Call, blips: tuple[type[OutsideError], ...], build: Callable[[], httpx.Request], order_no: str
    ) -> httpx.Response:
        """Send it, and again after a blip. Nearly every call is answered at once and needs none of tenacity."""
        try:
            call.attempt()
            return call.answered(await self._once(build(), order_no))
        except blips as blip:
            first = blip
        async for attempt in self._repeats(blips):
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise first
                call.attempt()
                return call.answered(await self._once(build(), order_no))
        raise AssertionError("tenacity re-raises")

    async def _once(self, request: httpx.Request, order_no: str) -> httpx.Response:
        try:
            async with asyncio.timeout(LONGEST):
                reply = await self._exchange(request)
        except TimeoutError as blip:
            raise OutcomeUnknown(self.system, f"no whole answer within {LONGEST:g} s", order_no=order_no) from blip
        except httpx.RequestError as blip:
            if _never_sent(blip):
                raise Unavailable(self.system, f"no connection ({_name(blip)})", order_no=order_no) from blip
            raise OutcomeUnknown(self.system, f"no answer ({_name(blip)})", order_no=order_no) from blip
        if reply.status_code in NOT_TAKEN:
            raise Unavailable(self.system, f"HTTP {reply.status_code}", order_no=order_no, code=str(reply.status_code))
        if reply.status_code >= 500:
            raise OutcomeUnknown(
                self.system, f"HTTP {reply.status_code}", order_no=order_no, code=str(reply.status_code)
            )
        if len(reply.content) > LARGEST_REPLY:
            raise OutcomeUnknown(self.system, f"a reply of {len(reply.content)} bytes", order_no=order_no)
        return reply

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        """What `AsyncClient.send` does, without redirects, cookies and auth flows: no vendor's interface has them, a
        signed request must not follow one elsewhere, and looking for them is a fifth of what a call costs.
        """
        reply = await self._transport.handle_async_request(request)
        reply.request = request
        try:
            await reply.aread()
        except BaseException:
            await reply.aclose()
            raise
        return reply

    async def _set_out(self) -> None:
        try:
            await self._allowance.set_out(WAIT)
        except TimeoutError as no:
            raise Unavailable(self.system, f"{no}: not sent within {WAIT:g} s") from None

    def _repeats(self, blips: tuple[type[OutsideError], ...]) -> AsyncRetrying:
        """Every repeat is a call, too, that has to wait for its moment."""

        async def rest(seconds: float) -> None:
            await asyncio.sleep(seconds)
            await self._set_out()

        return AsyncRetrying(
            retry=retry_if_exception_type(blips),
            stop=stop_after_attempt(3),
            wait=wait_exponential_jitter(multiplier=0.2, max=1.0, jitter=0.2),
            sleep=rest,
            reraise=True,
        )


def _never_sent(blip: httpx.RequestError) -> bool:
    """Whether the request cannot have reached the server.

    httpx-aiohttp 0.2 calls a connection that broke after the request was sent a ConnectTimeout too. Believing it would
    repeat writes that were done, so aiohttp's own error decides.
    """
    if isinstance(blip.__cause__, aiohttp.ClientError):
        return isinstance(blip.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(blip, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _name(blip: httpx.RequestError) -> str:
    return type(blip.__cause__ or blip).__name__


@lru_cache(maxsize=256)
def _read_url(url: str) -> httpx.URL:
    """A vendor has few addresses; httpx would take each apart at every call."""
    return httpx.URL(url)
