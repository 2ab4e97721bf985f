"""The warehouse's webhook deliveryorder.confirm, written and signed as QiMen describes it: nothing of the adapter's."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Final
from urllib.parse import urlencode

from bench.latency.orders import order_no, sku, waybill

SHANGHAI: Final = timezone(timedelta(hours=8))

_BODY: Final = """<?xml version="1.0" encoding="utf-8"?>
<request><deliveryOrder><deliveryOrderCode>{order}</deliveryOrderCode><deliveryOrderId>WMS{order}</deliveryOrderId>\
<warehouseCode>WH01</warehouseCode><orderType>JYCK</orderType><status>DELIVERED</status>\
<outBizCode>WMS{order}-C1</outBizCode><confirmType>0</confirmType><orderConfirmTime>{at}</orderConfirmTime>\
<operatorCode>sys</operatorCode><operatorName>system</operatorName></deliveryOrder>\
<packages><package><logisticsCode>YTO</logisticsCode><logisticsName>圆通</logisticsName>\
<expressCode>{waybill}</expressCode><packageCode>P1</packageCode><weight>0.5</weight>\
<items><item><itemCode>{sku}</itemCode><itemId>I1</itemId><quantity>1</quantity></item></items></package></packages>\
<orderLines><orderLine><orderLineNo>1</orderLineNo><itemCode>{sku}</itemCode><itemId>I1</itemId>\
<inventoryType>ZP</inventoryType><planQty>1</planQty><actualQty>1</actualQty></orderLine></orderLines></request>"""


def confirm(number: int, secrets: Mapping[str, str]) -> tuple[str, bytes]:
    """(query, body) of the confirm of this order, signed now. `secrets`: app_key, secret, customer_id."""
    at = f"{datetime.now(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    body = _BODY.format(order=order_no(number), waybill=waybill(number), sku=sku(number), at=at)
    query = {
        "method": "deliveryorder.confirm",
        "timestamp": at,
        "format": "xml",
        "app_key": secrets["app_key"],
        "v": "2.0",
        "sign_method": "md5",
        "customerId": secrets["customer_id"],
    }
    pairs = "".join(f"{name}{value}" for name, value in sorted(query.items()))
    text = f"{secrets['secret']}{pairs}{body}{secrets['secret']}"
    query["sign"] = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
    return urlencode(query), body.encode()
