"""Message push: the doors (URL check, plain, safe), what is refused, and how each message is read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from adapters.errors import BadSignature, NotUnderstood, UnknownCode
from adapters.storefronts.wechat.envelope import sign
from adapters.storefronts.wechat.status import CODES
from adapters.storefronts.wechat.webhook import WechatHook
from ballast.domain.words import Event
from ballast.ports import Delivery, HookRequest, Meaning, News
from ballast.settings import SettingsError, WechatSettings
from tests.adapters.wechat.test_envelope import AES_KEY, APP_ID, encrypt
from tests.adapters.wire import MACHINE, post, sample

SETTINGS = WechatSettings(
    app_id=APP_ID,
    app_secret=SecretStr("app-secret"),
    token=SecretStr("testtoken"),
    encoding_aes_key=SecretStr(AES_KEY),
    mchid="1900000001",
    plain_push=True,
)
HOOK = WechatHook(SETTINGS)
QUERY = {
    "timestamp": "1767319200",
    "nonce": "nonce123",
    "signature": "d2d0c6b42ed464940dae931d450e5411018e5736",
}
SAFE = {**QUERY, "encrypt_type": "aes", "msg_signature": "91c6b3327ae070e65705fd51a9e425345aa4c2e2"}


def plain(body: bytes, **changes: str) -> Delivery:
    return HOOK.receive(post(body, query={**QUERY, **changes}), MACHINE)


def safe(message: bytes) -> Delivery:
    encrypted = encrypt(message)
    query = {**SAFE, "msg_signature": sign("testtoken", "1767319200", "nonce123", encrypted)}
    return HOOK.receive(post(orjson.dumps({"ToUserName": "gh_test", "Encrypt": encrypted}), query=query), MACHINE)


def read(delivery: Delivery) -> News:
    (message,) = delivery.messages
    news = HOOK.read(message, CODES)
    assert news is not None
    return news


def changed(path: str, **changes: Any) -> bytes:
    return orjson.dumps({**orjson.loads(sample(path)), **changes})


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def check_url(**changes: str) -> Delivery:
    query = {**QUERY, "echostr": "4398512345", **changes}
    return HOOK.receive(HookRequest(method="GET", query=query, headers={}, body=b""), MACHINE)


def test_the_url_check_is_echoed() -> None:
    delivery = check_url()
    assert delivery.messages == () and delivery.echo is not None
    assert (delivery.echo.status, delivery.echo.body) == (200, b"4398512345")
    assert delivery.echo.media_type.startswith("text/plain")


def test_a_forged_url_check_is_not_echoed() -> None:
    with pytest.raises(BadSignature):
        check_url(signature="0" * 40)


def test_the_safe_mode_vector_of_the_sheet() -> None:
    body = sample("wechat/settlement_shipped_safe.json")
    (message,) = HOOK.receive(post(body, query=SAFE), MACHINE).messages
    assert message.payload == orjson.loads(sample("wechat/settlement_shipped.json"))
    assert message.event_id == "4200000000202601020000000001:shipped:1767319100"
    assert (message.topic, message.order_no) == ("trade_manage_order_settlement", "SO20260102001")
    news = HOOK.read(message, CODES)
    assert news is not None
    assert (news.event, news.happened_at) == (Event.NOTED, at(1767319100))


def test_the_safe_mode_envelope_in_xml() -> None:
    encrypted = encrypt(sample("wechat/settlement_confirmed.xml"))
    query = {**SAFE, "msg_signature": sign("testtoken", "1767319200", "nonce123", encrypted)}
    body = f"<xml><ToUserName>gh_test</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()
    assert read(HOOK.receive(post(body, query=query), MACHINE)).event is Event.RECEIPT_CONFIRMED


def test_both_modes_in_one_body_count_as_safe() -> None:
    """The console's compatible mode sends the plain text beside the ciphertext: only the signed half is read."""
    body = changed("wechat/settlement_shipped_safe.json", Event="forged", merchant_trade_no="SO-FORGED")
    (message,) = HOOK.receive(post(body, query=SAFE), MACHINE).messages
    assert message.order_no == "SO20260102001"


@pytest.mark.parametrize("path", ["wechat/settlement_confirmed.json", "wechat/settlement_confirmed.xml"])
def test_confirmed_receipt_in_json_and_xml(path: str) -> None:
    delivery = plain(sample(path))
    assert delivery.messages[0].event_id == "4200000000202601020000000001:settled:1768183200"
    news = read(delivery)
    assert (news.event, news.order_no, news.happened_at) == (
        Event.RECEIPT_CONFIRMED, "SO20260102001", at(1767800000),
    )  # fmt: skip


def test_the_way_of_confirming_does_not_matter() -> None:
    for method in (1, 2, 9):
        body = changed("wechat/settlement_confirmed.json", confirm_receive_method=method)
        assert read(plain(body)).event is Event.RECEIPT_CONFIRMED


def test_event_ids_tell_the_three_moments_apart_and_repeats_not() -> None:
    paths = "wechat/settlement_confirmed.json"
    bodies = [
        sample("wechat/settlement_shipped.json"),
        changed(paths, settlement_time=0),
        changed(paths, confirm_receive_time=0),
    ]
    assert len({plain(body).messages[0].event_id for body in bodies}) == 3
    assert plain(bodies[0]).messages[0].event_id == plain(bodies[0], nonce="nonce123").messages[0].event_id


