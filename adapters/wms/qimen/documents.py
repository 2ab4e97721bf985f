"""Documents as 奇门 wants them. Sheet qimen.md, 4.1 and 4.6. Amounts are yuan with two decimals."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from adapters.errors import Refused
from adapters.wms.qimen.status import TO_CARRIER
from ballast.clock import to_local
from ballast.domain.money import Money
from ballast.domain.words import System
from ballast.ports import Line, Order
from ballast.settings import QimenSettings

ORDINARY: Final = "JYCK"  # 一般交易出库
EXCHANGE: Final = "HHCK"  # 换货出库
GENUINE: Final = "ZP"  # 正品
NOTHING: Final = "0.00"


def delivery_order(order: Order, settings: QimenSettings, now: datetime) -> dict[str, Any]:
    """What is below `<request>` of deliveryorder.create, below `<order>` of a batch.

    The child order is the sheet's: some warehouses validate it.
    """
    currency = order.total.currency
    head = {
        "deliveryOrderCode": order.code,
        "orderType": _order_type(order),
        "warehouseCode": warehouse_code(order, settings),
        "sourcePlatformCode": "OTHER",
        "createTime": to_local(now),
        "placeOrderTime": to_local(order.placed_at),
        **({"payTime": to_local(order.paid_at)} if order.paid_at else {}),
        "operateTime": to_local(now),
        "shopNick": settings.shop_nick,
        "totalAmount": order.total.major(),
        "itemAmount": Money(sum(line.amount for line in order.lines), currency).major(),
        "discountAmount": order.discount.major(),
        "freight": order.freight.major(),
        "arAmount": NOTHING,  # cash on delivery: never
        "gotAmount": order.total.major(),
        "logisticsCode": TO_CARRIER.get(settings.default_carrier, settings.default_carrier),
        "senderInfo": _sender(settings),
        "receiverInfo": _receiver(order),
        "isUrgency": "N",
        "invoiceFlag": "N",
    }
    lines = [_line(line, order, settings) for line in order.lines]
    return {"deliveryOrder": head, "orderLines": {"orderLine": lines}}


def cancellation(order: Order, why: str, settings: QimenSettings) -> dict[str, Any]:
    """order.cancel."""
    body = {
        "warehouseCode": warehouse_code(order, settings),
        "ownerCode": settings.owner_code,
        "orderCode": order.code,
        "orderType": _order_type(order),
        "cancelReason": why,
    }
    return {"request": body}


def inquiry(order_no: str, settings: QimenSettings) -> dict[str, Any]:
    """deliveryorder.query. [M]: the sheet names the method and its reply, not the request's fields."""
    return {"request": {"orderCode": order_no, "ownerCode": settings.owner_code}}


def warehouse_code(order: Order, settings: QimenSettings) -> str:
    """Their code for the order's warehouse. Raises `Refused` that names the setting."""
    code = settings.warehouses.get(order.warehouse)
    if code is None:
        what = f"no warehouse of theirs for {order.warehouse!r}; add it to BALLAST_QIMEN__WAREHOUSES, then rerun"
        raise Refused(System.QIMEN, what, order_no=order.order_no)
    return code


def _order_type(order: Order) -> str:
    """[M] that a cancellation names the same type."""
    return EXCHANGE if order.is_exchange else ORDINARY


def _line(line: Line, order: Order, settings: QimenSettings) -> dict[str, Any]:
    whole = Decimal(Money(line.amount, order.total.currency).major())
    return {
        "orderLineNo": line.line_no,
        "sourceOrderCode": order.order_no,
        "ownerCode": settings.owner_code,
        "itemCode": line.sku,
        "itemName": line.name,
        "inventoryType": GENUINE,
        "planQty": line.quantity,
        "actualPrice": f"{whole / line.quantity:.2f}",  # printed on the slip; the amounts above are the exact ones
    }


def _sender(settings: QimenSettings) -> dict[str, str]:
    return {
        "name": settings.sender_name,
        "mobile": settings.sender_mobile.get_secret_value(),
        "province": settings.sender_province,
        "city": settings.sender_city,
        "detailAddress": settings.sender_address,
    }


def sender(order: Order) -> dict[str, str]:
    """Of what comes back: whoever had it."""
    return _receiver(order)


def _receiver(order: Order) -> dict[str, str]:
    receiver = order.receiver
    return {
        "name": receiver.name,
        "mobile": receiver.mobile,
        "province": receiver.province,
        "city": receiver.city,
        "area": receiver.district,
        "detailAddress": receiver.address,
    }
