"""The warehouse's door: takes, answers for and cancels delivery orders, and says what is in stock."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from sim.catalogue import STOCK_OF_WAREHOUSE, Article
from sim.chance import digits
from sim.clock import local_text, read_local
from sim.faults import Call
from sim.records import Delivery, DeliveryLine, Order, sum_units
from sim.replies import answer_xml
from sim.systems.qimen.batches import Batches, read_code
from sim.systems.qimen.documents import item_id, write_state
from sim.systems.qimen.news import QimenNews
from sim.systems.qimen.refusals import Refusal, answer_failure
from sim.systems.qimen.returns import take_return, tell_return
from sim.systems.qimen.signature import sign
from sim.world import World
from sim.xml_text import BadXml, Node, parse_xml, write_xml

WINDOW = 600.0  # real seconds
PERSON = ("name", "mobile", "province", "city", "detailAddress")
ORDER_TYPES = {"JYCK", "HHCK", "BFCK", "QTCK"}
STOPPABLE = {"NEW", "ACCEPT", "PRINT", "EXCEPTION"}  # before the goods are picked
BATCH = "deliveryorder.batchcreate"
EFFECTS = {"deliveryorder.create", BATCH, "order.cancel", "returnorder.create"}


class QimenGate:
    def __init__(self, world: World, news: QimenNews) -> None:
        self._world = world
        self._batches = Batches(world, news, check_order, self._make)
        self._keys = world.config.secrets.qimen
        self._operations: dict[str, Callable[[Node, bool], dict[str, Any]]] = {
            "deliveryorder.create": self._create,
            BATCH: self._batches.take,
            "deliveryorder.query": self._query,
            "order.cancel": self._cancel,
            "inventory.query": self._stock,
            "returnorder.create": lambda document, real: take_return(world, document, real),
            "returnorder.query": lambda document, _: tell_return(world, find_code(document)),
        }

    def mount(self, app: web.Application) -> None:
        app.router.add_post("/qimen/router/qimen/service", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._world.tally.requests["qimen"] += 1
        body = await request.read()
        method = request.query.get("method", "").removeprefix("taobao.qimen.")
        try:
            self._check(request.query, body)
            document = parse_xml(body)
        except Refusal as refusal:
            return answer_failure(refusal)
        except (BadXml, UnicodeDecodeError) as error:
            return answer_failure(Refusal("invalid-xml", str(error)))
        call = Call("qimen", method, find_code(document), method in EFFECTS)
        return await self._world.faults.serve(request, call, lambda real: self._act(method, document, real))

    def _check(self, query: Mapping[str, str], body: bytes) -> None:
        if query.get("app_key") != self._keys.app_key or query.get("customerId") != self._keys.customer_id:
            raise Refusal("isv.invalid-parameter", "app_key 或 customerId 无效")
        if query.get("sign") != sign(query, body.decode(), self._keys.secret):
            raise Refusal("sign-check-failure", "签名校验失败")
        try:
            age = abs(time.time() - read_local(query.get("timestamp", "")))
        except ValueError as error:
            raise Refusal("isv.invalid-timestamp", "timestamp 格式应为 yyyy-MM-dd HH:mm:ss") from error
        if age > WINDOW:
            raise Refusal("isv.invalid-timestamp", "timestamp 超出允许范围")

    def _act(self, method: str, document: Node, real: bool) -> web.Response:
        try:
            if method not in self._operations or (method == BATCH and not self._world.warehouse.batchcreate):
                raise Refusal("isv.invalid-method", f"不支持的方法 {method}")
            content = self._operations[method](document, real)
        except Refusal as refusal:
            return answer_failure(refusal)
        return answer_xml(write_xml("response", {"flag": "success", "code": "0", "message": "OK", **content}))

    def _create(self, document: Node, real: bool) -> dict[str, Any]:
        now = self._world.clock.now()
        delivery = self._read(document, now)
        if real:
            self._take(delivery)
        return {"createTime": local_text(now), "deliveryOrderId": delivery.wms_id}

    def _make(self, document: Node, at: float) -> Delivery:
        """One of a batch."""
        delivery = self._read(document, at)
        self._take(delivery)
        return delivery

    def _read(self, document: Node, now: float) -> Delivery:
        """The delivery order of a document that the warehouse would take."""
        head, code = document.one("deliveryOrder"), read_code(document)
        if code in self._world.deliveries:
            self._world.tally.repeat("wms_delivery_order")
            raise Refusal("S003", f"出库单 {code} 重复，已存在")
        check_order(document)
        lines = document.one("orderLines").every("orderLine")
        return Delivery(
            code=code,
            wms_id=f"WMS{digits(10, self._world.config.seed, 'wms', code)}",
            warehouse=head.read("warehouseCode"),
            order_type=head.read("orderType"),
            owner=lines[0].read("ownerCode"),
            order=self._world.adopt(code),
            lines=[read_line(node, self._world.stocks.articles) for node in lines],
            asked_carrier=head.read("logisticsCode"),
            phones=(head.read("senderInfo", "mobile"), head.read("receiverInfo", "mobile")),
            address=head.read("receiverInfo", "detailAddress"),
            created_at=now,
        )

    def _take(self, delivery: Delivery) -> None:
        order = delivery.order
        self._world.tally.effect("wms_delivery_order", duplicate=ships_twice(delivery, self._world.placed))
        self._world.deliveries[delivery.code] = delivery
        order.deliveries.append(delivery)
        order.creates += 1
        self._world.stocks.wms.lock(delivery.warehouse, delivery.wanted)
        self._world.reach(order, "wms_created")
        for listener in self._world.on_delivery_created:
            listener(delivery, delivery.created_at)

    def _find(self, code: str) -> Delivery:
        found = self._world.deliveries.get(code)
        if found is None:
            raise Refusal("S004", f"出库单 {code} 不存在")
        return found

    def _query(self, document: Node, _: bool) -> dict[str, Any]:
        return write_state(self._find(find_code(document)))

    def _cancel(self, document: Node, real: bool) -> dict[str, Any]:
        delivery = self._find(find_code(document))
        if delivery.status == "CANCELED":
            self._world.tally.repeat("wms_cancel")
            raise Refusal("S005", f"出库单 {delivery.code} 已取消")
        if delivery.status not in STOPPABLE:
            raise Refusal("S006", f"出库单 {delivery.code} 已拣货或已发货，不能取消")
        if real:
            self._stop(delivery)
        return {}

    def _stop(self, delivery: Delivery) -> None:
        if delivery.frozen:
            self._world.stocks.wms.unlock(delivery.warehouse, delivery.remaining)
            delivery.frozen = False
        delivery.status = "CANCELED"
        self._world.tally.effect("wms_cancel")

    def _stock(self, document: Node, _: bool) -> dict[str, Any]:
        items = [self._count(node) for node in document.one("criteriaList").every("criteria")]
        return {"items": {"item": [item for item in items if item]}}

    def _count(self, criteria: Node) -> dict[str, Any] | None:
        warehouse, sku = criteria.read("warehouseCode"), criteria.read("itemCode")
        level = self._world.stocks.wms.level(warehouse, sku)
        if level is None:
            return None
        return {
            "warehouseCode": warehouse,
            "itemCode": sku,
            "itemId": item_id(sku),
            "inventoryType": criteria.read("inventoryType") or "ZP",
            "quantity": level.available,
            "lockQuantity": level.locked,
        }


def ships_twice(delivery: Delivery, placed: Sequence[Order]) -> bool:
    """Whether living deliveries and what left would be more than was ordered; strays have no lines.

    What is more than one order bought may be what its customer bought in others, to the same address, that are not on
    their way: in one parcel then. From there on those others are not to be shipped themselves.
    """
    order = delivery.order
    if not order.lines:
        return any(other.alive for other in order.deliveries)
    if any(order.no in one.carries for one in placed if _lives_with(one, order)):
        return True
    carried = [one for one in placed if one.no in order.carries]
    if not _is_more([order, *carried], delivery):
        return False
    more = [one for one in placed if _lives_with(one, order) and not any(other.alive for other in one.deliveries)]
    if not more or _is_more([order, *carried, *more], delivery):
        return True
    order.carries |= {one.no for one in more}
    return False


def _lives_with(one: Order, other: Order) -> bool:
    return one is not other and (one.customer.no, one.receiver) == (other.customer.no, other.receiver)


def _is_more(orders: Sequence[Order], delivery: Delivery) -> bool:
    """Whether these orders, with this delivery, would get more than was bought with them."""
    known = [one for order in orders for one in order.deliveries]
    living = [one.wanted if one.alive else one.shipped for one in known]
    planned = sum_units(unit for wanted in (*living, delivery.wanted) for unit in wanted.items())
    bought = sum_units((line.sku, line.quantity) for order in orders for line in order.lines)
    return any(pieces > bought.get(sku, 0) for sku, pieces in planned.items())


def find_code(document: Node) -> str:
    """The delivery order a request is about, wherever its method puts it; of a batch all of them."""
    paths = (
        ("deliveryOrder", "deliveryOrderCode"),
        ("returnOrder", "returnOrderCode"),
        ("deliveryOrderCode",),
        ("returnOrderCode",),
        ("orderCode",),
        ("order", "orderCode"),
    )
    many = ",".join(read_code(order) for order in document.one("orders").every("order"))
    return next((code for path in paths if (code := document.read(*path))), many)


def check_order(document: Node) -> None:
    """The form of one order; whether its goods are known is another question."""
    head = document.one("deliveryOrder")
    for name in ("deliveryOrderCode", "orderType", "warehouseCode", "createTime"):
        if not head.read(name):
            raise Refusal("S001", f"{name} 不能为空")
    if head.read("orderType") not in ORDER_TYPES:
        raise Refusal("S002", f"单据类型 {head.read('orderType')} 不正确")
    for person in ("senderInfo", "receiverInfo"):
        missing = [name for name in PERSON if not head.read(person, name)]
        if missing:
            raise Refusal("S001", f"{person}.{missing[0]} 不能为空")
    if head.read("warehouseCode") not in STOCK_OF_WAREHOUSE:
        raise Refusal("S002", f"仓库 {head.read('warehouseCode')} 不存在")
    if not document.one("orderLines").every("orderLine"):
        raise Refusal("S001", "orderLines 不能为空")


def read_line(node: Node, articles: Mapping[str, Article]) -> DeliveryLine:
    sku = node.read("itemCode")
    if sku not in articles:
        raise Refusal("S002", f"商品 {sku} 不存在")
    if not node.read("ownerCode"):
        raise Refusal("S001", "ownerCode 不能为空")
    if not node.read("planQty").isdigit() or int(node.read("planQty")) == 0:
        raise Refusal("S002", f"商品 {sku} 的 planQty 应为正整数")
    return DeliveryLine(node.read("orderLineNo"), sku, node.read("inventoryType") or "ZP", int(node.read("planQty")))