def test_settled_without_a_confirmation_is_noted() -> None:
    news = read(plain(changed("wechat/settlement_confirmed.json", confirm_receive_time=None)))
    assert (news.event, news.happened_at) == (Event.NOTED, at(1768183200))


def test_the_reminder_to_ship_names_its_order() -> None:
    news = read(safe(sample("wechat/remind_shipping.json")))
    assert (news.event, news.order_no) == (Event.NOTED, "SO20260102001")
    assert (news.text, news.happened_at) == ("订单已超过48小时未发货", at(1767491000))


def test_the_daily_nag_is_about_no_order() -> None:
    (message,) = plain(sample("wechat/remind_access_api.json")).messages
    assert message.order_no == "" and HOOK.read(message, CODES) is None


def test_other_events_park_until_somebody_maps_them() -> None:
    (message,) = plain(changed("wechat/remind_access_api.json", Event="wxa_privacy_apply")).messages
    with pytest.raises(UnknownCode, match="wxa_privacy_apply"):
        HOOK.read(message, CODES)
    assert HOOK.read(message, {**CODES, ("Event", "wxa_privacy_apply"): Meaning(Event.NOTED)}) is None


def test_a_chat_message_parks_by_its_type() -> None:
    body = orjson.dumps(
        {"MsgType": "text", "CreateTime": 1767319200, "FromUserName": "o1", "MsgId": 77, "Content": "?"}
    )
    (message,) = plain(body).messages
    assert message.event_id == "77"
    with pytest.raises(UnknownCode) as parked:
        HOOK.read(message, CODES)
    assert (parked.value.field, parked.value.code) == ("MsgType", "text")


SETTLED = sample("wechat/settlement_confirmed.json")
ENVELOPE = sample("wechat/settlement_shipped_safe.json")


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (SETTLED, {}),
        (SETTLED, {**QUERY, "signature": "0" * 40}),
        (SETTLED, {**QUERY, "signature": ""}),
        (SETTLED, {**QUERY, "signature": "签" * 40}),
        (SETTLED, {**QUERY, "nonce": "other"}),
        (SETTLED, SAFE),  # plain text where the address says safe mode
        (ENVELOPE, QUERY),  # an envelope with the plain signature only
        (ENVELOPE, {**SAFE, "msg_signature": SAFE["signature"]}),
        (ENVELOPE, {**SAFE, "msg_signature": ""}),
        (ENVELOPE[:60] + b"A" + ENVELOPE[61:], SAFE),
        (b"", {**QUERY, "signature": "0" * 40}),
    ],
)
def test_what_is_not_signed_is_refused(body: bytes, query: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        HOOK.receive(post(body, query=query), MACHINE)


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24])
def test_an_old_or_early_message_is_refused(minutes: int) -> None:
    for body, query in ((SETTLED, QUERY), (ENVELOPE, SAFE)):
        with pytest.raises(BadSignature):
            HOOK.receive(post(body, query=query), MACHINE + timedelta(minutes=minutes))
    assert HOOK.receive(post(SETTLED, query=QUERY), MACHINE + timedelta(minutes=4)).messages


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "１７６７３１９２００", "9" * 30])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    query = {**QUERY, "timestamp": timestamp, "signature": sign("testtoken", timestamp, "nonce123")}
    with pytest.raises(BadSignature):
        HOOK.receive(post(SETTLED, query=query), MACHINE)


def test_encrypted_for_another_app_is_refused() -> None:
    encrypted = encrypt(SETTLED, "wx0000000000000002")
    query = {**SAFE, "msg_signature": sign("testtoken", "1767319200", "nonce123", encrypted)}
    with pytest.raises(BadSignature):
        HOOK.receive(post(orjson.dumps({"Encrypt": encrypted}), query=query), MACHINE)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><MsgType>&b;</MsgType></xml>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"<xml>",
        b"<a/>",
        BOMB,
        b"<xml>" + b"<a>" * 100 + b"</a>" * 100 + b"</xml>",
        b'{"MsgType":"event"}',
        changed("wechat/settlement_confirmed.json", transaction_id=None),
        changed("wechat/settlement_confirmed.json", shipped_time="soon"),
        changed("wechat/settlement_confirmed.json", merchant_id="1900000002"),
        changed("wechat/settlement_confirmed.json", FromUserName="a\0b"),
    ],
)
def test_signed_but_not_as_the_sheet_says(body: bytes) -> None:
    for receive in (plain, safe):
        with pytest.raises(NotUnderstood):
            receive(body)


def test_answers_in_the_vendors_words() -> None:
    accepted, refused = HOOK.accepted(MACHINE), HOOK.refused(401, "no", MACHINE)
    assert (accepted.status, accepted.body) == (200, b"success")
    assert refused.status == 401 and refused.body != b"success"


@pytest.mark.parametrize("name", ["token", "encoding_aes_key"])
def test_an_empty_secret_refuses_to_start(name: str) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        WechatHook(SETTINGS.model_copy(update={name: SecretStr(" ")}))
