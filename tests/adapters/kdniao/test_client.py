"""Subscribing and asking, on a wire without a world."""

from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from adapters.couriers.kdniao.client import Kdniao
from adapters.couriers.kdniao.signing import data_sign
from adapters.errors import NotUnderstood, OutcomeUnknown, Refused, Throttled, Unavailable, UnknownCode
from ballast.domain.words import Event
from ballast.ports import Waybill
from ballast.settings import KdniaoSettings
from tests.adapters.wire import StoppedClock, Wire, connect, sample

KEY = "11111111-2222-3333-4444-555555555555"
SETTINGS = KdniaoSettings(ebusiness_id="1000001", api_key=SecretStr(KEY))
WAYBILL = Waybill(order_no="SO20260102001", carrier="YTO", waybill="YT0000000000001", phone_tail="0001")


def client() -> Kdniao:
    return Kdniao(SETTINGS, StoppedClock())


@pytest.mark.parametrize(
    ("request_data", "key", "expected"),
    [
        (
            "{'OrderCode':'','ShipperCode':'SF','LogisticCode':'118954907573'}",
            "56da2cf8-c8a2-44b2-b6fa-476cd7d1ba17",
            "OWFhM2I5N2ViM2U2MGRkMjc4YzU2NmVlZWI3ZDk0MmE=",
        ),
        (
            '{"OrderCode":"","CustomerName":"1234","ShipperCode":"SF","LogisticCode":"SF0000000000001"}',
            KEY,
            "ODkzNjZlZGRkOTBkZDRkOGFkNDNiYjg0OTM3ZTQ2YmE=",
        ),
        (
            '{"ShipperCode":"YTO","LogisticCode":"YT0000000000001","Receiver":{"Name":"张三"}}',
            KEY,
            "MWU0NzM0NGViODhjZjJlMWQxY2JhMWFlNTdiZWJjZWU=",
        ),
    ],
)
def test_the_signature_vectors_of_the_sheet(request_data: str, key: str, expected: str) -> None:
    assert data_sign(request_data, key) == expected


def form_of(wire: Wire) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(wire.requests[-1].content.decode()).items()}


async def test_subscribing_signs_what_it_sends_and_encodes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, sample("kdniao/subscribed.json"))
    receipt = await client().subscribe(WAYBILL)
    form = form_of(wire)
    assert form["RequestData"] == ('{"OrderCode":"SO20260102001","ShipperCode":"YTO","LogisticCode":"YT0000000000001"}')
    assert form["DataSign"] == data_sign(form["RequestData"], KEY)
    assert (form["RequestType"], form["EBusinessID"], form["DataType"]) == ("1008", "1000001", "2")
    assert b"%3D&" in wire.requests[0].content and b"%253D" not in wire.requests[0].content
    assert wire.requests[0].headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert (receipt.reference, receipt.detail["UpdateTime"]) == ("YT0000000000001", "2026-01-01 12:00:00")


@pytest.mark.parametrize(("carrier", "tail"), [("SF", "0001"), ("ZTO", "0001"), ("KYSY", "0001"), ("YTO", None)])
async def test_the_phone_tail_goes_to_those_who_ask_for_it(
    monkeypatch: pytest.MonkeyPatch, carrier: str, tail: str | None
) -> None:
    wire = connect(monkeypatch, sample("kdniao/subscribed.json"))
    await client().subscribe(Waybill(order_no="SO1", carrier=carrier, waybill="X1", phone_tail="0001"))
    assert (f'"CustomerName":"{tail}"' in form_of(wire)["RequestData"]) == (tail is not None)


async def test_sf_without_a_phone_tail_is_refused_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch)
    with pytest.raises(Refused, match="last four digits"):
        await client().subscribe(Waybill(order_no="SO1", carrier="SF", waybill="SF1"))
    assert wire.requests == []


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("非法参数:数据签名DataSign验证不通过", Refused),
        ("单号与快递公司不符", Refused),
        ("没有可用套餐", Refused),
        ("访问过于频繁", Throttled),
        ("今日查询次数已达上限", Throttled),
        ("系统繁忙,请稍后再试", Unavailable),
    ],
)
async def test_the_reason_decides_who_must_act(
    monkeypatch: pytest.MonkeyPatch, reason: str, kind: type[Exception]
) -> None:
    connect(monkeypatch, *[{"EBusinessID": "1000001", "Success": False, "Reason": reason}] * 2)
    for call in (client().subscribe(WAYBILL), client().track(WAYBILL)):
        with pytest.raises(kind, match=reason) as caught:
            await call
        assert type(caught.value) is kind


@pytest.mark.parametrize("reason", ["该单号已订阅", "重复订阅", "订阅关系已存在", "already subscribed"])
async def test_a_refused_second_subscription_is_as_good_as_the_first(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    connect(monkeypatch, {"EBusinessID": "1000001", "Success": False, "Reason": reason})
    assert (await client().subscribe(WAYBILL, look_first=True)).reference == WAYBILL.waybill


async def test_a_time_out_leaves_the_outcome_open_and_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown, match="SO20260102001"):
        await client().subscribe(WAYBILL)
    assert len(wire.requests) == 1


async def test_a_page_of_a_proxy_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, b"<html>", b"<html>")
    with pytest.raises(OutcomeUnknown):
        await client().subscribe(WAYBILL)
    with pytest.raises(Unavailable):
        await client().track(WAYBILL)


async def test_tracking_reads_the_reply_of_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, sample("kdniao/track_8001.json"))
    (news,) = await client().track(WAYBILL)
    assert form_of(wire)["RequestType"] == "8001"
    assert (news.order_no, news.event, news.said) == ("SO20260102001", Event.PARCEL_SIGNED, "301")
    assert news.first_scan_at == datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    assert news.happened_at == datetime(2026, 1, 2, 1, 58, tzinfo=UTC)


async def test_no_scan_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sample("kdniao/track_none.json"))
    assert await client().track(WAYBILL) == ()


async def test_a_reply_about_another_parcel_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sample("kdniao/track_8001.json").replace(b"YT0000000000001", b"YT0000000000009"))
    with pytest.raises(NotUnderstood, match="YT0000000000009"):
        await client().track(WAYBILL)


async def test_an_unknown_code_in_a_reply_parks(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, sample("kdniao/track_8001.json").replace(b'"StateEx":"301"', b'"StateEx":"888"'))
    with pytest.raises(UnknownCode, match="888"):
        await client().track(WAYBILL)


async def test_the_key_is_in_no_text(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    wire = connect(monkeypatch, httpx.ReadTimeout("slow"))
    caplog.set_level("DEBUG")
    courier = client()
    with pytest.raises(OutcomeUnknown) as caught:
        await courier.subscribe(WAYBILL)
    for text in (str(caught.value), repr(courier), repr(SETTINGS), caplog.text, wire.requests[0].content.decode()):
        assert KEY not in text
