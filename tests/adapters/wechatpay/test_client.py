"""Asking about payments and giving money back, on a wire without a world. Money must not go back twice."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from wechatpayv3.utils import rsa_sign

from adapters.errors import NotUnderstood, OutcomeUnknown, Refused, Unavailable, UnknownCode
from adapters.payments.wechatpay.client import Wechatpay
from ballast.domain.money import Money
from ballast.domain.words import Event
from ballast.ports import Refund, RefundRequest
from tests.adapters.wechatpay.test_signing import SETTINGS
from tests.adapters.wechatpay.test_webhook import PLATFORM_KEY, TRANSACTION
from tests.adapters.wire import BUSINESS, StoppedClock, Wire, connect, sample

REQUEST = RefundRequest(
    order_no="SO20260102001",
    transaction_id="4200000000202601020000000001",
    refund_no="SO20260102001-twice-0001",
    amount=Money(11300),
    captured=Money(11300),
    why="第二次付款",
)
REFUND: dict[str, Any] = orjson.loads(sample("wechatpay/refund_reply.json"))
NO_REFUND = httpx.Response(404, json={"code": "RESOURCE_NOT_EXISTS", "message": "退款单不存在"})
Answer = Callable[[httpx.Request], httpx.Response]


def client() -> Wechatpay:
    return Wechatpay(SETTINGS, StoppedClock())


def signed(document: dict[str, Any] | bytes, **changes: str) -> Answer:
    """A reply as the platform signs it, at the time of our stopped clock."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    headers = {
        "Wechatpay-Timestamp": "1767319200",
        "Wechatpay-Nonce": "N1",
        "Wechatpay-Serial": "MINE",
        "Wechatpay-Signature": rsa_sign(PLATFORM_KEY, f"1767319200\nN1\n{body.decode()}\n"),
    }
    return lambda _: httpx.Response(200, content=body, headers={**headers, **changes})


def methods(wire: Wire) -> list[str]:
    return [request.method for request in wire.requests]


async def test_asking_reads_the_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, signed(TRANSACTION))
    (news,) = await client().ask("SO20260102001")
    assert news.event is Event.PAYMENT_CAPTURED and news.charge is not None
    assert news.charge.amount == Money(11300)
    request = wire.requests[0]
    assert request.url.raw_path == b"/v3/pay/transactions/out-trade-no/SO20260102001?mchid=1900000001"
    assert request.headers["authorization"].startswith('WECHATPAY2-SHA256-RSA2048 mchid="1900000001"')


async def test_an_unpaid_order_is_noted_now(monkeypatch: pytest.MonkeyPatch) -> None:
    unpaid = {name: TRANSACTION[name] for name in ("mchid", "appid", "out_trade_no")}
    connect(monkeypatch, signed(unpaid | {"trade_state": "NOTPAY", "amount": {"total": 11300}}))
    (news,) = await client().ask("SO20260102001")
    assert (news.event, news.said, news.happened_at) == (Event.NOTED, "NOTPAY", BUSINESS)


async def test_an_order_that_nobody_began_to_pay_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, httpx.Response(404, json={"code": "ORDER_NOT_EXIST", "message": "订单不存在"}))
    assert await client().ask("SO1") == ()


@pytest.mark.parametrize(
    ("status", "code"), [(401, "SIGN_ERROR"), (404, "RESOURCE_NOT_EXISTS"), (400, "PARAM_ERROR"), (403, "NO_AUTH")]
)
async def test_a_refusal_carries_their_code_and_words(monkeypatch: pytest.MonkeyPatch, status: int, code: str) -> None:
    connect(monkeypatch, httpx.Response(status, json={"code": code, "message": "不行"}))
    with pytest.raises(Refused, match=f"{code}.*SO1.*不行"):
        await client().ask("SO1")


