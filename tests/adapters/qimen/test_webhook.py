"""The door: what is verified, what becomes a message, what the warehouse hears."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from adapters.errors import BadSignature, NotUnderstood
from adapters.wms.qimen.signing import sign
from adapters.wms.qimen.webhook import QimenHook
from adapters.xml import parse
from ballast.domain.words import System
from ballast.ports import Delivery, HookRequest
from ballast.settings import SettingsError
from tests.adapters.wire import sample
from tests.contracts.outside import settings_for

SETTINGS = settings_for("http://localhost").qimen
HOOK = QimenHook(SETTINGS)
NOW = datetime(2026, 1, 2, 2, 0, tzinfo=UTC)


def request(method: str, body: bytes, at: str = "2026-01-02 10:00:00") -> HookRequest:
    query = {"method": method, "timestamp": at, "app_key": "23000001", "v": "2.0"}
    signed = query | {"sign": sign(query, body, SETTINGS.secret.get_secret_value())}
    return HookRequest(method="POST", query=signed, headers={"content-type": "text/xml"}, body=body)


def receive(method: str, name: str) -> Delivery:
    return HOOK.receive(request(method, sample(f"qimen/{name}.xml")), NOW)


@pytest.mark.parametrize("prefix", ["", "taobao.qimen."])
@pytest.mark.parametrize(
    ("method", "name", "event_id"),
    [
        ("deliveryorder.confirm", "confirm", "deliveryorder.confirm:b3f0c7d2a1"),
        ("orderprocess.report", "process", "orderprocess.report:SO20260102001:PACKAGE:2026-01-02 09:30:00"),
        ("itemlack.report", "lack", "itemlack.report:WMS10001-L"),
    ],
)
def test_each_method_becomes_one_message(prefix: str, method: str, name: str, event_id: str) -> None:
    [message] = receive(prefix + method, name).messages
    assert (message.event_id, message.topic, message.order_no) == (event_id, method, "SO20260102001")
    assert message.payload == parse(sample(f"qimen/{name}.xml"), System.QIMEN)["request"]


def test_a_batch_becomes_one_message_per_order() -> None:
    messages = receive("deliveryorder.batchconfirm", "batch_confirm").messages
    assert [(one.event_id, one.topic, one.order_no) for one in messages] == [
        ("deliveryorder.confirm:B1", "deliveryorder.confirm", "SO20260102001"),
        ("deliveryorder.confirm:B2", "deliveryorder.confirm", "SO20260102002"),
    ]


def test_a_confirm_without_an_id_is_known_by_what_it_says() -> None:
    [first] = receive("deliveryorder.confirm", "confirm_without_packages").messages
    [again] = receive("deliveryorder.confirm", "confirm_without_packages").messages
    other = sample("qimen/confirm_without_packages.xml").replace(b"9800000000001", b"9800000000002")
    [different] = HOOK.receive(request("deliveryorder.confirm", other), NOW).messages
    assert first.event_id == again.event_id != different.event_id


def test_a_message_that_cannot_be_read_is_stored_all_the_same() -> None:
    """Sent away, it would come again and again and nobody here would know; stored, it is parked with an alert."""
    strange = sample("qimen/confirm.xml").replace(b"<quantity>2</quantity>", b"<quantity>two</quantity>")
    [message] = HOOK.receive(request("deliveryorder.confirm", strange), NOW).messages
    assert message.order_no == "SO20260102001"
    with pytest.raises(NotUnderstood, match="quantity"):
        HOOK.read(message, HOOK.codes)


def test_an_unsigned_message_is_never_parsed() -> None:
    hostile = request("orderprocess.report", sample("qimen/hostile_laughs.xml"))
    with pytest.raises(BadSignature) as no:
        HOOK.receive(replace(hostile, query={**hostile.query, "sign": "0" * 32}), NOW)
    assert "qimensecret" not in str(no.value)


@pytest.mark.parametrize("name", ["hostile_dtd", "hostile_laughs"])
def test_document_types_and_entities_are_refused(name: str) -> None:
    with pytest.raises(NotUnderstood, match="DTDForbidden"):
        receive("orderprocess.report", name)


@pytest.mark.parametrize(
    "body",
    [b"", b"<request>", b"<response/>", b"<request/>", b"<request><order/></request>", b'{"request":{}}', b"\xff\xfe"],
)
def test_a_signed_message_of_another_shape_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        HOOK.receive(request("orderprocess.report", body), NOW)


def test_a_method_that_brings_no_news_of_orders_is_not_taken() -> None:
    with pytest.raises(NotUnderstood, match=r"stockchange\.report"):
        receive("taobao.qimen.stockchange.report", "process")


def test_the_warehouse_hears_its_own_words() -> None:
    yes, no = HOOK.accepted(NOW), HOOK.refused(400, "not <XML> \x00", NOW)
    assert (yes.status, no.status) == (200, 400)
    assert parse(yes.body, System.QIMEN) == {"response": {"flag": "success", "code": "0", "message": "OK"}}
    assert parse(no.body, System.QIMEN) == {"response": {"flag": "failure", "code": "400", "message": "not <XML> ?"}}


def test_without_a_secret_the_door_does_not_open() -> None:
    with pytest.raises(SettingsError, match="BALLAST_QIMEN__SECRET"):
        QimenHook(SETTINGS.model_copy(update={"secret": SecretStr("")}))
