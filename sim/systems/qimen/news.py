"""What the warehouse tells our side: progress, confirmation, lack."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from yarl import URL

from sim.clock import local_text
from sim.records import Delivery, Order, Parcel, ReturnedGoods
from sim.systems.qimen.documents import write_confirm, write_lack, write_process
from sim.systems.qimen.signature import sign
from sim.webhooks import Outgoing, Webhook
from sim.world import World
from sim.xml_text import BadXml, parse_xml, write_xml


class QimenNews:
    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = world.config.secrets.qimen

    def report(self, delivery: Delivery, status: str, at: float) -> Webhook:
        document = write_process(delivery, status, at)
        return self._post("orderprocess.report", f"{delivery.code}/{status}", delivery, document)

    def confirm(self, delivery: Delivery, parcels: list[Parcel], actual: Mapping[str, int], at: float) -> Webhook:
        key = f"{delivery.code}/{len(delivery.parcels)}"
        document = write_confirm(delivery, parcels, actual, f"{delivery.wms_id}-C{len(delivery.parcels)}", at)
        return self._post("deliveryorder.confirm", key, delivery, document)

    def lack(self, delivery: Delivery, lacking: Mapping[str, int], at: float) -> Webhook:
        document = write_lack(delivery, lacking, f"{delivery.wms_id}-L", at)
        return self._post("itemlack.report", delivery.code, delivery, document)

    def answer(self, orders: tuple[Order, ...], key: str, told: Sequence[Mapping[str, Any]]) -> Webhook:
        """What became of the orders of a batch, all in one message."""
        body = write_xml("request", {"orders": {"order": list(told)}})
        return self._send("deliveryorder.batchcreate.answer", key, orders, body)

    def returned(self, back: ReturnedGoods, document: Mapping[str, Any]) -> Webhook:
        """Goods of a return order are in."""
        key = f"{back.code}/{back.confirms}"
        return self._send("returnorder.confirm", key, (back.order,), write_xml("request", document))

    def _post(self, method: str, key: str, delivery: Delivery, document: Mapping[str, Any]) -> Webhook:
        return self._send(method, key, (delivery.order,), write_xml("request", document))

    def _send(self, method: str, key: str, orders: tuple[Order, ...], body: bytes) -> Webhook:
        def build() -> Outgoing:
            return self._sign(method, body)

        hook = Webhook("qimen", method, key, build, says_success, orders)
        return self._world.sender.post(hook)

    def _sign(self, method: str, body: bytes) -> Outgoing:
        params = {
            "method": method,
            "timestamp": local_text(time.time()),
            "format": "xml",
            "app_key": self._keys.app_key,
            "v": "2.0",
            "sign_method": "md5",
            "customerId": self._keys.customer_id,
        }
        params["sign"] = sign(params, body.decode(), self._keys.secret)
        path = f"/qimen?{URL.build(query=params).raw_query_string}"
        return Outgoing(path, {"Content-Type": "text/xml; charset=utf-8"}, body)


def says_success(status: int, body: bytes) -> bool:
    if status != 200:
        return False
    try:
        return parse_xml(body).read("flag") == "success"
    except BadXml:
        return False
