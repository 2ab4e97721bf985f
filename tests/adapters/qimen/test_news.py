"""Their documents in our words: every state of the sheet, parcels, times, and what is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.errors import NotUnderstood, UnknownCode
from adapters.wms.qimen.news import read_confirm, read_lack, read_process
from adapters.wms.qimen.status import CODES, FROM_CARRIER, TO_CARRIER
from adapters.wms.qimen.webhook import QimenHook
from adapters.xml import parse
from ballast.domain.words import Event, HoldReason, System
from ballast.ports import Meaning, Message, Parcel
from tests.adapters.wire import sample
from tests.contracts.outside import settings_for


def document(name: str) -> dict[str, Any]:
    return dict(parse(sample(f"qimen/{name}.xml"), System.QIMEN)["request"])


def with_status(status: str) -> dict[str, Any]:
    confirm = document("confirm")
    return {**confirm, "deliveryOrder": {**confirm["deliveryOrder"], "status": status}}


def test_a_confirm_of_everything_ships_the_order() -> None:
    news = read_confirm(document("confirm"), CODES)
    assert (news.event, news.said, news.field, news.final) == (Event.SHIPPED, "DELIVERED", "status", True)
    assert news.happened_at == datetime(2026, 1, 2, 2, 0, tzinfo=UTC)
    assert news.parcels == (Parcel(carrier="YTO", waybill="YT0000000000001", items={"SKU-001": 2}),)


def test_an_intermediate_confirm_ships_and_more_will_follow() -> None:
    confirm = document("confirm")
    confirm["deliveryOrder"]["confirmType"] = "1"
    news = read_confirm(confirm, CODES)
    assert (news.event, news.final) == (Event.SHIPPED, False)


def test_a_partial_confirm_adds_up_what_is_in_each_parcel() -> None:
    news = read_confirm(document("confirm_partial"), CODES)
    assert (news.event, news.final) == (Event.PARTLY_SHIPPED, False)
    assert news.parcels == (
        Parcel(carrier="YD", waybill="YD0000000000001", items={"SKU-001": 2, "SKU-002": 3}),
        Parcel(carrier="DBL", waybill="DB0000000000002", items={}),
    )


def test_a_warehouse_without_packages_writes_the_waybill_on_the_order() -> None:
    [parcel] = read_confirm(document("confirm_without_packages"), CODES).parcels
    assert parcel == Parcel(carrier="YZPY", waybill="9800000000001", items={"SKU-001": 2, "SKU-002": 1})


MEANINGS = {
    **dict.fromkeys(["NEW", "ACCEPT", "PRINT", "PICK", "CHECK", "PACKAGE", "WEIGH", "READY"],
                    (Event.WAREHOUSE_PROGRESS, None)),
    **dict.fromkeys(["SIGN", "PARTFULFILLED", "FULFILLED"], (Event.NOTED, None)),
    "REFUSE": (Event.HELD, HoldReason.COURIER_REFUSED),
    "EXCEPTION": (Event.HELD, HoldReason.WAREHOUSE_EXCEPTION),
    "TMSCANCELED": (Event.HELD, HoldReason.COURIER_STOPPED),
    "CANCELEDFAIL": (Event.HELD, HoldReason.WAREHOUSE_EXCEPTION),
    "REJECT": (Event.HELD, HoldReason.WAREHOUSE_REFUSED),
    "CANCELED": (Event.WAREHOUSE_CANCELLED, None),
    "CLOSED": (Event.WAREHOUSE_CANCELLED, None),
}  # fmt: skip


@pytest.mark.parametrize("code", MEANINGS)
def test_every_state_means_the_same_in_confirm_and_report(code: str) -> None:
    confirmed = read_confirm(with_status(code), CODES)
    assert (confirmed.event, confirmed.reason, confirmed.parcels) == (*MEANINGS[code], ())
    report = document("process")
    report["process"]["processStatus"] = code
    reported = read_process(report, CODES)
    assert (reported.event, reported.reason, reported.said) == (*MEANINGS[code], code)


@pytest.mark.parametrize("code", ["DELIVERED", "PARTDELIVERED"])
def test_a_report_without_waybills_ships_nothing(code: str) -> None:
    report = document("process")
    report["process"]["processStatus"] = code
    assert read_process(report, CODES).event is Event.WAREHOUSE_PROGRESS


def test_the_map_is_complete_and_well_formed() -> None:
    states = {*MEANINGS, "DELIVERED", "PARTDELIVERED"}
    assert {code for field, code in CODES if field == "status"} == states
    assert {code for field, code in CODES if field == "processStatus"} == states
    assert all((meaning.reason is not None) == (meaning.event is Event.HELD) for meaning in CODES.values())


def test_an_unknown_code_is_never_guessed_and_the_map_can_learn_it() -> None:
    with pytest.raises(UnknownCode) as unknown:
        read_confirm(with_status("TELEPORTED"), CODES)
    assert (unknown.value.field, unknown.value.code, unknown.value.order_no) == (
        "status",
        "TELEPORTED",
        "SO20260102001",
    )
    learned = {**CODES, ("status", "TELEPORTED"): Meaning(Event.NOTED)}
    assert read_confirm(with_status("TELEPORTED"), learned).event is Event.NOTED


def test_a_shortage_names_goods_numbers_and_reason() -> None:
    news = read_lack(document("lack"), CODES)
    assert (news.event, news.reason) == (Event.HELD, HoldReason.WAREHOUSE_SHORT)
    assert news.text == "SKU-001: 1 of 2 missing (货架为空)"
    assert news.happened_at == datetime(2026, 1, 2, 1, 40, tzinfo=UTC)


def test_a_report_keeps_what_the_warehouse_wrote() -> None:
    report = document("process")
    report["process"] |= {"processStatus": "EXCEPTION", "operateInfo": "地址不详", "remark": "联系不上"}
    assert read_process(report, CODES).text == "地址不详 联系不上"


def change(path: str, value: object) -> dict[str, Any]:
    changed = document("confirm")
    *parents, last = path.split(".")
    inner: Any = changed
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("deliveryOrder", ""),
        ("deliveryOrder.status", ""),
        ("deliveryOrder.deliveryOrderCode", ["SO1", "SO2"]),
        ("deliveryOrder.orderConfirmTime", ""),
        ("deliveryOrder.orderConfirmTime", "gestern"),
        ("deliveryOrder.orderConfirmTime", "0001-01-01 00:00:00"),
        ("deliveryOrder.orderConfirmTime", {"deep": "1"}),
        ("deliveryOrder.confirmType", "2"),
        ("packages.package.expressCode", ""),
        ("packages.package.items.item.quantity", "-1"),
        ("packages.package.items.item.quantity", "1.5"),
        ("packages.package.items.item.quantity", "99999999999999999999"),
        ("packages.package.items.item.itemCode", ""),
    ],
)
def test_a_wrong_field_is_one_error_and_shows_no_value(path: str, value: object) -> None:
    with pytest.raises(NotUnderstood) as wrong:
        read_confirm(change(path, value), CODES)
    assert path.rpartition(".")[2] in str(wrong.value)


def test_a_query_may_leave_out_the_time() -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    assert read_confirm(change("deliveryOrder.orderConfirmTime", ""), CODES, otherwise=at).happened_at == at


def test_an_empty_list_is_an_empty_list() -> None:
    assert read_confirm(change("packages", ""), CODES).parcels == ()


def test_carriers_come_back_as_they_went() -> None:
    assert {FROM_CARRIER[theirs] for theirs in TO_CARRIER.values()} == set(TO_CARRIER)
    assert FROM_CARRIER["YUNDA"] == "YD"
    assert FROM_CARRIER.get("SF", "SF") == "SF"


def test_a_stored_message_of_another_topic_is_not_read() -> None:
    message = Message(event_id="1", topic="stockchange.report", order_no="", payload={})
    with pytest.raises(NotUnderstood, match=r"stockchange\.report"):
        QimenHook(settings_for("http://localhost").qimen).read(message, CODES)
