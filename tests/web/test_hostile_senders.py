"""Too much, too often, too slow: one sender costs a bounded share, and nobody else pays for it."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx
import orjson
import pytest

import web.protocol
from ballast.settings import LimitSettings
from ballast.wiring import page_key
from tests.db.stage import make_order, place
from tests.memory import MB, memory_of
from tests.web.senders import ACCEPTED, REFUSED, SENDERS, Call, direct_numbered, direct_order, kdniao, qimen, wechat
from tests.web.stage import CONSOLE_KEY, Stage, make_house, open_stage
from web.bounds import Buckets
from web.hooks.crowd import Crowd
from web.hooks.refusals import Refusal
from web.protocol import MOST_HEAD

vendors = pytest.mark.parametrize("vendor", SENDERS)
OTHERS = "203.0.113.7"


def coming_from(address: str) -> dict[str, str]:
    """As a proxy on this machine says it."""
    return {"X-Forwarded-For": address}


async def send(stage: Stage, call: Call, address: str) -> httpx.Response:
    return await Call(call.source, call.body, call.query, {**call.headers, **coming_from(address)}).post(stage.http)


@pytest.fixture
async def strict(database_url: str, stage: Stage) -> AsyncIterator[Stage]:
    """A web process that takes five requests and three forgeries, and remembers four senders."""
    limits = LimitSettings(hooks_per_second=1, hooks_burst=5, forgeries_per_minute=3, pages_per_minute=8,
                           wrong_keys_per_minute=3, senders=4)  # fmt: skip
    house = make_house(database_url, limits=limits)
    async with open_stage(house) as opened:
        yield opened
    await house.close()


def assert_told_to_wait(answer: httpx.Response, most: int) -> None:
    assert answer.status_code == 429, answer.text
    assert 1 <= int(answer.headers["retry-after"]) <= most


# -- how often ---------------------------------------------------------------------------------------------------


@vendors
async def test_who_forges_is_told_to_wait_and_others_are_not(strict: Stage, vendor: str) -> None:
    call = SENDERS[vendor](None)
    statuses = [(await send(strict, call.forged(), "198.51.100.1")).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    waits = await send(strict, call, "198.51.100.1")
    assert_told_to_wait(waits, 20)
    assert REFUSED[call.source](waits) and await strict.inbox() == []
    assert ACCEPTED[call.source](await send(strict, call, OTHERS))


async def test_forgeries_of_all_systems_count_together(strict: Stage) -> None:
    for vendor in ("qimen", "kdniao", "direct"):
        assert (await send(strict, SENDERS[vendor](None).forged(), OTHERS)).status_code == 401
    assert_told_to_wait(await send(strict, SENDERS["wechatpay"](None), OTHERS), 20)


async def test_who_signed_well_is_not_shut_out_by_forgeries_from_the_same_address(strict: Stage) -> None:
    """All the world behind a proxy that does not say for whom it speaks."""
    assert ACCEPTED["direct"](await direct_numbered(1).post(strict.http))
    for _ in range(5):
        assert (await direct_order().forged().post(strict.http)).status_code in (401, 429)
    assert ACCEPTED["kdniao"](await kdniao().post(strict.http))


async def test_what_is_not_signed_counts_though_it_is_not_read_to_its_end(strict: Stage) -> None:
    big = Call("direct", b" " * (MB + 1), {}, {"X-Ballast-Signature": "x"})
    squeezed = Call("direct", b"x", {}, {"Content-Encoding": "gzip"})
    assert [(await send(strict, call, OTHERS)).status_code for call in (big, squeezed, big)] == [413, 415, 413]
    assert_told_to_wait(await send(strict, direct_order(), OTHERS), 20)


async def test_signed_messages_beyond_the_burst_are_told_to_come_again(strict: Stage) -> None:
    answers = [await send(strict, direct_numbered(n), OTHERS) for n in range(7)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert_told_to_wait(answers[-1], 2)
    assert ACCEPTED["kdniao"](await send(strict, kdniao(), OTHERS))  # each system has its own share


def test_a_vendors_burst_of_thousands_passes() -> None:
    """A warehouse that was offline sends all at once, from one address."""
    crowd, now = Crowd(LimitSettings()), datetime(2026, 1, 2, tzinfo=UTC)
    for _ in range(5000):
        crowd.admit("qimen", OTHERS, now)
    with pytest.raises(Refusal) as refused:
        crowd.admit("qimen", OTHERS, now)
    assert (refused.value.status, refused.value.retry_after) == (429, 1)


@pytest.mark.slow
async def test_five_thousand_at_once_are_all_stored(stage: Stage) -> None:
    gate = asyncio.Semaphore(90)

    async def push(number: int) -> httpx.Response:
        async with gate:
            return await direct_numbered(number).post(stage.http)

    answers = await asyncio.gather(*(push(n) for n in range(5000)))
    assert all(map(ACCEPTED["direct"], answers))
    assert len(await stage.inbox()) == 5000


async def test_guessing_keys_of_order_pages_ends_soon(strict: Stage) -> None:
    url = f"/orders/SO1?key={'0' * 32}"
    statuses = [(await strict.http.get(url, headers=coming_from(OTHERS))).status_code for _ in range(4)]
    assert statuses == [404, 404, 404, 429]
    await place(strict.house, make_order("SO1"))
    right = f"/orders/SO1?key={page_key(CONSOLE_KEY, 'SO1')}"
    guessed = await strict.http.get(right, headers=coming_from(OTHERS))
    assert_told_to_wait(guessed, 20)
    assert "SO1" not in guessed.text
    assert (await strict.http.get(right, headers=coming_from("198.51.100.9"))).status_code == 200


async def test_order_pages_are_bounded_in_number(strict: Stage) -> None:
    answers = [await strict.order_page("SO1") for _ in range(9)]
    assert [answer.status_code for answer in answers[:8]] == [404] * 8
    assert_told_to_wait(answers[8], 8)


async def test_an_ipv6_sender_cannot_change_its_address_within_its_network(strict: Stage) -> None:
    call = direct_order().forged()
    statuses = [(await send(strict, call, f"2001:db8:1:2::{n:x}")).status_code for n in range(1, 5)]
    assert statuses == [401, 401, 401, 429]
    assert (await send(strict, call, "2001:db8:1:3::1")).status_code == 401
    assert (await send(strict, call, "::ffff:198.51.100.1")).status_code == 401


async def test_only_the_senders_seen_last_are_remembered() -> None:
    buckets = Buckets(1, 1, most=100)
    for number in range(10_000):
        buckets.of("the loudest")
        buckets.of(f"10.0.{number // 256}.{number % 256}")
    assert len(buckets) == 100
    assert buckets.of("the loudest") is buckets.of("the loudest")


async def test_a_proxys_word_is_taken_only_from_a_proxy_of_ours(strict: Stage) -> None:
    """Rightmost first: what a client wrote into the header before the proxy is not believed."""
    call = direct_order().forged()
    statuses = [(await send(strict, call, f"10.9.8.{n}, {OTHERS}")).status_code for n in range(4)]
    assert statuses == [401, 401, 401, 429]


# -- how much ----------------------------------------------------------------------------------------------------


async def piecewise(size: int, piece: bytes = b" " * 50_000) -> AsyncIterator[bytes]:
    for _ in range(size // len(piece)):
        yield piece


async def flood(stage: Stage, path: str, *, announced: bool, many: int = 10) -> list[int | None]:
    """So many bodies of 5 MB at once; the statuses, None where the connection was closed while sending."""
    headers = {"Content-Length": str(5 * MB)} if announced else {}

    async def one() -> int | None:
        try:
            return (await stage.http.post(path, content=piecewise(5 * MB), headers=headers)).status_code
        except httpx.TransportError:
            return None

    return list(await asyncio.gather(*(one() for _ in range(many))))


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("source", ["kdniao", "qimen", "wechat", "wechatpay", "direct"])
async def test_bodies_of_five_megabytes_do_not_fill_the_memory(stage: Stage, source: str, announced: bool) -> None:
    """Fifty megabytes are sent; at most ten times the limit is held, here and in the sender."""
    with memory_of(25 * MB):
        statuses = await flood(stage, f"/hooks/{source}", announced=announced)
    assert set(statuses) <= {413, None} and await stage.inbox() == []


async def test_an_order_page_takes_no_body(stage: Stage) -> None:
    asked = b"GET /orders/SO1 HTTP/1.1\r\nHost: x\r\n"
    for announced in (b"Content-Length: 1\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        answer = await say(stage, asked + announced)
        assert answer.startswith(b"HTTP/1.1 413") and b"connection: close" in answer.lower()
    assert (await stage.http.get("/orders/SO1")).status_code == 404


DEEP = 100_000
BOMBS: dict[str, Callable[[], Call]] = {
    "deep json list": lambda: wechat(b'{"MsgType":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "deep json object": lambda: direct_order(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "many keys": lambda: direct_order(orjson.dumps({f"k{n}": n for n in range(60_000)})),
    "many lines": lambda: direct_order(
        orjson.dumps({"event": "order.placed", "event_id": "E", "order": {"order_no": "A", "lines": [{}] * 200_000}})
    ),
    "laughs": lambda: qimen(laughs(10)),
    "quadratic": lambda: qimen(
        b'<!DOCTYPE r [<!ENTITY a "' + b"a" * 100_000 + b'">]><request>' + b"&a;" * 100_000 + b"</request>"
    ),
    "file": lambda: qimen(b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]><request>&a;</request>'),
    "parameter entity": lambda: qimen(
        b'<!DOCTYPE r [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x">%a;]><request>1</request>'
    ),
    "foreign DTD": lambda: qimen(b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><request>1</request>'),
    "deep xml": lambda: qimen(b"<request>" + b"<a>" * DEEP + b"</a>" * DEEP + b"</request>"),
    "many attributes": lambda: qimen(b"<request " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>"),
    "many elements": lambda: qimen(b"<request>" + b"<a/>" * 240_000 + b"</request>"),
    "laughs at wechat": lambda: wechat(laughs(10).replace(b"request", b"xml")),
    "many fields": lambda: Call("kdniao", b"&".join(b"a%d=1" % n for n in range(100_000))),
    "many traces": lambda: kdniao(
        orjson.dumps({"PushTime": "2026-01-02 10:00:00", "EBusinessID": "1000001", "Data": [{"Traces": [{}] * 90_000}]})
    ),
}


def laughs(generations: int) -> bytes:
    """A billion laughs, or so."""
    each = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, generations))
    return f'<!DOCTYPE r [<!ENTITY l0 "lol">{each}]><request>&l{generations - 1};</request>'.encode()


@pytest.mark.parametrize("bomb", BOMBS)
async def test_bombs_are_refused_within_bounds(stage: Stage, bomb: str) -> None:
    call = BOMBS[bomb]()
    assert len(call.body) < MB, "it is the reader that has to withstand it, not the bound on bodies"
    with memory_of(80 * MB):
        answer = await call.post(stage.http)
    if bomb == "many traces":  # signed, and one parcel that nobody can read: it is kept and will be parked
        assert ACCEPTED["kdniao"](answer) and len(await stage.inbox()) == 1
        return
    assert answer.status_code in (400, 401) and REFUSED[call.source](answer), answer.text
    assert await stage.inbox() == []


@vendors
async def test_a_body_that_unpacks_to_much_is_not_unpacked(stage: Stage, vendor: str) -> None:
    call = SENDERS[vendor](None)
    bomb = gzip.compress(b" " * 50 * MB)
    with memory_of(10 * MB):
        for encoding in ("gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP"):
            answer = await Call(call.source, bomb, call.query, {**call.headers, "Content-Encoding": encoding}).post(
                stage.http
            )
            assert answer.status_code == 415 and REFUSED[call.source](answer)
    assert await stage.inbox() == []


# -- how slow, and before any body -------------------------------------------------------------------------------


async def say(stage: Stage, *pieces: bytes) -> bytes:
    """Send and read until the server closes, or has answered and waits for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(15):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


