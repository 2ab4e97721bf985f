"""What keeps a flood small: buckets, bodies in hand, lines in the log."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request

from web.bounds import TokenBucket
from web.hooks.body import Body, BodyReader
from web.hooks.refusals import Refusal, RefusalLog

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(10, 20)
    assert sum(bucket.take(NOW) for _ in range(50)) == 20
    assert sum(bucket.take(after(1)) for _ in range(50)) == 10
    assert sum(bucket.take(after(1000)) for _ in range(50)) == 20


def test_a_clock_that_is_set_back_neither_fills_nor_locks_a_bucket() -> None:
    bucket = TokenBucket(10, 2)
    assert [bucket.take(NOW) for _ in range(3)] == [True, True, False]
    assert bucket.take(after(-3600)) is False
    assert bucket.take(after(-3599)) is True


def request(*chunks: bytes, hang: bool = False, headers: Sequence[tuple[bytes, bytes]] = ()) -> Request:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        if not left and hang:
            await asyncio.sleep(60)
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or hang}

    return Request({"type": "http", "method": "POST", "headers": list(headers)}, receive)


async def read(reader: BodyReader, sent: Request) -> bytes:
    async with reader.read(sent, Body(sent)) as raw:
        return raw


async def test_a_body_in_pieces_is_joined() -> None:
    assert await read(BodyReader(), request(b"ab", b"", b"c")) == b"abc"


async def test_a_sender_that_dawdles_is_408() -> None:
    with pytest.raises(Refusal, match=r"not sent within 0\.01 s") as refused:
        await read(BodyReader(seconds=0.01), request(b"ab", hang=True))
    assert refused.value.status == 408


async def test_bodies_in_hand_are_bounded_together_and_given_back() -> None:
    reader = BodyReader(most_together=10)
    sent = request(b"12345678")
    async with reader.read(sent, Body(sent)):
        with pytest.raises(Refusal) as refused:
            await read(reader, request(b"123"))
        assert refused.value.status == 503
    assert await read(reader, request(b"1234567890")) == b"1234567890"


async def test_a_length_of_many_digits_is_too_large() -> None:
    with pytest.raises(Refusal) as refused:
        await read(BodyReader(), request(b"", headers=[(b"content-length", b"9" * 5000)]))
    assert refused.value.status == 413


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_one_line_in_ten_seconds_with_the_count(caplog: pytest.LogCaptureFixture) -> None:
    told = RefusalLog()
    for second in range(25):
        told.note("qimen", Refusal(401, "no"), after(second))
    assert [line.partition(", ")[0] for line in lines(caplog)] == [
        "hook qimen: 1 refused with 401",
        "hook qimen: 10 refused with 401",
        "hook qimen: 10 refused with 401",
    ]
    told.close()
    assert "4 refused" in lines(caplog)[-1] and len(lines(caplog)) == 4
    told.close()
    assert len(lines(caplog)) == 4


def test_sources_and_kinds_are_counted_apart(caplog: pytest.LogCaptureFixture) -> None:
    told = RefusalLog()
    for source in ("qimen", "kdniao"):
        for status in (401, 400):
            told.note(source, Refusal(status, "no"), NOW)
    assert len(lines(caplog)) == 4


def test_a_reason_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        RefusalLog().note("qimen", Refusal(400, "x\nERROR all is lost\x1b[2J" + "y" * 1000), NOW)
    (line,) = lines(caplog)
    assert "\n" not in line and "\x1b" not in line and len(line) < 600
