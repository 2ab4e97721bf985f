"""The shop's own backend: signature, window, the three events."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pydantic import SecretStr

from adapters.errors import BadSignature, NotUnderstood
from adapters.storefronts.direct.status import CODES
from adapters.storefronts.direct.webhook import DirectHook, sign
from ballast.domain.money import Money
from ballast.domain.words import Event
from ballast.ports import Delivery
from ballast.settings import DirectSettings, SettingsError
from tests.adapters.wire import MACHINE, post, sample

HOOK = DirectHook(DirectSettings(secret=SecretStr("direct-secret")))
PLACED, CANCELLED = sample("direct/order_placed.json"), sample("direct/order_cancelled.json")
PAID = sample("direct/order_paid.json")


def headers(body: bytes, timestamp: str = "1767319200", secret: bytes = b"direct-secret") -> dict[str, str]:
    return {"x-ballast-timestamp": timestamp, "x-ballast-signature": sign(secret, timestamp, body)}


def receive(body: bytes) -> Delivery:
    return HOOK.receive(post(body, headers=headers(body)), MACHINE)


def test_the_signature_is_what_the_readme_says() -> None:
    """`printf '1767319200.{}' | openssl dgst -sha256 -hmac direct-secret`"""
    expected = "ede3339f81273ca27ba4e2b8df7dccdc8eef95ad5031d87de4fbab69069f0163"
    assert sign(b"direct-secret", "1767319200", b"{}") == expected


def test_a_placed_order_is_kept_whole_and_is_no_news() -> None:
    (message,) = receive(PLACED).messages
    assert (message.event_id, message.topic) == ("D00000000000000000001", "order.placed")
    assert message.order_no == "SO20260105000001"
    assert message.payload == orjson.loads(PLACED)["order"]
    assert HOOK.read(message, CODES) is None


def test_a_cancellation_is_asked_for_with_its_reason() -> None:
    (message,) = receive(CANCELLED).messages
    news = HOOK.read(message, CODES)
    assert news is not None
    assert (news.event, news.order_no, news.said) == (Event.CANCEL_ASKED, "SO20260105000001", "order.cancelled")
    assert "拍错了" in news.text
    assert news.happened_at == datetime(2026, 1, 5, 1, 30, tzinfo=UTC)


def test_a_return_is_asked_for_with_its_lines_and_is_known_by_its_number() -> None:
    (message,) = receive(sample("direct/return_requested.json")).messages
    news = HOOK.read(message, CODES)
    assert news is not None and news.return_asked is not None
    assert (news.event, news.order_no, news.said) == (Event.NOTED, "SO20260105000001", "order.return_requested")
    asked = news.return_asked
    assert (asked.lines, asked.reason, asked.customer_no) == (((1, 1),), "no_reason", "C0001")
    assert (asked.request_id, news.happened_at) == ("D-R-1", datetime(2026, 1, 7, 1, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": "because"}, "no reason, known are"),
        ({"lines": []}, "lines"),
        ({"lines": [{"line_no": 1, "quantity": 0}]}, "quantity"),
        ({"customer_no": ""}, "customer_no"),
        ({"exchange": {"SKU-1": 0}}, "exchange"),
        ({"price": 3}, "price"),
    ],
)
def test_a_return_that_cannot_be_read_names_the_field(wrong: dict[str, object], said: str) -> None:
    push = orjson.loads(sample("direct/return_requested.json"))
    with pytest.raises(NotUnderstood, match=said):
        receive(orjson.dumps({**push, "return": {**push["return"], **wrong}}))


def test_a_change_is_asked_for_and_its_words_tell_nothing_personal() -> None:
    (message,) = receive(sample("direct/edit_requested.json")).messages
    news = HOOK.read(message, CODES)
    assert news is not None and news.edit_asked is not None
    assert (news.event, news.order_no, news.said) == (Event.NOTED, "SO20260105000001", "order.edit_requested")
    asked = news.edit_asked
    assert asked.change.receiver == {"mobile": "13800000002", "address": "中山路 2 号"}
    assert asked.change.quantities == {1: 1, 2: 0}
    assert (asked.request_id, asked.customer_no) == ("D-E-1", "C0001")
    assert news.happened_at == datetime(2026, 1, 5, 1, 20, tzinfo=UTC)
    assert news.text == "the shop asks for a change: mobile, address, line 1: 1 pieces, line 2: 0 pieces"
    assert "13800000002" not in repr(news) and "中山路" not in repr(news)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"receiver": {}, "lines": []}, "it changes nothing"),
        ({"receiver": {"adress": "x"}}, "adress"),
        ({"receiver": {"mobile": "call me"}}, "mobile"),
        ({"lines": [{"line_no": 1, "quantity": -1}]}, "quantity"),
        ({"lines": [{"line_no": 1, "quantity": 1}, {"line_no": 1, "quantity": 2}]}, "line 1 stands twice"),
        ({"customer_no": ""}, "customer_no"),
        ({"price": 3}, "price"),
    ],
)
def test_a_change_that_cannot_be_read_names_the_field(wrong: dict[str, object], said: str) -> None:
    push = orjson.loads(sample("direct/edit_requested.json"))
    with pytest.raises(NotUnderstood, match=said):
        receive(orjson.dumps({**push, "edit": {**push["edit"], **wrong}}))


def test_a_payment_is_a_charge_of_that_provider() -> None:
    (message,) = receive(PAID).messages
    news = HOOK.read(message, CODES)
    assert news is not None and news.charge is not None
    assert (news.event, news.order_no, news.said) == (Event.PAYMENT_CAPTURED, "SO20260105000001", "order.paid")
    assert (news.charge.provider, news.charge.transaction_id) == ("alipay", "2026010522001400000001")
    assert news.charge.amount == Money(11300, "CNY")
    assert news.happened_at == news.charge.paid_at == datetime(2026, 1, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"provider": "wechatpay"}, "tells us of its payments itself"),
        ({"provider": "Ali Pay"}, "provider"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": "11300"}, "amount"),
        ({"amount": 10**12}, "amount"),
        ({"currency": "XXX"}, "currency 'XXX' is unknown"),
        ({"paid_at": "2026-01-05T09:10:00"}, "paid_at"),
        ({"transaction_id": ""}, "transaction_id"),
        ({"transaction_id": " \u3000"}, "transaction_id: .*it is empty"),
    ],
)
def test_a_payment_that_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    push = orjson.loads(PAID)
    push["order"] |= wrong
    with pytest.raises(NotUnderstood, match=said):
        receive(orjson.dumps(push))


def test_a_cancellation_without_a_time_happened_when_it_came() -> None:
    body = orjson.dumps({"event": "order.cancelled", "event_id": "D3", "order": {"order_no": "SO1"}})
    news = HOOK.read(receive(body).messages[0], CODES)
    assert news is not None and news.happened_at == MACHINE


@pytest.mark.parametrize(
    "forged",
    [
        {},
        headers(PLACED, secret=b"other"),
        headers(PLACED + b" "),
        headers(PLACED, "1767318800"),
        headers(PLACED, "1767319600"),
        headers(PLACED, ""),
        headers(PLACED, "1767319200.0"),
        headers(PLACED) | {"x-ballast-timestamp": "1767319201"},
        headers(PLACED) | {"x-ballast-signature": ""},
        headers(PLACED) | {"x-ballast-signature": "签"},
    ],
)
def test_forged_or_old_pushes_are_refused(forged: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        HOOK.receive(post(PLACED, headers=forged), MACHINE)


def test_the_window_is_five_minutes() -> None:
    request = post(PLACED, headers=headers(PLACED))
    assert HOOK.receive(request, MACHINE + timedelta(minutes=5)).messages
    with pytest.raises(BadSignature):
        HOOK.receive(request, MACHINE + timedelta(minutes=5, seconds=1))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON"),
        (b"[]", "list"),
        (PLACED.replace(b"order.placed", b"order.sent"), "event"),
        (PLACED.replace(b"order.placed", b"order.paid"), "not a Payment"),
        (PLACED.replace(b"D00000000000000000001", b""), "event_id"),
        (PLACED.replace(b'"total":11300', b'"total":11301'), "total says 11301"),
        (PLACED.replace(b'"quantity":2', b'"quantity":NaN'), "JSON"),
        (PLACED.replace("张三".encode(), b"a\\u0000b"), "NUL"),
        (PLACED.replace("张三".encode(), b"\\ud800"), "JSON"),
        (CANCELLED.replace(b"SO20260105000001", b"../etc"), "order_no"),
    ],
)
def test_signed_but_not_our_format(body: bytes, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        receive(body)


def test_answers() -> None:
    assert orjson.loads(HOOK.accepted(MACHINE).body) == {"ok": True}
    refused = HOOK.refused(422, "total is wrong", MACHINE)
    assert (refused.status, orjson.loads(refused.body)) == (422, {"ok": False, "error": "total is wrong"})


def test_an_empty_secret_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="BALLAST_DIRECT__SECRET"):
        DirectHook(DirectSettings(secret=SecretStr("")))
