"""What a warehouse says of an order, read into our words: confirms, process reports, shortages. Sheet qimen.md, 4."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from adapters.errors import NotUnderstood
from adapters.meanings import meaning_of
from adapters.replies import Reply, read_reply
from adapters.wms.qimen.status import FROM_CARRIER
from adapters.xml import rows
from ballast.clock import from_local
from ballast.domain.deliveries import order_of
from ballast.domain.words import Event, System
from ballast.ports import Codes, News, Parcel


def repeated(name: str) -> BeforeValidator:
    """`<packages><package>..</package></packages>`, with none, one or many."""
    return BeforeValidator(lambda given: rows(given, name))


def _local_time(given: object) -> datetime | None:
    if given in ("", None):
        return None
    try:
        return from_local(str(given))
    except OverflowError:
        raise ValueError("not a time of this age") from None


LocalTime = Annotated[datetime | None, BeforeValidator(_local_time)]
Code = Annotated[str, Field(min_length=1, max_length=100)]
Pieces = Annotated[int, Field(ge=0, le=10**9)]


class Item(Reply):
    sku: Code = Field(alias="itemCode")
    quantity: Pieces


class ConfirmedLine(Reply):
    sku: Code = Field(alias="itemCode")
    shipped: Pieces = Field(0, alias="actualQty")


class Package(Reply):
    carrier: str = Field("", alias="logisticsCode")
    waybill: Code = Field(alias="expressCode")
    items: Annotated[tuple[Item, ...], repeated("item")] = ()


class DeliveryOrder(Reply):
    order_no: Code = Field(alias="deliveryOrderCode")
    number: str = Field("", alias="deliveryOrderId")
    status: Code
    confirm_type: Literal["0", "1", ""] = Field("0", alias="confirmType")
    confirmed_at: LocalTime = Field(None, alias="orderConfirmTime")
    carrier: str = Field("", alias="logisticsCode")
    waybill: str = Field("", alias="expressCode")


class Confirm(Reply):
    """deliveryorder.confirm, and the reply to deliveryorder.query."""

    order: DeliveryOrder = Field(alias="deliveryOrder")
    packages: Annotated[tuple[Package, ...], repeated("package")] = ()
    lines: Annotated[tuple[ConfirmedLine, ...], repeated("orderLine")] = Field((), alias="orderLines")


class ReportedOrder(Reply):
    order_no: Code = Field(alias="orderCode")


class Process(Reply):
    status: Code = Field(alias="processStatus")
    operated_at: LocalTime = Field(alias="operateTime")
    info: str = Field("", alias="operateInfo")
    remark: str = ""


class ProcessReport(Reply):
    order: ReportedOrder
    process: Process


class LackingItem(Reply):
    sku: Code = Field(alias="itemCode")
    planned: Pieces = Field(0, alias="planQty")
    lacking: Pieces = Field(alias="lackQty")
    reason: str = ""


class LackReport(Reply):
    order_no: Code = Field(alias="deliveryOrderCode")
    created_at: LocalTime = Field(alias="createTime")
    items: Annotated[tuple[LackingItem, ...], repeated("item")] = Field(min_length=1)


def read_confirm(document: Mapping[str, Any], codes: Codes, *, otherwise: datetime | None = None) -> News:
    """A confirm ships; a query's reply says the same. `otherwise` is the time when the document tells none."""
    confirm = read_reply(Confirm, document, System.QIMEN)
    order = confirm.order
    meaning = meaning_of(codes, System.QIMEN, "status", order.status, order_no=order.order_no)
    ships = meaning.event in (Event.SHIPPED, Event.PARTLY_SHIPPED)
    return News(
        system=System.QIMEN,
        order_no=order.order_no,
        happened_at=known_time(order.confirmed_at or otherwise, "orderConfirmTime", order.order_no),
        field="status",
        said=order.status,
        event=meaning.event,
        reason=meaning.reason,
        state=meaning.state,
        parcels=read_parcels(confirm) if ships else (),
        final=meaning.event is not Event.PARTLY_SHIPPED and order.confirm_type != "1",
    )


def of_delivery(told: News) -> News:
    """Of the order that the delivery belongs to: the code of a second one is `NUMBER.2`."""
    order_no = order_of(told.order_no)
    return told if order_no == told.order_no else replace(told, order_no=order_no, delivery=told.order_no)


def read_process(document: Mapping[str, Any], codes: Codes) -> News:
    """A process report: where the work in the warehouse is."""
    report = read_reply(ProcessReport, document, System.QIMEN)
    process, order_no = report.process, report.order.order_no
    meaning = meaning_of(codes, System.QIMEN, "processStatus", process.status, order_no=order_no)
    return News(
        system=System.QIMEN,
        order_no=order_no,
        happened_at=known_time(process.operated_at, "operateTime", order_no),
        field="processStatus",
        said=process.status,
        event=meaning.event,
        reason=meaning.reason,
        state=meaning.state,
        text=" ".join(part for part in (process.info, process.remark) if part),
    )


def read_lack(document: Mapping[str, Any], codes: Codes) -> News:
    """The shelf was empty: what is missing stands in the text."""
    report = read_reply(LackReport, document, System.QIMEN)
    meaning = meaning_of(codes, System.QIMEN, "itemlack.report", "LACK", order_no=report.order_no)
    return News(
        system=System.QIMEN,
        order_no=report.order_no,
        happened_at=known_time(report.created_at, "createTime", report.order_no),
        field="itemlack.report",
        said="LACK",
        event=meaning.event,
        reason=meaning.reason,
        state=meaning.state,
        text="; ".join(
            f"{item.sku}: {item.lacking} of {item.planned} missing{f' ({item.reason})' if item.reason else ''}"
            for item in report.items
        ),
    )


def read_parcels(confirm: Confirm) -> tuple[Parcel, ...]:
    """One parcel per waybill; a warehouse without packages writes its only waybill on the order's head."""
    if not confirm.packages and confirm.order.waybill:
        items = Counter[str]()
        for line in confirm.lines:
            items[line.sku] += line.shipped
        return (_parcel(confirm.order.carrier, confirm.order.waybill, items),)
    by_waybill: dict[str, tuple[str, Counter[str]]] = {}
    for package in confirm.packages:
        _, items = by_waybill.setdefault(package.waybill, (package.carrier or confirm.order.carrier, Counter()))
        for item in package.items:
            items[item.sku] += item.quantity
    return tuple(_parcel(carrier, waybill, items) for waybill, (carrier, items) in by_waybill.items())


def _parcel(carrier: str, waybill: str, items: Counter[str]) -> Parcel:
    return Parcel(carrier=FROM_CARRIER.get(carrier, carrier), waybill=waybill, items=dict(items))


def known_time(at: datetime | None, field: str, order_no: str) -> datetime:
    """Aware UTC. Raises `NotUnderstood` when `field` is empty."""
    if at is None:
        raise NotUnderstood(System.QIMEN, f"{field} is empty, so nobody knows when it happened", order_no=order_no)
    return at.astimezone(UTC)
