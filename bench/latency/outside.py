"""The world outside on one port: shop, ERP and courier answer at once, in their own formats.

The shop notes when it was told which tracking number, on the monotonic clock that all processes of a machine share.
"""

import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from bench.asgi import Message, Receive, Send, answer, read_body

QUOTED: Final = re.compile(r"'((?:[^']|'')*)'")
UNKNOWN_DELIVERY: Final = b"<response><flag>failure</flag><code>S004</code><message>not found</message></response>"
UNKNOWN_ORDER: Final = 10060001  # the shop's code for an order that it does not know


class Shop:
    """WeChat: takes waybills, shows them."""

    def __init__(self) -> None:
        self.seen_at: dict[str, float] = {}  # tracking number -> seconds of the monotonic clock
        self.uploads: Counter[str] = Counter()
        self._orders: dict[str, list[dict[str, Any]]] = {}

    def answer(self, path: str, asked: Mapping[str, Any]) -> Any:
        match path:
            case "/cgi-bin/stable_token":
                return {"access_token": "TOKEN", "expires_in": 7200}
            case "/wxa/sec/order/upload_shipping_info":
                self._take(asked["order_key"]["out_trade_no"], asked["shipping_list"])
                return {"errcode": 0, "errmsg": "ok"}
            case "/wxa/sec/order/get_order":
                return self._show(asked["merchant_trade_no"])
        return {"errcode": 0, "errmsg": "ok"}

    def _take(self, order_no: str, parcels: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        for parcel in parcels:
            self.seen_at.setdefault(parcel["tracking_no"], now)
            self.uploads[parcel["tracking_no"]] += 1
        self._orders[order_no] = [{**parcel, "upload_time": int(time.time())} for parcel in parcels]

    def _show(self, order_no: str) -> dict[str, Any]:
        if order_no not in self._orders:
            return {"errcode": UNKNOWN_ORDER, "errmsg": "no such order"}
        order = {
            "transaction_id": f"T{order_no}",
            "merchant_trade_no": order_no,
            "order_state": 2,
            "shipping": {"shipping_list": self._orders[order_no]},
        }
        return {"errcode": 0, "errmsg": "ok", "order": order}


class Erp:
    """Kingdee: outbound bills, pushed from sale orders that are all audited."""

    def __init__(self) -> None:
        self.bills: dict[str, dict[str, Any]] = {}  # sale order -> outbound bill, by FieldKey
        self._by_number: dict[str, dict[str, Any]] = {}

    def answer(self, path: str, asked: Mapping[str, Any]) -> Any:
        data, operation = asked["data"], path.split(".")[-3]
        match operation:
            case "ExecuteBillQuery":
                return self._query(data)
            case "Push":
                return _done([self._push(number) for number in data["Numbers"]])
            case "Save" | "BatchSave":
                models = data["Model"] if isinstance(data["Model"], list) else [data["Model"]]
                return _done([self._change(model) for model in models])
        return _done([self._advance(operation, number) for number in data["Numbers"]])

    def _query(self, data: Mapping[str, Any]) -> list[list[Any]]:
        columns, wanted = data["FieldKeys"].split(","), QUOTED.findall(data["FilterString"])
        if data["FormId"] == "SAL_SaleOrder":
            audited = {"FID": 1, "FDocumentStatus": "C", "FCancelStatus": "A", "FCloseStatus": "A"}
            bills = [{**audited, "FBillNo": number} for number in wanted if number.startswith("SO")]
        else:
            bills = [self.bills[number] for number in wanted if number in self.bills]
        return [[bill.get(column) for column in columns] for bill in bills]

    def _push(self, sale_order: str) -> dict[str, Any]:
        number = f"OUT{sale_order}"
        bill = {"FID": len(self.bills) + 1, "FBillNo": number, "FDocumentStatus": "A", "FCancelStatus": "A"}
        self._by_number[number] = self.bills.setdefault(sale_order, {**bill, "FSoorDerno": sale_order})
        self._by_number[str(bill["FID"])] = self.bills[sale_order]
        return self.bills[sale_order]

    def _change(self, model: Mapping[str, Any]) -> dict[str, Any]:
        bill = self._by_number[str(model["FID"])]
        bill["FCarryBillNo"] = model["FOutStockTrace"][0]["FCarryBillNo"]
        return bill

    def _advance(self, operation: str, number: str) -> dict[str, Any]:
        bill = self._by_number[number]
        bill["FDocumentStatus"] = {"Submit": "B", "Audit": "C"}[operation]
        return bill


def _done(bills: list[dict[str, Any]]) -> dict[str, Any]:
    entities = [{"Id": bill["FID"], "Number": bill["FBillNo"], "DIndex": at} for at, bill in enumerate(bills)]
    status = {"IsSuccess": True, "Errors": [], "SuccessEntitys": entities, "SuccessMessages": [], "MsgCode": 0}
    return {"Result": {"ResponseStatus": status}}


class Courier:
    """Kdniao: follows every parcel and has seen none."""

    def __init__(self) -> None:
        self.followed: Counter[str] = Counter()

    def answer(self, path: str, body: bytes) -> Any:
        asked = orjson.loads(parse_qs(body.decode())["RequestData"][0])
        if path.endswith("dist"):
            self.followed[asked["LogisticCode"]] += 1
            return {"Success": True, "Reason": "", "UpdateTime": "2026-01-01 00:00:00"}
        return {"Success": True, "State": "0", "LogisticCode": asked["LogisticCode"], "Traces": []}


class Outside:
    """An ASGI application without a framework: what is measured is Ballast."""

    def __init__(self) -> None:
        self._shop, self._erp, self._courier = Shop(), Erp(), Courier()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, said = self._answer(scope["path"], await read_body(receive))
        await answer(send, said, status=status, media_type="text/plain")

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        _, system, rest = path.split("/", 2)
        match system:
            case "wechat":
                return 200, orjson.dumps(self._shop.answer(f"/{rest}", orjson.loads(body)))
            case "kingdee":
                return 200, orjson.dumps(self._erp.answer(rest, orjson.loads(body)))
            case "kdniao":
                return 200, orjson.dumps(self._courier.answer(rest, body))
            case "qimen":
                return 200, UNKNOWN_DELIVERY
            case "seen":
                return 200, orjson.dumps(self._seen())
        return 404, b"{}"

    def _seen(self) -> dict[str, Any]:
        """When the shop saw each number; what was told more than once; how much reached the others."""
        return {
            "at": self._shop.seen_at,
            "told_twice": [number for number, times in self._shop.uploads.items() if times > 1],
            "followed": len(self._courier.followed),
            "booked": sum(bill["FDocumentStatus"] == "C" for bill in self._erp.bills.values()),
        }


app = Outside()
