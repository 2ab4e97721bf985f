"""The XML documents the warehouse writes; element names and order as in the interface description."""

from collections.abc import Iterable, Mapping
from typing import Any

from sim.catalogue import ARTICLE
from sim.clock import local_text
from sim.records import Delivery, Parcel

CARRIER_NAMES = {
    "YTO": "圆通", "ZTO": "中通", "STO": "申通", "YUNDA": "韵达", "SF": "顺丰", "EMS": "EMS",
    "HTKY": "百世", "JD": "京东", "DBKD": "德邦", "POSTB": "邮政小包",
}  # fmt: skip


def item_id(sku: str) -> str:
    return ARTICLE[sku].wms_item_id if sku in ARTICLE else ""


def describe_packages(parcels: Iterable[Parcel]) -> dict[str, Any]:
    return {"package": [describe_package(parcel) for parcel in parcels]}


def describe_package(parcel: Parcel) -> dict[str, Any]:
    units = sum(parcel.items.values())
    return {
        "logisticsCode": parcel.carrier,
        "logisticsName": CARRIER_NAMES.get(parcel.carrier, parcel.carrier),
        "expressCode": parcel.waybill,
        "packageCode": parcel.package_code,
        "weight": f"{0.3 + 0.2 * units:.1f}",
        "packageMaterialList": {"packageMaterial": {"type": "BOX3", "quantity": 1}},
        "items": {
            "item": [{"itemCode": sku, "itemId": item_id(sku), "quantity": n} for sku, n in parcel.items.items()],
        },
    }


def describe_lines(delivery: Delivery, actual: Mapping[str, int]) -> dict[str, Any]:
    """`actual`: what this message says went out, per line number."""
    return {
        "orderLine": [
            {
                "orderLineNo": line.line_no,
                "itemCode": line.sku,
                "itemId": item_id(line.sku),
                "inventoryType": line.inventory_type,
                "planQty": line.plan,
                "actualQty": actual.get(line.line_no, 0),
            }
            for line in delivery.lines
        ]
    }


def write_confirm(
    delivery: Delivery, parcels: list[Parcel], actual: Mapping[str, int], message_id: str, at: float
) -> dict[str, Any]:
    return {
        "deliveryOrder": {
            "deliveryOrderCode": delivery.code,
            "deliveryOrderId": delivery.wms_id,
            "warehouseCode": delivery.warehouse,
            "orderType": delivery.order_type,
            "status": delivery.status,
            "outBizCode": message_id,
            "confirmType": 1 if delivery.remaining else 0,
            "orderConfirmTime": local_text(at),
            "operatorCode": "sys",
            "operatorName": "system",
        },
        "packages": describe_packages(parcels),
        "orderLines": describe_lines(delivery, actual),
    }


def write_process(delivery: Delivery, status: str, at: float) -> dict[str, Any]:
    return {
        "order": {
            "orderCode": delivery.code,
            "orderId": delivery.wms_id,
            "orderType": delivery.order_type,
            "warehouseCode": delivery.warehouse,
        },
        "process": {
            "processStatus": status,
            "operatorCode": "",
            "operatorName": "张三",
            "operateTime": local_text(at),
            "operateInfo": "",
            "remark": "",
        },
    }


def write_lack(delivery: Delivery, lacking: Mapping[str, int], message_id: str, at: float) -> dict[str, Any]:
    return {
        "deliveryOrderCode": delivery.code,
        "warehouseCode": delivery.warehouse,
        "createTime": local_text(at),
        "outBizCode": message_id,
        "items": {
            "item": [
                {
                    "itemCode": sku,
                    "itemId": item_id(sku),
                    "inventoryType": "ZP",
                    "planQty": delivery.wanted.get(sku, 0),
                    "lackQty": units,
                    "reason": "系统报缺",
                }
                for sku, units in lacking.items()
            ]
        },
    }


def write_state(delivery: Delivery) -> dict[str, Any]:
    """The answer to deliveryorder.query."""
    first = delivery.parcels[0] if delivery.parcels else None
    actual = {line.line_no: line.actual for line in delivery.lines}
    return {
        "deliveryOrder": {
            "deliveryOrderCode": delivery.code,
            "deliveryOrderId": delivery.wms_id,
            "warehouseCode": delivery.warehouse,
            "orderType": delivery.order_type,
            "status": delivery.status,
            "expressCode": first.waybill if first else "",
            "logisticsCode": first.carrier if first else "",
        }
        | ({"orderConfirmTime": local_text(delivery.confirmed_at)} if delivery.confirmed_at else {}),
        "packages": describe_packages(delivery.parcels),
        "orderLines": describe_lines(delivery, actual),
    }
