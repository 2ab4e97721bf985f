"""What we tell the shop: the shipping document and the key of an order. Pure. Source: the vendor sheet, §A1."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.errors import Refused
from ballast.clock import SHANGHAI
from ballast.domain.words import System
from ballast.ports import Order, Parcel

BY_MERCHANT_NUMBER: Final = 1
EXPRESS: Final = 1
UNIFIED: Final = 1
SPLIT: Final = 2
MOST_PARCELS: Final = 15
LONGEST_DESCRIPTION: Final = 120
CONTACT_NEEDED: Final = frozenset({"SF"})

CARRIERS: Final[Mapping[str, str]] = {
    "SF": "SF",
    "YTO": "YTO",
    "ZTO": "ZTO",
    "STO": "STO",
    "YD": "YUNDA",
    "EMS": "EMS",
    "JD": "JD",
    "DBL": "DB",  # [M] from here on
    "HTKY": "HTKY",
    "JTSD": "JTSD",
}
"""Ballast's carrier code -> the shop's delivery_id. The shop's `get_delivery_list` has them all; add what you use."""


def shipping_document(order: Order, mchid: str, now: datetime) -> dict[str, Any]:
    """Every parcel of the order in one upload. Raises `Refused` for what the shop cannot express."""
    if not order.parcels:
        raise Refused(System.WECHAT, "no parcels to tell the shop about", order_no=order.order_no)
    if len(order.parcels) > MOST_PARCELS:
        what = f"{len(order.parcels)} parcels, the shop takes {MOST_PARCELS}; enter them in the shop's console"
        raise Refused(System.WECHAT, what, order_no=order.order_no)
    if not order.openid:
        what = "no openid of the payer, the shop asks for it; add it to the order, then rerun"
        raise Refused(System.WECHAT, what, order_no=order.order_no)
    return {
        "order_key": {"order_number_type": BY_MERCHANT_NUMBER, "mchid": mchid, "out_trade_no": order.order_no},
        "logistics_type": EXPRESS,
        "delivery_mode": SPLIT if len(order.parcels) > 1 else UNIFIED,
        "is_all_delivered": True,  # Ballast tells once, when the last parcel left
        "shipping_list": [_shipment(order, parcel) for parcel in order.parcels],
        "upload_time": now.astimezone(SHANGHAI).isoformat(timespec="milliseconds"),
        "payer": {"openid": order.openid},
    }


def order_key(order_no: str, mchid: str) -> dict[str, str]:
    """How `get_order` and `notify_confirm_receive` name an order."""
    return {"merchant_id": mchid, "sub_merchant_id": "", "merchant_trade_no": order_no}


def _shipment(order: Order, parcel: Parcel) -> dict[str, Any]:
    if parcel.carrier not in CARRIERS:
        what = f"carrier {parcel.carrier!r} has no delivery_id; add it to CARRIERS in {__name__}, then rerun"
        raise Refused(System.WECHAT, what, order_no=order.order_no)
    company = CARRIERS[parcel.carrier]
    return {
        "tracking_no": parcel.waybill,
        "express_company": company,
        "item_desc": describe(order, parcel),
        **({"contact": {"receiver_contact": mask(order.receiver.mobile)}} if company in CONTACT_NEEDED else {}),
    }


def describe(order: Order, parcel: Parcel) -> str:
    """`手机壳*2,数据线*1`, at most 120 characters: the parcel's own pieces, or all lines if nobody knows."""
    names = {line.sku: line.name or line.sku for line in order.lines}
    pieces = parcel.items or _ordered_pieces(order)
    text = ",".join(f"{names.get(sku, sku)}*{count}" for sku, count in pieces.items())
    return text if len(text) <= LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - 1] + "…"


def _ordered_pieces(order: Order) -> Counter[str]:
    pieces: Counter[str] = Counter()
    for line in order.lines:
        pieces[line.sku] += line.quantity
    return pieces


def mask(mobile: str) -> str:
    """`139****0001`: the last four digits visible, as the shop asks, and no more than three others."""
    digits = mobile.strip()
    return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 11 else f"****{digits[-4:]}"
