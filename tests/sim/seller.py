"""The least that carries an order through all six systems: proof that the world works, and a load for measuring it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from sim.clock import local_text, zoned_text
from tests.sim.callers import Callers
from tests.sim.receiver import Arrival, read
from tests.sim.settings import MCHID

SHIPPERS = {"YUNDA": "YD"}
SIGNED = {"301", "302", "304", "311"}


@dataclass(slots=True)
class Seller:
    """A listener for the receiver; `short` holds the orders whose stock could not be reserved."""

    call: Callers
    now: Any
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    short: set[str] = field(default_factory=set)
    open_parcels: dict[str, set[str]] = field(default_factory=dict)

    async def hear(self, arrival: Arrival) -> bool:
        """False for a payment that came before its order: it will be repeated."""
        content = arrival.content
        if arrival.event == "order.placed":
            self.orders[content["order"]["order_no"]] = content["order"]
        elif arrival.event == "TRANSACTION.SUCCESS":
            return await self.take_payment(content["resource"]["plain"]["out_trade_no"])
        elif arrival.event == "deliveryorder.confirm":
            await self.take_confirm(content)
        elif arrival.source == "kdniao":
            for track in content["Data"]:
                await self.take_track(track)
        return True

    async def take_payment(self, no: str) -> bool:
        if no not in self.orders or no in self.paid:
            return no in self.paid
        self.paid.add(no)
        order = self.orders[no]
        await self.call.kingdee("Save", {"formid": "SAL_SaleOrder", "data": {"Model": sale_order(order, self.now())}})
        names = {"formid": "SAL_SaleOrder", "data": {"Numbers": [no], "Ids": ""}}
        await self.call.kingdee("Submit", names)
        audit = await self.call.kingdee("Audit", names)
        if not audit["Result"]["ResponseStatus"]["IsSuccess"]:
            self.short.add(no)
        else:
            await self.call.qimen("deliveryorder.create", delivery_order(order, self.now()))
        return True

    async def take_confirm(self, confirm: Element) -> None:
        no = read(confirm, "deliveryOrder/deliveryOrderCode")
        order = self.orders[no]
        parcels = []
        self.open_parcels[no] = set()
        for package in confirm.iterfind("packages/package"):
            carrier, waybill = read(package, "logisticsCode"), read(package, "expressCode")
            self.open_parcels[no].add(waybill)
            await self.call.kdniao("api/dist", "1008", subscription(order, carrier, waybill))
            parcels.append(shop_parcel(order, carrier, waybill))
        await self.call.wechat("upload_shipping_info", upload(order, parcels, self.now()))
        push = {"Numbers": [no], "Ids": "", "RuleId": "SaleOrder-OutStock", "TargetFormId": "SAL_OUTSTOCK"}
        pushed = await self.call.kingdee("Push", {"formid": "SAL_SaleOrder", "data": push})
        number = pushed["Result"]["ResponseStatus"]["SuccessEntitys"][0]["Number"]
        for operation in ("Submit", "Audit"):
            await self.call.kingdee(operation, {"formid": "SAL_OUTSTOCK", "data": {"Numbers": [number], "Ids": ""}})

    async def take_track(self, track: Mapping[str, Any]) -> None:
        if track["StateEx"] not in SIGNED:
            return
        no = track["OrderCode"]
        left = self.open_parcels[no]
        left.discard(track["LogisticCode"])
        if not left:
            await self.tell_receipt(no, track)

    async def tell_receipt(self, no: str, track: Mapping[str, Any]) -> None:
        rows = await self.call.kingdee_query("SAL_OUTSTOCK", "FID,FBillNo", f"FSoorDerno = '{no}'")
        trace = [{"FCarryBillNo": track["LogisticCode"], "FReceiptTime": track["Traces"][-1]["AcceptTime"]}]
        model = {"FID": rows[0][0], "FOutStockTrace": trace}
        await self.call.kingdee("Save", {"formid": "SAL_OUTSTOCK", "data": {"IsDeleteEntry": "false", "Model": model}})
        names = {"merchant_id": MCHID, "merchant_trade_no": no, "received_time": int(self.now())}
        await self.call.wechat("notify_confirm_receive", names)


def sale_order(order: Mapping[str, Any], now: float) -> dict[str, Any]:
    day = local_text(now)[:10]
    entries = [
        {
            "FMaterialId": {"FNumber": line["sku"]},
            "FUnitID": {"FNumber": "Pcs"},
            "FQty": line["quantity"],
            "FTaxPrice": line["unit_price"] / 100,
            "FEntryTaxRate": 13,
            "FDeliveryDate": day,
            "FSettleOrgIds": {"FNumber": "100"},
            "FReserveType": "1",
        }
        for line in order["lines"]
    ]
    return {
        "FID": 0,
        "FBillTypeID": {"FNUMBER": "XSDD01_SYS"},
        "FBillNo": order["order_no"],
        "FDate": day,
        "FSaleOrgId": {"FNumber": "100"},
        "FCustId": {"FNumber": "CUST0001"},
        "FSalerId": {"FNumber": "XSY01"},
        "FSaleOrderFinance": {"FSettleCurrId": {"FNumber": "PRE001"}},
        "FSaleOrderEntry": entries,
    }


def delivery_order(order: Mapping[str, Any], now: float, warehouse: str = "WH01") -> str:
    receiver, time = order["receiver"], local_text(now)
    lines = "".join(
        f"<orderLine><orderLineNo>{line['line_no']}</orderLineNo><ownerCode>OWNER1</ownerCode>"
        f"<itemCode>{line['sku']}</itemCode><inventoryType>ZP</inventoryType><planQty>{line['quantity']}</planQty>"
        "</orderLine>"
        for line in order["lines"]
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><request><deliveryOrder>'
        f"<deliveryOrderCode>{order['order_no']}</deliveryOrderCode><orderType>JYCK</orderType>"
        f"<warehouseCode>{warehouse}</warehouseCode><createTime>{time}</createTime>"
        "<senderInfo><name>仓库</name><mobile>13800000000</mobile><province>浙江省</province><city>宁波市</city>"
        "<detailAddress>五金城</detailAddress></senderInfo>"
        f"<receiverInfo><name>{receiver['name']}</name><mobile>{receiver['mobile']}</mobile>"
        f"<province>{receiver['province']}</province><city>{receiver['city']}</city>"
        f"<detailAddress>{receiver['address']}</detailAddress></receiverInfo>"
        f"</deliveryOrder><orderLines>{lines}</orderLines></request>"
    )


def subscription(order: Mapping[str, Any], carrier: str, waybill: str) -> dict[str, Any]:
    return {
        "ShipperCode": SHIPPERS.get(carrier, carrier),
        "LogisticCode": waybill,
        "OrderCode": order["order_no"],
        "CustomerName": order["receiver"]["mobile"][-4:] if carrier == "SF" else "",
        "CallBack": "tenant-1",
    }


def shop_parcel(order: Mapping[str, Any], carrier: str, waybill: str) -> dict[str, Any]:
    mobile = order["receiver"]["mobile"]
    return {
        "tracking_no": waybill,
        "express_company": carrier,
        "item_desc": order["lines"][0]["name"],
        "contact": {"receiver_contact": f"{mobile[:3]}****{mobile[-4:]}"},
    }


def upload(order: Mapping[str, Any], parcels: list[dict[str, Any]], now: float) -> dict[str, Any]:
    split = len(parcels) > 1
    return {
        "order_key": {"order_number_type": 1, "mchid": MCHID, "out_trade_no": order["order_no"]},
        "logistics_type": 1,
        "delivery_mode": 2 if split else 1,
        **({"is_all_delivered": True} if split else {}),
        "shipping_list": parcels,
        "upload_time": zoned_text(now),
        "payer": {"openid": order["customer"]["openid"]},
    }
