"""The trade bill as it comes over HTTP: asked for, fetched, unpacked, checked; read to the cent of the truth."""

import asyncio
import gzip
import hashlib
import time
from datetime import datetime

import httpx
import orjson
import pytest

from adapters.errors import Unavailable
from adapters.payments.wechatpay.bill import read_bill
from adapters.payments.wechatpay.client import Wechatpay
from ballast.clock import SHANGHAI, Clock
from ballast.domain.statements import LineKind
from tests.adapters.wechatpay.test_client import client, signed
from tests.adapters.wire import connect
from tests.contracts.outside import START, settings_for, start_world

BILL = b"the bill"
PLACE = {
    "hash_type": "SHA1",
    "hash_value": hashlib.sha1(BILL).hexdigest(),
    "download_url": "https://x.test/file?token=T",
}


async def test_the_bill_of_a_day_says_what_the_provider_took() -> None:
    world = start_world(clock={"start": START, "speed": 400_000.0, "anchor": time.time()})  # a day takes a blink
    here = Wechatpay(settings_for(world).wechatpay, Clock())
    try:
        order = (await world.place())["order"]
        order_no = order["order_no"]
        await world.act(order_no, "pay", twice=True)
        told = (await world.truth(order_no))["payments"]
        day = datetime.fromisoformat(told[0]["paid_at"]).astimezone(SHANGHAI).date().isoformat()
        read = read_bill(await _when_ready(here, day))
    finally:
        await here.close()
        await world.stop()
    mine = [line for line in read.lines if line.order_no == order_no]
    assert {(line.transaction_id, line.amount.amount, line.kind) for line in mine} == {
        (one["transaction_id"], one["amount"], LineKind.CHARGE) for one in told
    }
    assert (read.account, len(mine)) == ("1900000001", 2)


async def _when_ready(here: Wechatpay, day: str) -> bytes:
    async with asyncio.timeout(20):
        while True:
            try:
                return await here.bill(day)
            except Unavailable as no:
                assert no.code == "STATEMENT_CREATING", no
                await asyncio.sleep(0.1)


async def test_it_is_asked_for_then_fetched_with_a_signature_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, signed(PLACE), httpx.Response(200, content=gzip.compress(BILL)))
    assert await client().bill("2026-01-02") == BILL
    asked, fetched = wire.requests
    assert asked.url.raw_path == b"/v3/bill/tradebill?bill_date=2026-01-02&bill_type=ALL&tar_type=GZIP"
    assert str(fetched.url) == PLACE["download_url"] and "signature=" in fetched.headers["authorization"]


async def test_half_a_file_is_no_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gzip.compress(BILL)
    for broken in (whole[:-12], gzip.compress(BILL[:-1]), b"\x1f\x8bno"):
        connect(monkeypatch, signed(PLACE), httpx.Response(200, content=broken))
        with pytest.raises(Unavailable, match="fetch it again"):
            await client().bill("2026-01-02")


async def test_a_day_without_a_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, httpx.Response(400, content=orjson.dumps({"code": "NO_STATEMENT_EXIST", "message": "无"})))
    assert await client().bill("2026-01-02") == b""