START = b"POST /hooks/direct HTTP/1.1\r\nHost: x\r\n"
ENDLESS_HEADS: dict[str, tuple[bytes, bytes]] = {
    "address": (b"GET /", b"a" * 50_000),
    "query": (b"POST /hooks/direct?a=", b"a" * 50_000),
    "header": (START + b"X-A: ", b"a" * 50_000),
    "headers": (START, b"X-A: a\r\n" * 6000),
    "trailers": (START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: a\r\n" * 6000),
    "chunk extension": (START + b"Transfer-Encoding: chunked\r\n\r\n5;", b"a" * 50_000),
}


@pytest.mark.parametrize("kind", ENDLESS_HEADS)
async def test_a_head_without_end_is_cut_off(stage: Stage, kind: str) -> None:
    first, more = ENDLESS_HEADS[kind]
    with memory_of(12 * MB):
        answer = await say(stage, first, *[more] * 400)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 4"))
    assert (await stage.http.get("/health")).status_code == 200


async def test_a_head_as_long_as_allowed_is_read(stage: Stage) -> None:
    padding = {f"X-{n}": "a" * 1000 for n in range(MOST_HEAD // 1100)}
    call = direct_order()
    assert ACCEPTED["direct"](await Call("direct", call.body, {}, {**call.headers, **padding}).post(stage.http))


@pytest.mark.parametrize("begun", [b"", b"GET / HT", START + b"X-A: "])
async def test_who_never_finishes_a_head_is_closed(stage: Stage, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(web.protocol, "SECONDS", 0.1)
    assert await say(stage, begun) == b""


async def test_a_connection_that_works_is_not_closed_while_it_works(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.protocol, "SECONDS", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    for _ in range(2):
        writer.write(START + b"Content-Length: 2\r\n\r\n{")
        await asyncio.sleep(0.3)
        writer.write(b"}")
        async with asyncio.timeout(10):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 401")
            await reader.readuntil(b"}")
    writer.close()


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/9.9",
        b"\x00\x01\x02",
        b"GET /hooks/%00 HTTP/1.1\r\nHost: x",
        b"POST /hooks/direct%2f HTTP/1.1\r\nHost: x",
        b"GET /orders/%ff%00'%20or%201=1 HTTP/1.1\r\nHost: x",
        b"GET /orders/" + b"%F0%9F%98%80" * 1000 + b" HTTP/1.1\r\nHost: x",
        b"POST /hooks/direct HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST /hooks/direct HTTP/1.1\r\nHost: x\r\nContent-Length: -1",
        b"POST /hooks/direct HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    ],
    ids=lambda line: line[:24].decode("latin-1"),
)
async def test_broken_requests_are_answered_with_4xx(
    stage: Stage, request_line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await say(stage, request_line + b"\r\nConnection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
    assert "Traceback" not in caplog.text
