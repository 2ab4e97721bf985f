"""The door over a real port: every vendor's sample is stored once; what is not theirs leaves no trace."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from ballast.db.engine import make_engine
from tests.web.senders import ACCEPTED, REFUSED, SENDERS, Call, direct_numbered, direct_order, qimen, wechat
from tests.web.stage import NOWHERE, Stage
from web.hooks.body import MOST_BYTES

vendors = pytest.mark.parametrize("vendor", SENDERS)


@vendors
async def test_a_genuine_message_is_stored_once_and_acknowledged(stage: Stage, vendor: str) -> None:
    call = SENDERS[vendor](None)
    for _ in range(2):
        answer = await call.post(stage.http)
        assert ACCEPTED[call.source](answer), answer.text
    (row,) = await stage.inbox()
    assert (row.source, row.state) == (call.source, "new")
    assert row.order_no.startswith("SO2026") and row.payload["_topic"]


@vendors
async def test_a_forged_message_is_refused_in_the_vendors_words(stage: Stage, vendor: str) -> None:
    call = SENDERS[vendor](None)
    bare = Call(call.source, call.body.partition(b"&DataSign=")[0])
    for wrong in (call.forged(), bare):
        answer = await wrong.post(stage.http)
        assert answer.status_code == 401
        assert REFUSED[call.source](answer) and not ACCEPTED[call.source](answer), answer.text
    assert await stage.inbox() == []


DEEP = b"[" * 300_000
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not json": b"{",
    "a list": b"[]",
    "deep": DEEP,
    "deep object": b'{"a":' * 900 + b"1" + b"}" * 900,
    "nul": b'{"MsgType":"event","event":"\\u0000","PushTime":"\\u0000","id":"a\\u0000b"}',
    "lone surrogate": b'{"MsgType":"\\ud800"}',
    "huge number": b'{"MsgType":' + b"9" * 5000 + b',"CreateTime":1e400}',
    "numbers for all": b'{"MsgType":1,"id":1,"event":1,"event_id":1,"order":1,"PushTime":1,"Data":[1]}',
    "xml": b"<a/>",
    "xml bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><request>&b;</request>',
    "xml file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><request>&a;</request>',
    "xml deep": b"<request>" * 5000,
    "xml other encoding": b"<?xml version='1.0' encoding='utf-32'?><request/>",
    "four bytes": '{"MsgType":"😀","Event":"😀"}'.encode(),
}


@vendors
async def test_signed_nonsense_is_refused_and_never_500(stage: Stage, vendor: str) -> None:
    for name, body in HOSTILE.items():
        call = SENDERS[vendor](body)
        answer = await call.post(stage.http)
        assert answer.status_code == 400 and REFUSED[call.source](answer), (name, answer.text)
    assert await stage.inbox() == []


@pytest.mark.parametrize("vendor", ["wechat", "direct", "wechatpay"])
async def test_bytes_that_are_no_text(stage: Stage, vendor: str) -> None:
    for body in (b"\xff\xfe", b"\x00" * 10, b"{}\x00", "签名".encode("gbk")):
        answer = await SENDERS[vendor](body).post(stage.http)
        assert answer.status_code in (400, 401), (body, answer.text)
    assert await stage.inbox() == []


async def test_json_as_deep_as_can_be_read_but_not_written(stage: Stage) -> None:
    """Reading allows more depth than writing: the message must not spoil those that wait beside it."""
    for number, depth in enumerate((200, 250, 251, 252, 253, 254, 255, 900)):
        deep = b'{"MsgType":"event","CreateTime":1,"x":' + b"[" * depth + b"]" * depth + b"}"
        bad, good = await asyncio.gather(wechat(deep).post(stage.http), direct_numbered(number).post(stage.http))
        assert ACCEPTED["direct"](good)
        assert bad.status_code == (200 if depth == 200 else 400 if depth > 254 else bad.status_code), depth
        assert bad.status_code in (200, 400)


async def test_characters_beyond_the_basic_plane_are_kept(stage: Stage) -> None:
    pushed = orjson.loads(direct_order().body)
    pushed["order"]["lines"][0]["name"] = "螺栓 🔩 𠮷"
    assert ACCEPTED["direct"](await direct_order(orjson.dumps(pushed)).post(stage.http))
    (row,) = await stage.inbox()
    assert row.payload["lines"][0]["name"] == "螺栓 🔩 𠮷"


async def test_an_order_number_that_no_index_can_hold_is_refused(stage: Stage) -> None:
    body = direct_order().body
    for field, length in (("LogisticCode", 6000), ("OrderCode", 200)):
        track = {"OrderCode": "SO1", "LogisticCode": "YT1", "Success": True, "State": "2", "Traces": []}
        push = {"PushTime": "2026-01-02 10:00:00", "EBusinessID": "1000001", "Data": [{**track, field: "x" * length}]}
        answer = await SENDERS["kdniao"](orjson.dumps(push)).post(stage.http)
        assert answer.status_code == 400 and REFUSED["kdniao"](answer)
    assert ACCEPTED["direct"](await direct_order(body).post(stage.http))


@vendors
async def test_a_body_beyond_the_limit_is_413_in_the_vendors_words(stage: Stage, vendor: str) -> None:
    call = SENDERS[vendor](None)
    big = Call(call.source, call.body.ljust(MOST_BYTES + 1), call.query, call.headers)
    answer = await big.post(stage.http)
    assert answer.status_code == 413 and REFUSED[call.source](answer)
    assert await stage.inbox() == []


async def test_a_body_at_the_limit_is_read(stage: Stage) -> None:
    body = direct_order().body.ljust(MOST_BYTES)
    assert ACCEPTED["direct"](await direct_order(body).post(stage.http))


async def test_a_stream_without_a_length_is_bounded_too(stage: Stage) -> None:
    async def endless(pieces: int) -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield b" " * 50_000

    answer = await stage.http.post("/hooks/direct", content=endless(21))
    assert answer.status_code == 413
    answer = await stage.http.post("/hooks/direct", content=endless(19))
    assert answer.status_code == 401


async def test_a_sender_that_never_stops_is_cut_off(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(b"POST /hooks/direct HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n" + b"x" * 100)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 8)  # read to the end: the connection was closed
    assert answer.startswith(b"HTTP/1.1 413") and b"connection: close" in answer.lower()
    writer.close()


async def test_a_sender_that_hangs_up_half_way_leaves_no_trace(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", stage.port)) as half:
        half.sendall(b"POST /hooks/direct HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    assert "Traceback" not in caplog.text and "Exception" not in caplog.text
    assert (await stage.http.get("/health")).status_code == 200


async def test_compressed_bodies_are_not_taken(stage: Stage) -> None:
    call = direct_order()
    squeezed = Call("direct", call.body, {}, {**call.headers, "Content-Encoding": "gzip"})
    answer = await squeezed.post(stage.http)
    assert answer.status_code == 415 and REFUSED["direct"](answer)
    plain = Call("direct", call.body, {}, {**call.headers, "Content-Encoding": "identity"})
    assert ACCEPTED["direct"](await plain.post(stage.http))


async def test_unknown_sources_and_methods(stage: Stage) -> None:
    assert (await stage.http.post("/hooks/nobody", content=b"x")).status_code == 404
    assert (await stage.http.post("/hooks/", content=b"x")).status_code == 404
    assert (await stage.http.put("/hooks/direct", content=b"x")).status_code == 405
    assert (await stage.http.get("/hooks/direct")).status_code == 401


async def test_the_url_check_is_echoed_and_stores_nothing(stage: Stage) -> None:
    query = {**wechat().query, "echostr": "4398512345"}
    answer = await stage.http.get("/hooks/wechat", params=query)
    assert (answer.status_code, answer.text) == (200, "4398512345")
    forged = await stage.http.get("/hooks/wechat", params={**query, "signature": "0" * 40})
    assert forged.status_code == 401 and "4398512345" not in forged.text
    assert await stage.inbox() == []


async def test_query_values_are_decoded_once(stage: Stage) -> None:
    """The space of QiMen's timestamp comes as `+` or as `%20`."""
    call = qimen()
    for space in ("+", "%20"):
        query = str(httpx.QueryParams(dict(call.query))).replace("+", space)
        answer = await stage.http.post(f"/hooks/qimen?{query}", content=call.body)
        assert ACCEPTED["qimen"](answer), answer.text


