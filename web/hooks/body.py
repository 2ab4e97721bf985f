"""Reading request bodies: each is bounded, all together are bounded, and a sender that dawdles is not waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request

from web.hooks.refusals import Refusal

MOST_BYTES: Final = 1_000_000
MOST_TOGETHER: Final = 64_000_000
MOST_DRAINED: Final = 4_000_000
SECONDS: Final = 10.0
SECONDS_DRAINED: Final = 2.0


class Body:
    """One request's body as it comes in. `whole` once the last byte was read."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.whole = False

    async def chunk(self) -> bytes:
        """The next piece. Raises `Refusal` when the sender hung up."""
        message = await self._request.receive()
        if message["type"] != "http.request":
            raise Refusal(400, "the sender hung up")
        self.whole = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def drain(self) -> None:
        """Read on for a moment and forget it: most clients do not look at an answer before all is sent."""
        seen = 0
        try:
            async with asyncio.timeout(SECONDS_DRAINED):
                while not self.whole and seen < MOST_DRAINED:
                    seen += len(await self.chunk())
        except (TimeoutError, Refusal):
            return


class BodyReader:
    """Reads bodies for one process. What is in hand counts until its request is answered."""

    def __init__(
        self, *, most_bytes: int = MOST_BYTES, most_together: int = MOST_TOGETHER, seconds: float = SECONDS
    ) -> None:
        self._most_bytes, self._most_together, self._seconds = most_bytes, most_together, seconds
        self._in_hand = 0

    @asynccontextmanager
    async def read(self, request: Request, body: Body) -> AsyncIterator[bytes]:
        """The raw bytes. Raises `Refusal`: too large, too slow, compressed, or too many bodies in hand already."""
        _check_headers(request, self._most_bytes)
        raw = bytearray()
        try:
            await self._fill(raw, body)
            yield bytes(raw)
        finally:
            self._in_hand -= len(raw)

    async def _fill(self, raw: bytearray, body: Body) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                while not body.whole:
                    chunk = await body.chunk()
                    raw += chunk
                    self._in_hand += len(chunk)
                    self._check_size(len(raw))
        except TimeoutError:
            raise Refusal(408, f"the body was not sent within {self._seconds:g} s") from None

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes:
            raise _too_large(self._most_bytes)
        if self._in_hand > self._most_together:
            raise Refusal(503, "too many requests at once, send it again")


def _check_headers(request: Request, most: int) -> None:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise Refusal(415, "compressed bodies are not taken")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 12 or int(announced) > most):
        raise _too_large(most)


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"more than {most} bytes")
