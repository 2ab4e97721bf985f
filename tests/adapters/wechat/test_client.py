"""Telling the shop, on a wire without a world. The effect is counted: an upload must not happen twice."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from adapters.errors import NotUnderstood, NotYet, OutcomeUnknown, Refused, Throttled, UnknownCode
from adapters.storefronts.wechat.client import Wechat
from adapters.storefronts.wechat.documents import describe, mask, shipping_document
from ballast.domain.words import Event, HoldReason
from ballast.ports import Parcel
from ballast.settings import WechatSettings
from tests.adapters.wechat.test_envelope import AES_KEY
from tests.adapters.wire import BUSINESS, StoppedClock, connect, make_order, sample

SETTINGS = WechatSettings(
    app_id="wx0000000000000001",
    app_secret=SecretStr("app-secret-0001"),
    token=SecretStr("testtoken"),
    encoding_aes_key=SecretStr(AES_KEY),
    mchid="1900000001",
)
TOKEN = sample("wechat/token.json")
OK = {"errcode": 0, "errmsg": "ok"}
YTO = Parcel(carrier="YTO", waybill="YT0000000000001", items={"SKU-001": 2})
SF = Parcel(carrier="SF", waybill="SF0000000000001", items={"SKU-002": 1})
ORDER = make_order(YTO)
SIGNED_AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def client(clock: StoppedClock | None = None) -> Wechat:
    return Wechat(SETTINGS, clock or StoppedClock())


def error(code: int, message: str = "no") -> dict[str, Any]:
    return {"errcode": code, "errmsg": message}


def shop_order(**changes: Any) -> dict[str, Any]:
    document = orjson.loads(sample("wechat/get_order.json"))
    return {**document, "order": {**document["order"], **changes}}


NOT_SHIPPED = shop_order(order_state=1, shipping={"delivery_mode": 0, "shipping_list": None})
BOTH_SHIPPED = shop_order(shipping={"shipping_list": [{"tracking_no": YTO.waybill}, {"tracking_no": SF.waybill}]})


async def test_one_parcel_is_told_as_the_sheet_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, TOKEN, OK, shop_order())
    receipt = await client().tell_shipped(ORDER)
    expected = orjson.loads(sample("wechat/upload_shipping_info.json"))
    expected["upload_time"] = "2026-03-04T13:06:07.891+08:00"
    del expected["shipping_list"][0]["contact"]  # only SF asks for it
    assert wire.json(1) == expected
    assert wire.requests[1].url.params["access_token"] == "T0K3N+/="
    assert b"%2B%2F%3D" in wire.requests[1].url.query
    assert (receipt.reference, receipt.detail["waybills"]) == ("4200000000202601020000000001", ["YT0000000000001"])


async def test_chinese_goes_out_unescaped(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, TOKEN, OK, shop_order())
    await client().tell_shipped(ORDER)
    assert "手机壳*2".encode() in wire.requests[1].content


def test_several_parcels_are_split_and_complete() -> None:
    document = shipping_document(make_order(YTO, SF), "1900000001", BUSINESS)
    assert (document["delivery_mode"], document["is_all_delivered"]) == (2, True)
    first, second = document["shipping_list"]
    assert "contact" not in first
    assert second["contact"] == {"receiver_contact": "139****0001"}
    assert (first["item_desc"], second["item_desc"]) == ("手机壳*2", "数据线*1")


@pytest.mark.parametrize(("ours", "theirs"), [("YD", "YUNDA"), ("SF", "SF"), ("STO", "STO"), ("DBL", "DB")])
def test_carriers_are_told_in_the_shops_dialect(ours: str, theirs: str) -> None:
    parcel = Parcel(carrier=ours, waybill="X1", items={})
    document = shipping_document(make_order(parcel), "1900000001", BUSINESS)
    assert document["shipping_list"][0]["express_company"] == theirs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parcels": ()}, "no parcels"),
        ({"parcels": (YTO,) * 16}, "16 parcels"),
        ({"openid": None, "parcels": (YTO,)}, "openid"),
        ({"parcels": (Parcel(carrier="DHL", waybill="1", items={}),)}, "DHL"),
    ],
)
async def test_what_the_shop_cannot_express_is_refused_before_any_call(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    wire = connect(monkeypatch)
    with pytest.raises(Refused, match=words):
        await client().tell_shipped(make_order(**changes))
    assert wire.requests == []


def test_descriptions_fit() -> None:
    everything = Parcel(carrier="YTO", waybill="1", items={})
    assert describe(ORDER, everything) == "手机壳*2,数据线*1"
    assert describe(ORDER, Parcel(carrier="YTO", waybill="1", items={"SKU-9": 3})) == "SKU-9*3"
    many = Parcel(carrier="YTO", waybill="1", items={f"SKU-{number}": 1 for number in range(100)})
    assert len(describe(ORDER, many)) == 120


@pytest.mark.parametrize(
    ("mobile", "masked"),
    [("13900000001", "139****0001"), ("+8613900000001", "+86****0001"), ("5550001", "****0001"), ("1", "****1")],
)
def test_at_most_seven_characters_of_a_mobile_are_shown(mobile: str, masked: str) -> None:
    assert mask(mobile) == masked


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(10060001), NotYet),
        (error(10060004), Refused),
        (error(47001), Refused),
        (error(45009), Throttled),
        (error(45011), Throttled),
        (error(-1), OutcomeUnknown),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.Response(500), OutcomeUnknown),
        (b"<html>", OutcomeUnknown),
        ({"errcode": "many"}, NotUnderstood),
    ],
)
async def test_a_failed_upload_is_not_repeated_here(
    monkeypatch: pytest.MonkeyPatch, reply: Any, kind: type[Exception]
) -> None:
    wire = connect(monkeypatch, TOKEN, reply)
    with pytest.raises(kind) as caught:
        await client().tell_shipped(ORDER)
    assert type(caught.value) is kind
    assert wire.paths == ["stable_token", "upload_shipping_info"]


async def test_looking_first_finds_what_a_time_out_hid(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, TOKEN, httpx.ReadTimeout("slow"), shop_order())
    shop = client()
    with pytest.raises(OutcomeUnknown):
        await shop.tell_shipped(ORDER)
    receipt = await shop.tell_shipped(ORDER, look_first=True)
    assert receipt.reference == "4200000000202601020000000001"
    assert wire.paths.count("upload_shipping_info") == 1


async def test_looking_first_and_finding_nothing_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, TOKEN, NOT_SHIPPED, OK, shop_order())
    await client().tell_shipped(ORDER, look_first=True)
    assert wire.paths == ["stable_token", "get_order", "upload_shipping_info", "get_order"]
    assert wire.json(1) == {
        "merchant_id": "1900000001", "sub_merchant_id": "", "merchant_trade_no": "SO20260102001",
    }  # fmt: skip


async def test_looking_first_at_half_of_it_uploads_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, TOKEN, shop_order(), OK, BOTH_SHIPPED)
    await client().tell_shipped(make_order(YTO, SF), look_first=True)
    assert len(wire.json(2)["shipping_list"]) == 2


@pytest.mark.parametrize("seen", [NOT_SHIPPED, error(10060001)])
async def test_waybills_that_were_taken_and_are_not_there_are_not_told(
    monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any]
) -> None:
    wire = connect(monkeypatch, TOKEN, OK, seen)
    with pytest.raises(OutcomeUnknown, match=r"SO20260102001.*taken and are not there"):
        await client().tell_shipped(ORDER)
    assert wire.paths == ["stable_token", "upload_shipping_info", "get_order"]


async def test_half_of_what_was_taken_is_not_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, TOKEN, OK, shop_order())
    with pytest.raises(OutcomeUnknown, match="not there"):
        await client().tell_shipped(make_order(YTO, SF))


@pytest.mark.parametrize("code", [10060002, 10060003])
async def test_shipped_before_is_fine_when_it_was_us(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    connect(monkeypatch, TOKEN, error(code), shop_order())
    assert (await client().tell_shipped(ORDER)).detail["order_state"] == 2


@pytest.mark.parametrize("code", [10060002, 10060003])
async def test_shipped_before_by_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    other = shop_order(shipping={"shipping_list": [{"tracking_no": "SOMEBODY-ELSES"}]})
    connect(monkeypatch, TOKEN, error(code), other)
    with pytest.raises(Refused, match=str(code)):
        await client().tell_shipped(ORDER)


@pytest.mark.parametrize("code", [40001, 42001])
async def test_a_stale_token_is_renewed_once(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    renewed = {"access_token": "second", "expires_in": 7200}
    wire = connect(monkeypatch, TOKEN, error(code), renewed, OK, shop_order())
    await client().tell_shipped(ORDER)
    assert wire.requests[-1].url.params["access_token"] == "second"


async def test_a_token_that_stays_stale_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, TOKEN, error(40001), TOKEN, error(40001))
    with pytest.raises(Refused, match="40001"):
        await client().tell_shipped(ORDER)
    assert wire.paths.count("upload_shipping_info") == 2


async def test_one_token_serves_everybody_until_shortly_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock()
    wire = connect(monkeypatch, TOKEN, *[NOT_SHIPPED] * 6, TOKEN, NOT_SHIPPED)
    shop = client(clock)
    await asyncio.gather(*(shop.ask("SO20260102001") for _ in range(5)))
    clock.pass_seconds(7200 - 301)
    await shop.ask("SO20260102001")
    assert wire.paths.count("stable_token") == 1
    clock.pass_seconds(2)
    await shop.ask("SO20260102001")
    assert wire.paths.count("stable_token") == 2
    assert wire.json(0) == {
        "grant_type": "client_credential", "appid": "wx0000000000000001", "secret": "app-secret-0001",
    }  # fmt: skip


async def test_many_stale_callers_fetch_one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    granted = iter(["first", "second"])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("stable_token"):
            return httpx.Response(200, json={"access_token": next(granted), "expires_in": 7200})
        return httpx.Response(200, json=error(40001) if request.url.params["access_token"] == "first" else NOT_SHIPPED)

    connect(monkeypatch, *[answer] * 20)
    shop = client()
    answers = await asyncio.gather(*(shop.ask("SO20260102001") for _ in range(5)))
    assert all(answers) and list(granted) == []


@pytest.mark.parametrize(("code", "words"), [(40013, "APP_ID"), (40125, "APP_SECRET")])
async def test_wrong_credentials_say_which(monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    connect(monkeypatch, error(code))
    with pytest.raises(Refused, match=words):
        await client().ping()


async def test_received_is_told_once_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, TOKEN, OK)
    await client().tell_received(ORDER, SIGNED_AT)
    assert wire.paths[-1] == "notify_confirm_receive"
    assert wire.json(1)["received_time"] == int(SIGNED_AT.timestamp())


@pytest.mark.parametrize("state", [3, 4, 5, 6])
async def test_who_confirmed_needs_no_reminder(monkeypatch: pytest.MonkeyPatch, state: int) -> None:
    wire = connect(monkeypatch, TOKEN, shop_order(order_state=state))
    await client().tell_received(ORDER, SIGNED_AT, look_first=True)
    assert "notify_confirm_receive" not in wire.paths


async def test_a_reminder_refused_after_confirmation_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, TOKEN, error(10060004), shop_order(order_state=3))
    assert (await client().tell_received(ORDER, SIGNED_AT)).detail == {"receipt": "told before"}


@pytest.mark.parametrize("words", ["每个支付单只能提醒一次", "该支付单已提醒过", "already reminded"])
async def test_a_second_reminder_is_as_good_as_the_first(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    connect(monkeypatch, TOKEN, shop_order(), error(10060010, words))
    assert (await client().tell_received(ORDER, SIGNED_AT, look_first=True)).detail == {"receipt": "told before"}


@pytest.mark.parametrize("words", ["支付单已关闭,不能提醒", "支付单未发货"])
async def test_another_refusal_of_a_reminder_stands(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    connect(monkeypatch, TOKEN, error(10060004, words), shop_order(order_state=2))
    with pytest.raises(Refused, match=words):
        await client().tell_received(ORDER, SIGNED_AT)


@pytest.mark.parametrize(
    ("state", "event", "at"),
    [
        (1, Event.NOTED, datetime.fromtimestamp(1767315360, UTC)),
        (2, Event.NOTED, datetime.fromtimestamp(1767319200, UTC)),
        (3, Event.RECEIPT_CONFIRMED, BUSINESS),
        (4, Event.RECEIPT_CONFIRMED, BUSINESS),
        (5, Event.REFUNDED, BUSINESS),
        (6, Event.NOTED, BUSINESS),
    ],
)
async def test_every_state_of_the_sheet(
    monkeypatch: pytest.MonkeyPatch, state: int, event: Event, at: datetime
) -> None:
    connect(monkeypatch, TOKEN, shop_order(order_state=state))
    (news,) = await client().ask("SO20260102001")
    assert (news.field, news.said, news.event, news.happened_at) == ("order_state", str(state), event, at)


async def test_a_complaint_is_a_second_piece_of_news(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, TOKEN, shop_order(in_complaint=True))
    _, complaint = await client().ask("SO20260102001")
    assert (complaint.event, complaint.reason) == (Event.HELD, HoldReason.COMPLAINT)


async def test_an_unknown_state_parks(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, TOKEN, shop_order(order_state=7))
    with pytest.raises(UnknownCode, match="order_state"):
        await client().ask("SO20260102001")


async def test_an_order_that_the_shop_does_not_know_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, TOKEN, error(10060001), error(10060001))
    shop = client()
    assert await shop.ask("SO1") == ()
    assert "answers" in await shop.ping()


async def test_secrets_are_in_no_text(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    connect(monkeypatch, TOKEN, httpx.ReadTimeout("slow"))
    shop = client()
    with pytest.raises(OutcomeUnknown) as caught:
        await shop.tell_shipped(ORDER)
    for text in (str(caught.value), repr(shop), repr(SETTINGS), caplog.text):
        assert "app-secret-0001" not in text and "T0K3N" not in text and "13900000001" not in text