async def test_fifty_at_the_same_instant_are_one_row(stage: Stage) -> None:
    call = direct_order()
    answers = await asyncio.gather(*(call.post(stage.http) for _ in range(50)))
    assert all(map(ACCEPTED["direct"], answers))
    assert len(await stage.inbox()) == 1


async def test_a_crowd_of_different_messages_is_all_stored(stage: Stage) -> None:
    answers = await asyncio.gather(*(direct_numbered(n).post(stage.http) for n in range(100)))
    assert all(map(ACCEPTED["direct"], answers))
    assert len({row.order_no for row in await stage.inbox()}) == 100


@vendors
async def test_while_the_database_is_down_the_vendor_is_told_to_repeat(stage: Stage, vendor: str) -> None:
    call, engine = SENDERS[vendor](None), stage.house.engine
    stage.house.engine = make_engine(NOWHERE)
    answer = await call.post(stage.http)
    assert answer.status_code == 503 and REFUSED[call.source](answer), answer.text
    await stage.house.engine.dispose()
    stage.house.engine = engine
    assert ACCEPTED[call.source](await call.post(stage.http))
    assert len(await stage.inbox()) == 1


async def test_above_the_rate_the_vendor_is_told_to_wait(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.bounds.TokenBucket.take", lambda *_: False)
    answer = await direct_order().post(stage.http)
    assert answer.status_code == 429 and REFUSED["direct"](answer)


async def test_refusals_are_counted_in_one_line_that_shows_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    call = SENDERS["wechat"](b'{"MsgType":"event","secret-content":1}').forged()
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            await call.post(stage.http)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("web")]
    assert len(lines) == 1 and "hook wechat: 1 refused with 401" in lines[0]
    assert "secret-content" not in caplog.text
    assert all(value not in caplog.text for name, value in call.query.items() if "sign" in name)


async def test_the_answer_says_what_was_not_understood(stage: Stage) -> None:
    pushed = orjson.loads(direct_order().body)
    pushed["order"]["total"] = 1
    answer = await direct_order(orjson.dumps(pushed)).post(stage.http)
    assert answer.status_code == 400 and "total says 1" in answer.json()["error"]