@pytest.mark.parametrize(
    "changes",
    [
        {"Wechatpay-Signature": "bm8="},
        {"Wechatpay-Serial": "UNKNOWN"},
        {"Wechatpay-Timestamp": str(int(time.time()) + 10**6)},
    ],
)
async def test_an_unsigned_reply_is_not_believed(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    connect(monkeypatch, signed(TRANSACTION, **changes), signed(REFUND, **changes))
    provider = client()
    with pytest.raises(Unavailable, match="PLATFORM_KEYS"):
        await provider.ask("SO20260102001")
    with pytest.raises(OutcomeUnknown, match="PLATFORM_KEYS"):
        await provider.refund(REQUEST)


@pytest.mark.parametrize(
    "changes", [{"mchid": "1900000002"}, {"appid": "wx0000000000000002"}, {"out_trade_no": "SO20260102999"}]
)
async def test_somebody_elses_payment_is_not_believed(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    connect(monkeypatch, signed(TRANSACTION | changes))
    with pytest.raises(NotUnderstood):
        await client().ask("SO20260102001")


async def test_an_unknown_state_parks(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, signed(TRANSACTION | {"trade_state": "HALFPAID"}))
    with pytest.raises(UnknownCode, match="HALFPAID"):
        await client().ask("SO20260102001")


async def test_order_numbers_cannot_change_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, httpx.Response(404, json={"code": "ORDER_NOT_EXIST"}))
    await client().ask("SO/../1?x=1")
    assert wire.requests[0].url.raw_path.count(b"/") == 5 and wire.requests[0].url.raw_path.count(b"?") == 1


async def test_a_refund_is_asked_for_under_our_number(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, signed(REFUND), signed(REFUND))
    receipt = await client().refund(REQUEST)
    assert wire.json(0) == {
        "transaction_id": "4200000000202601020000000001",
        "out_refund_no": "SO20260102001-twice-0001",
        "reason": "第二次付款",
        "amount": {"refund": 11300, "total": 11300, "currency": "CNY"},
    }
    assert (receipt.reference, receipt.detail["status"]) == ("50300000002026010300000000001", "PROCESSING")


async def test_the_notify_url_goes_along_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, signed(REFUND), signed(REFUND))
    settings = SETTINGS.model_copy(update={"notify_url": "https://shop.example/hooks/wechatpay"})
    await Wechatpay(settings, StoppedClock()).refund(REQUEST)
    assert wire.json(0)["notify_url"] == "https://shop.example/hooks/wechatpay"


@pytest.mark.parametrize(
    ("amount", "captured"),
    [
        (Money(11301), Money(11300)),
        (Money(0), Money(11300)),
        (Money(-1), Money(11300)),
        (Money(100, "USD"), Money(11300)),
    ],
)
async def test_more_than_was_taken_is_refused_before_any_call(
    monkeypatch: pytest.MonkeyPatch, amount: Money, captured: Money
) -> None:
    wire = connect(monkeypatch)
    for look_first in (False, True):
        with pytest.raises(Refused, match="cannot give back"):
            await client().refund(replace(REQUEST, amount=amount, captured=captured), look_first=look_first)
    assert wire.requests == []


async def test_a_time_out_is_looked_up_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, httpx.ReadTimeout("slow"), signed(REFUND))
    provider = client()
    with pytest.raises(OutcomeUnknown):
        await provider.refund(REQUEST)
    await provider.refund(REQUEST, look_first=True)
    assert methods(wire) == ["POST", "GET"]
    assert wire.requests[1].url.path.endswith("/v3/refund/domestic/refunds/SO20260102001-twice-0001")


async def test_looking_first_and_finding_nothing_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, NO_REFUND, signed(REFUND), signed(REFUND))
    await client().refund(REQUEST, look_first=True)
    assert methods(wire) == ["GET", "POST", "GET"]


async def test_a_refund_that_was_taken_and_is_not_known_has_no_outcome_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, signed(REFUND), NO_REFUND)
    with pytest.raises(OutcomeUnknown, match="SO20260102001-twice-0001 was taken and is not known"):
        await client().refund(REQUEST)
    assert methods(wire) == ["POST", "GET"]


@pytest.mark.parametrize(
    "look",
    [
        [httpx.Response(403, json={"code": "NO_AUTH", "message": "无权限"})],
        [httpx.Response(404, json={"code": "ORDER_NOT_EXIST", "message": "订单不存在"})],
        [httpx.Response(429)] * 3,
        [signed(REFUND, **{"Wechatpay-Signature": "bm8="})],
    ],
)
async def test_a_look_that_fails_is_no_refusal_of_the_refund_that_was_taken(
    monkeypatch: pytest.MonkeyPatch, look: list[Any]
) -> None:
    """A refusal would free its share of the charge in the books, while the money is on its way."""
    connect(monkeypatch, signed(REFUND), *look)
    with pytest.raises(OutcomeUnknown, match="SO20260102001-twice-0001 was taken"):
        await client().refund(REQUEST)


