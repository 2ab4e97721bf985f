"""The one way out against a real socket: what is repeated, and what must not be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

import adapters.http
from adapters.allowance import Allowance
from adapters.errors import OutcomeUnknown, Unavailable
from adapters.http import VendorHttp
from ballast.domain.words import System

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"
NOT_ZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"
GONE = b""
SILENT = b"..."
DRIPS = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"


class Server:
    """Reads each request whole, then answers from the list: bytes are written, GONE hangs up, SILENT says nothing.

    DRIPS never comes to its end.
    """

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.taken = 0
        self.heads: list[bytes] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        self.taken += 1
        answer = self.answers.pop(0) if self.answers else GONE  # the transport repeats a GET by itself after a hang-up
        if answer is SILENT:
            await asyncio.sleep(2)
        elif answer:
            writer.write(answer)
            await writer.drain()
        while answer is DRIPS and not writer.is_closing():
            writer.write(b".")
            await asyncio.sleep(0.1)
        writer.close()


@asynccontextmanager
async def serve(*answers: bytes, allowance: Allowance | None = None) -> AsyncIterator[tuple[Server, VendorHttp]]:
    server = Server(list(answers))
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    http = VendorHttp(System.WECHAT, max_calls=2, timeout=0.8, allowance=allowance)
    try:
        yield server, http
    finally:
        await http.close()
        listener.close()


async def test_nothing_of_an_answer_is_followed_or_kept() -> None:
    """A signed request that follows a redirect, or carries a cookie, tells others what was meant for one."""
    elsewhere = (
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b; Path=/\r\n"
        b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    )
    async with serve(elsewhere, FINE) as (server, http):
        server.url = server.url.replace("127.0.0.1", "localhost")  # cookies of bare addresses are never kept
        assert (await http.write("POST", server.url, content=b"")).status_code == 302
        assert server.taken == 1
        await http.write("POST", server.url, content=b"")
        assert b"cookie" not in server.heads[1].lower()


async def test_every_attempt_is_signed_anew() -> None:
    nonces = iter(("one", "two", "three"))

    def sign(request: httpx.Request) -> None:
        request.headers["X-Nonce"] = next(nonces)

    async with serve(BUSY, FINE) as (server, http):
        await http.write("POST", server.url, content=b"", sign=sign)
        assert [b"one" in server.heads[0], b"two" in server.heads[1]] == [True, True]


@pytest.mark.parametrize(("does", "ends", "taken"), [("write", OutcomeUnknown, 1), ("read", Unavailable, 3)])
async def test_a_reply_that_drips_comes_to_an_end(
    does: str, ends: type[Exception], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is always one more byte in time."""
    monkeypatch.setattr(adapters.http, "LONGEST", 0.5)
    async with serve(DRIPS, DRIPS, DRIPS) as (server, http):
        with pytest.raises(ends, match="no whole answer within"):
            await getattr(http, does)("POST", server.url, content=b"")
        assert server.taken == taken


async def test_who_gets_no_turn_is_told_so_and_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.http, "WAIT", 0.05)
    async with serve(SILENT, SILENT, FINE) as (server, http):
        calls = [http.write("POST", server.url, order_no=f"SO{n}", content=b"") for n in (1, 2, 3)]
        one, two, three = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(one, OutcomeUnknown) and isinstance(two, OutcomeUnknown)
        assert isinstance(three, Unavailable) and "no turn" in str(three)
        assert server.taken == 2
        assert (await http.write("POST", server.url, content=b"")).text == "ok"  # the room was given back


@pytest.mark.parametrize("answer", [GONE, HALF, SILENT, BROKEN, NOT_ZIP])
async def test_a_write_that_was_sent_is_never_repeated(answer: bytes) -> None:
    async with serve(answer, FINE) as (server, http):
        with pytest.raises(OutcomeUnknown, match="SO1"):
            await http.write("POST", server.url, order_no="SO1", content=b"")
        assert server.taken == 1


@pytest.mark.parametrize("answer", [GONE, HALF, SILENT, BROKEN, BUSY])
async def test_a_read_is_repeated_on_every_blip(answer: bytes) -> None:
    async with serve(answer, FINE) as (server, http):
        assert (await http.read("GET", server.url)).text == "ok"
        assert server.taken == 2


async def test_a_write_that_was_not_taken_is_repeated() -> None:
    async with serve(BUSY, BUSY, FINE) as (server, http):
        assert (await http.write("POST", server.url)).text == "ok"
        assert server.taken == 3


async def test_a_write_whose_reply_is_too_large_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.http, "LARGEST_REPLY", 1)
    async with serve(FINE, FINE) as (server, http):
        with pytest.raises(OutcomeUnknown, match="2 bytes"):
            await http.write("POST", server.url)
        assert server.taken == 1


async def test_after_three_tries_the_owner_decides() -> None:
    async with serve(GONE, GONE, GONE, FINE) as (server, http):
        with pytest.raises(Unavailable):
            await http.read("POST", server.url)  # aiohttp itself gives a GET one more try
        assert server.taken == 3


async def test_nobody_there_means_nothing_happened() -> None:
    async with serve() as (server, http):
        pass
    http = VendorHttp(System.WECHAT, max_calls=2)
    with pytest.raises(Unavailable, match="no connection"):
        await http.write("POST", server.url)
    await http.close()


class Counting:
    """An allowance that counts who asks; one that is `closed` lets nobody through and says why."""

    def __init__(self, *, take: str = "", set_out: str = "") -> None:
        self.taken, self.given_back, self.sent, self.ended = 0, 0, 0, False
        self._no_room, self._no_moment = take, set_out

    async def take(self, patience: float) -> None:
        if self._no_room:
            raise TimeoutError(self._no_room)
        self.taken += 1

    def give_back(self) -> None:
        self.given_back += 1

    async def set_out(self, patience: float) -> None:
        if self._no_moment:
            raise TimeoutError(self._no_moment)
        self.sent += 1

    async def close(self) -> None:
        self.ended = True


@pytest.mark.parametrize(("does", "answers"), [("write", (BUSY, BUSY, FINE)), ("read", (BUSY, SILENT, FINE))])
async def test_every_repeat_waits_for_its_moment_too(does: str, answers: tuple[bytes, ...]) -> None:
    allowance = Counting()
    async with serve(*answers, allowance=allowance) as (server, http):
        assert (await getattr(http, does)("POST", server.url, content=b"")).text == "ok"
        assert (allowance.taken, allowance.given_back, allowance.sent) == (1, 1, server.taken) == (1, 1, 3)
    assert allowance.ended


@pytest.mark.parametrize("allowance", [Counting(take="the database is away"), Counting(set_out="the database is away")])
async def test_what_is_not_allowed_is_not_sent_and_the_reason_is_said(allowance: Counting) -> None:
    async with serve(FINE, allowance=allowance) as (server, http):
        with pytest.raises(Unavailable, match="the database is away: "):
            await http.write("POST", server.url, order_no="SO1", content=b"")
        assert server.taken == 0
    assert allowance.taken == allowance.given_back
