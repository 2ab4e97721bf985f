"""Notices: the sheet's vector from raw bytes to news, whose money it is, partial and whole refunds."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from wechatpayv3.utils import rsa_sign

from adapters.errors import BadSignature, NotUnderstood, UnknownCode
from adapters.payments.wechatpay.status import CODES
from adapters.payments.wechatpay.webhook import WechatpayHook
from ballast.domain.money import Money
from ballast.domain.words import Event, HoldReason
from ballast.ports import Delivery, Meaning, News, Refund
from tests.adapters.wechatpay.test_signing import APIV3_KEY, BODY, HEADERS, NOW, SETTINGS, without
from tests.adapters.wire import post, sample
from tests.contracts.outside import key_pair

HOOK = WechatpayHook(SETTINGS)
PLATFORM_KEY = load_pem_private_key(key_pair("platform").private.encode(), password=None)
TRANSACTION: dict[str, Any] = orjson.loads(sample("wechatpay/transaction_resource.json"))
REFUND: dict[str, Any] = orjson.loads(sample("wechatpay/refund_resource.json"))


def signed(body: bytes) -> dict[str, str]:
    signature = rsa_sign(PLATFORM_KEY, f"1767315361\nNONCE\n{body.decode()}\n")
    changes = {"wechatpay-nonce": "NONCE", "wechatpay-signature": signature, "wechatpay-serial": "MINE"}
    return {**HEADERS, **changes}


def notice(event_type: str, resource: bytes, **changes: Any) -> bytes:
    cipher = AESGCM(APIV3_KEY.encode()).encrypt(b"123456789012", resource, b"aad")
    encrypted = {
        "algorithm": "AEAD_AES_256_GCM", "ciphertext": b64encode(cipher).decode(), "associated_data": "aad",
        "nonce": "123456789012",
    }  # fmt: skip
    document = {"id": "EV-1", "create_time": "2026-01-02T08:56:01+08:00", "event_type": event_type}
    return orjson.dumps({**document, "resource": {**encrypted, **changes}})


def receive(event_type: str, resource: dict[str, Any]) -> Delivery:
    body = notice(event_type, orjson.dumps(resource))
    return HOOK.receive(post(body, headers=signed(body)), NOW)


def read(event_type: str, resource: dict[str, Any]) -> News:
    (message,) = receive(event_type, resource).messages
    news = HOOK.read(message, CODES)
    assert news is not None
    return news


def test_the_vector_of_the_sheet_from_bytes_to_news() -> None:
    (message,) = HOOK.receive(post(BODY, headers=HEADERS), NOW).messages
    assert (message.event_id, message.topic) == ("EV-2026010208560000001", "TRANSACTION.SUCCESS")
    assert message.order_no == "SO20260102001"
    assert {name: message.payload[name] for name in TRANSACTION} == TRANSACTION
    assert message.payload["event_type"] == "TRANSACTION.SUCCESS"
    news = HOOK.read(message, CODES)
    assert news is not None and news.charge is not None
    paid_at = datetime(2026, 1, 2, 0, 56, tzinfo=UTC)
    assert (news.event, news.said, news.happened_at) == (Event.PAYMENT_CAPTURED, "SUCCESS", paid_at)
    assert news.charge.transaction_id == "4200000000202601020000000001"
    assert (news.charge.amount, news.charge.merchant, news.charge.paid_at) == (
        Money(11300), "1900000001", paid_at,
    )  # fmt: skip
    assert news.charge.payer == "oTest0000000000000000000001" and "oTest" not in repr(news)


@pytest.mark.parametrize("name", HEADERS)
def test_every_header_is_needed(name: str) -> None:
    with pytest.raises(BadSignature):
        HOOK.receive(post(BODY, headers=without(name)), NOW)


def test_probe_traffic_is_refused() -> None:
    probe = {**HEADERS, "wechatpay-signature": "WECHATPAY/SIGNTEST/" + HEADERS["wechatpay-signature"]}
    with pytest.raises(BadSignature):
        HOOK.receive(post(BODY, headers=probe), NOW)


@pytest.mark.parametrize(
    ("field", "value"), [("mchid", "1900000002"), ("appid", "wx0000000000000002"), ("appid", None), ("mchid", None)]
)
def test_money_for_somebody_else_is_not_ours(field: str, value: str | None) -> None:
    with pytest.raises(NotUnderstood, match=field) as refused:
        receive("TRANSACTION.SUCCESS", TRANSACTION | {field: value})
    assert refused.value.order_no == "SO20260102001"


def test_a_refund_of_somebody_else_is_not_ours() -> None:
    with pytest.raises(NotUnderstood, match="mchid"):
        receive("REFUND.SUCCESS", REFUND | {"mchid": "1900000002"})


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("NOTPAY", Event.NOTED),
        ("USERPAYING", Event.NOTED),
        ("ACCEPT", Event.NOTED),
        ("REFUND", Event.NOTED),
        ("CLOSED", Event.PAYMENT_ENDED),
        ("REVOKED", Event.PAYMENT_ENDED),
        ("PAYERROR", Event.PAYMENT_ENDED),
    ],
)
def test_states_without_a_charge(state: str, event: Event) -> None:
    unpaid = {name: TRANSACTION[name] for name in ("mchid", "appid", "out_trade_no")} | {"trade_state": state}
    news = read("TRANSACTION.SUCCESS", unpaid)
    assert (news.event, news.charge) == (event, None)
    assert news.happened_at == datetime(2026, 1, 2, 0, 56, 1, tzinfo=UTC)  # create_time of the notice


@pytest.mark.parametrize("missing", ["transaction_id", "success_time", "amount"])
def test_a_success_without_its_facts_parks(missing: str) -> None:
    (message,) = receive("TRANSACTION.SUCCESS", {**TRANSACTION, missing: None}).messages
    with pytest.raises(NotUnderstood, match=missing):
        HOOK.read(message, CODES)


@pytest.mark.parametrize("total", [113.0, "11300", -1, True])
def test_an_amount_that_is_no_amount_is_not_understood(total: Any) -> None:
    with pytest.raises(NotUnderstood, match="total"):
        receive("TRANSACTION.SUCCESS", TRANSACTION | {"amount": {"total": total, "currency": "CNY"}})


@pytest.mark.parametrize("amount", [11300, 300])
def test_a_refund_is_told_with_its_charge_and_both_amounts(amount: int) -> None:
    """Whole or not: what it means for the order only the books know."""
    news = read("REFUND.SUCCESS", REFUND | {"amount": {"total": 11300, "refund": amount}})
    assert (news.event, news.field, news.said) == (Event.REFUNDED, "refund_status", "SUCCESS")
    assert news.refund == Refund(
        refund_no="SO20260102001-twice-0001",
        transaction_id="4200000000202601020000000001",
        amount=Money(amount),
        captured=Money(11300),
    )
    assert "4200000000202601020000000001" in news.text
    assert news.happened_at == datetime(2026, 1, 3, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", ["ABNORMAL", "CLOSED"])
def test_a_refund_that_failed(status: str) -> None:
    news = read(f"REFUND.{status}", REFUND | {"refund_status": status, "success_time": None})
    assert (news.event, news.reason) == (Event.HELD, HoldReason.REFUND_FAILED)
    assert news.refund is not None and news.refund.refund_no == "SO20260102001-twice-0001"


def test_a_refund_under_way() -> None:
    assert read("REFUND.SUCCESS", REFUND | {"refund_status": "PROCESSING"}).event is Event.NOTED


def test_a_currency_of_which_nobody_knows_the_decimals_parks() -> None:
    (message,) = receive("TRANSACTION.SUCCESS", TRANSACTION | {"amount": {"total": 1, "currency": "AUD"}}).messages
    with pytest.raises(NotUnderstood, match="AUD"):
        HOOK.read(message, CODES)
    with pytest.raises(NotUnderstood, match="AUD"):
        read("REFUND.SUCCESS", REFUND | {"amount": {"total": 1, "refund": 1, "currency": "AUD"}})


def test_unknown_states_park() -> None:
    with pytest.raises(UnknownCode, match="HALFPAID"):
        read("TRANSACTION.SUCCESS", TRANSACTION | {"trade_state": "HALFPAID"})
    with pytest.raises(UnknownCode, match="MAYBE"):
        read("REFUND.SUCCESS", REFUND | {"refund_status": "MAYBE"})


def test_notices_about_other_things_park_until_mapped() -> None:
    (message,) = receive("COUPON.USE", {"coupon_id": "1"}).messages
    assert message.order_no == ""
    with pytest.raises(UnknownCode, match=r"COUPON\.USE"):
        HOOK.read(message, CODES)
    assert HOOK.read(message, {**CODES, ("event_type", "COUPON.USE"): Meaning(Event.NOTED)}) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "list"),
        (b"{}", "event_type"),
        (notice("TRANSACTION.SUCCESS", b"{}", algorithm="AEAD_SM4_GCM"), "SM4"),
        (notice("TRANSACTION.SUCCESS", b"{}", nonce="999999999999"), "APIV3_KEY"),
        (notice("TRANSACTION.SUCCESS", b"{}", associated_data=None), "APIV3_KEY"),
        (notice("TRANSACTION.SUCCESS", b"{}", ciphertext="%"), "APIV3_KEY"),
        (notice("TRANSACTION.SUCCESS", b"\xff\xfe"), "APIV3_KEY"),
        (notice("TRANSACTION.SUCCESS", b"nonsense"), "JSON"),
        (notice("TRANSACTION.SUCCESS", b"{}"), "mchid"),
    ],
)
def test_signed_but_not_as_the_sheet_says(body: bytes, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        HOOK.receive(post(body, headers=signed(body)), NOW)


def test_answers_in_the_vendors_words() -> None:
    accepted, refused = HOOK.accepted(NOW), HOOK.refused(401, "signature", NOW)
    assert (accepted.status, accepted.body) == (204, b"")
    assert (refused.status, orjson.loads(refused.body)) == (401, {"code": "FAIL", "message": "signature"})