ASKED = {**REFUND, "status": "SUCCESS", "success_time": "2026-01-03T09:00:00+08:00"}


async def test_asking_about_a_refund_tells_what_its_notice_would(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, signed(ASKED))
    (news,) = await client().ask_refund(REQUEST.order_no, REQUEST.refund_no)
    assert wire.requests[0].url.path.endswith("/v3/refund/domestic/refunds/SO20260102001-twice-0001")
    assert (news.event, news.field, news.said) == (Event.REFUNDED, "refund_status", "SUCCESS")
    assert news.happened_at == datetime(2026, 1, 3, 1, 0, tzinfo=UTC)
    assert news.refund == Refund(
        refund_no=REQUEST.refund_no,
        transaction_id=REQUEST.transaction_id,
        amount=Money(11300),
        captured=Money(11300),
    )


@pytest.mark.parametrize(
    ("status", "event"), [("PROCESSING", Event.NOTED), ("CLOSED", Event.HELD), ("ABNORMAL", Event.HELD)]
)
async def test_a_refund_that_did_not_arrive_is_told_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, status: str, event: Event
) -> None:
    connect(monkeypatch, signed(REFUND | {"status": status}))
    (news,) = await client().ask_refund(REQUEST.order_no, REQUEST.refund_no)
    assert (news.event, news.said, news.happened_at) == (event, status, BUSINESS)


async def test_a_refund_that_nobody_knows_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, NO_REFUND)
    assert await client().ask_refund(REQUEST.order_no, REQUEST.refund_no) == ()


@pytest.mark.parametrize("changes", [{"out_refund_no": "ANOTHER"}, {"out_trade_no": "SO20260102999"}])
async def test_another_refund_is_not_believed(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    connect(monkeypatch, signed(ASKED | changes))
    with pytest.raises(NotUnderstood, match="asked about refund SO20260102001-twice-0001"):
        await client().ask_refund(REQUEST.order_no, REQUEST.refund_no)


@pytest.mark.parametrize(("status", "kind"), [("CLOSED", Refused), ("ABNORMAL", Refused), ("NEW-WORD", NotUnderstood)])
async def test_a_refund_that_ended_badly_needs_a_person(
    monkeypatch: pytest.MonkeyPatch, status: str, kind: type[Exception]
) -> None:
    """A word that is in no map is no refusal: the money may be on its way, and its share stays taken."""
    connect(monkeypatch, *[signed(REFUND | {"status": status})] * 2)
    with pytest.raises(kind, match=status):
        await client().refund(REQUEST)


async def test_a_refund_of_another_amount_under_our_number_needs_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, signed(REFUND | {"amount": {"total": 11300, "refund": 300}}))
    with pytest.raises(NotUnderstood, match="300 instead of 11300"):
        await client().refund(REQUEST, look_first=True)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (httpx.Response(403, json={"code": "NOT_ENOUGH", "message": "余额不足"}), Refused),
        (httpx.Response(500, json={"code": "SYSTEM_ERROR"}), OutcomeUnknown),
        (httpx.Response(404, text="<html>"), OutcomeUnknown),
        (httpx.ReadError("gone"), OutcomeUnknown),
    ],
)
async def test_a_failed_refund_is_not_repeated_here(
    monkeypatch: pytest.MonkeyPatch, reply: Any, kind: type[Exception]
) -> None:
    wire = connect(monkeypatch, reply)
    with pytest.raises(kind):
        await client().refund(REQUEST)
    assert len(wire.requests) == 1


async def test_secrets_are_in_no_text(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    connect(monkeypatch, signed(TRANSACTION, **{"Wechatpay-Signature": "bm8="}))
    provider = client()
    with pytest.raises(Unavailable) as caught:
        await provider.ask("SO20260102001")
    for text in (str(caught.value), repr(provider), repr(SETTINGS), caplog.text):
        assert "PRIVATE KEY" not in text and "0123456789abcdef" not in text and "oTest" not in text
