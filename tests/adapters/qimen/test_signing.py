"""The sheet's vectors, and what must not count as genuine."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.wms.qimen.signing import is_genuine, sign

SECRET = "qimensecret"
NOW = datetime(2026, 1, 2, 2, 0, tzinfo=UTC)
QUERY = {
    "method": "taobao.qimen.inventory.query",
    "timestamp": "2026-01-02 10:00:00",
    "format": "xml",
    "app_key": "23000001",
    "v": "2.0",
    "sign_method": "md5",
    "customerId": "c1600000000000",
}
HEAD = '<?xml version="1.0" encoding="utf-8"?><request>'
INVENTORY = (
    f"{HEAD}<criteriaList><criteria><warehouseCode>WH01</warehouseCode><ownerCode>OWNER1</ownerCode>"
    "<itemCode>SKU-001</itemCode><itemId>WMS-SKU-001</itemId><inventoryType>ZP</inventoryType></criteria>"
    "</criteriaList></request>"
).encode()
PROCESS = (
    f"{HEAD}<order><orderCode>SO20260102001</orderCode><orderType>JYCK</orderType><warehouseCode>WH01</warehouseCode>"
    "</order><process><processStatus>PACKAGE</processStatus><operatorName>张三</operatorName>"
    "<operateTime>2026-01-02 09:30:00</operateTime></process></request>"
).encode()
REPORT = QUERY | {"method": "orderprocess.report"}
REPORT_SIGN = "2B0059F2D731B14E72CADB9487F3E136"


def test_the_vectors_of_the_sheet() -> None:
    assert sign(QUERY, INVENTORY, SECRET) == "F14062F65176A858FBC91D801A4FFF29"
    assert sign(REPORT, PROCESS, SECRET) == REPORT_SIGN


def test_empty_values_and_the_sign_itself_do_not_count() -> None:
    assert sign(REPORT | {"session": "", "sign": "X"}, PROCESS, SECRET) == REPORT_SIGN


def test_the_genuine_message_is_genuine() -> None:
    assert is_genuine(REPORT | {"sign": REPORT_SIGN}, PROCESS, SECRET, NOW)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_ten_minutes_are_allowed(minutes: int) -> None:
    assert is_genuine(REPORT | {"sign": REPORT_SIGN}, PROCESS, SECRET, NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("seconds", [-601, 601, 86400])
def test_an_old_message_is_not(seconds: int) -> None:
    assert not is_genuine(REPORT | {"sign": REPORT_SIGN}, PROCESS, SECRET, NOW + timedelta(seconds=seconds))


CHANGED = {
    "no sign": REPORT,
    "empty sign": REPORT | {"sign": ""},
    "lower case": REPORT | {"sign": REPORT_SIGN.lower()},
    "not ASCII": REPORT | {"sign": "签名"},
    "another method": REPORT | {"method": "deliveryorder.confirm", "sign": REPORT_SIGN},
    "one parameter more": REPORT | {"extra": "1", "sign": REPORT_SIGN},
}


@pytest.mark.parametrize("query", CHANGED.values(), ids=CHANGED)
def test_a_changed_query_is_not(query: dict[str, str]) -> None:
    assert not is_genuine(query, PROCESS, SECRET, NOW)


def test_a_changed_body_or_secret_is_not() -> None:
    assert not is_genuine(REPORT | {"sign": REPORT_SIGN}, PROCESS + b" ", SECRET, NOW)
    assert not is_genuine(REPORT | {"sign": REPORT_SIGN}, PROCESS, "another", NOW)


@pytest.mark.parametrize("timestamp", ["", "yesterday", "0001-01-01 00:00:00"])
def test_a_signed_message_without_a_usable_time_is_not(timestamp: str) -> None:
    query = REPORT | {"timestamp": timestamp}
    assert not is_genuine(query | {"sign": sign(query, PROCESS, SECRET)}, PROCESS, SECRET, NOW)
