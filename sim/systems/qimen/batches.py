"""Delivery orders handed over in a batch: taken on at once, made a moment later one by one, and told then.

The door looks at the form of each only; goods, repeats and the warehouse's own mind come when they are made.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sim.chance import between, roll
from sim.clock import MINUTE, local_text
from sim.records import Delivery, Order
from sim.systems.qimen.news import QimenNews
from sim.systems.qimen.refusals import Refusal
from sim.world import World
from sim.xml_text import Node

WAIT = (MINUTE / 2, 3 * MINUTE)  # business seconds until a batch is made, by itself
MANUAL_SECONDS = 0.05  # real: with tests in charge it is made at once


class Batches:
    """`check` raises for what the door refuses, `make` makes one delivery order or raises."""

    def __init__(
        self,
        world: World,
        news: QimenNews,
        check: Callable[[Node], None],
        make: Callable[[Node, float], Delivery],
    ) -> None:
        self._world, self._news = world, news
        self._check, self._make = check, make

    def take(self, document: Node, real: bool) -> dict[str, Any]:
        """The answer names what the door refuses, with its reason; the others wait to be made."""
        orders = document.one("orders").every("order")
        if not orders:
            raise Refusal("S001", "orders 不能为空")
        wrong: dict[str, str] = {}
        taken: list[Node] = []
        for order in orders:
            try:
                self._check(order)
                taken.append(order)
            except Refusal as refusal:
                wrong[read_code(order)] = refusal.message
        if real and taken:
            self._queue(taken)
        named = {"orders": {"order": [{"deliveryOrderCode": c, "message": why} for c, why in wrong.items()]}}
        if not taken:
            raise Refusal("S001", "全部单据校验失败", named)
        return named if wrong else {}

    def _queue(self, nodes: Sequence[Node]) -> None:
        orders = [self._world.adopt(read_code(node)) for node in nodes]
        for order in orders:
            order.open += 1
        first = read_code(nodes[0])
        wait = between(*WAIT, roll(self._world.config.seed, "batch", first)[0])
        if not self._world.config.autopilot:
            asked = self._world.warehouse.batch_seconds
            wait = (MANUAL_SECONDS if asked is None else asked) * self._world.clock.speed
        self._world.agenda.add(self._world.clock.now() + wait, None, lambda at: self._make_all(nodes, orders, at))

    def _make_all(self, nodes: Sequence[Node], orders: Sequence[Order], at: float) -> None:
        self._news.answer(tuple(orders), read_code(nodes[0]), [self._make_one(node, at) for node in nodes])
        for order in orders:
            order.open -= 1

    def _make_one(self, node: Node, at: float) -> dict[str, Any]:
        """What the answer says of one."""
        code = read_code(node)
        told: dict[str, Any] = {"deliveryOrderCode": code}
        try:
            if self._refuses(code):
                raise Refusal("S007", "仓库拒绝接单")
            delivery = self._make(node, at)
        except Refusal as refusal:
            told |= {"flag": "failure", "code": refusal.code, "message": refusal.message}
            return told | {"orderInfo": {"createTime": local_text(at)}}
        info = {
            "deliveryOrderId": delivery.wms_id,
            "warehouseCode": delivery.warehouse,
            "logisticsCode": delivery.asked_carrier,
            "createTime": local_text(at),
        }
        return told | {"flag": "success", "code": "0", "message": "OK", "orderInfo": info}

    def _refuses(self, code: str) -> bool:
        return code in self._world.warehouse.refuses or self._world.faults.refuses_of_batch("qimen", code)


def read_code(order: Node) -> str:
    return order.read("deliveryOrder", "deliveryOrderCode")
