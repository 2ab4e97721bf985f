"""Goods that come back to the warehouse: return orders taken on, goods counted, and what it tells of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.catalogue import STOCK_OF_WAREHOUSE
from sim.chance import digits
from sim.clock import local_text
from sim.records import DeliveryLine, ReturnedGoods
from sim.systems.qimen.documents import item_id
from sim.systems.qimen.refusals import Refusal
from sim.world import World
from sim.xml_text import Node

SENDER = ("name", "mobile", "province", "city", "detailAddress")


def take_return(world: World, document: Node, real: bool) -> dict[str, Any]:
    """returnorder.create: the code is unique for ever."""
    head, code = document.one("returnOrder"), document.read("returnOrder", "returnOrderCode")
    check_return(document)
    if code in world.returns:
        world.tally.repeat("wms_return_order")
        raise Refusal("S003", f"退货入库单 {code} 重复，已存在")
    lines = [read_line(world, node) for node in document.one("orderLines").every("orderLine")]
    wms_id = f"RTN{digits(10, world.config.seed, 'return', code)}"
    if real:
        order = world.adopt(head.read("preDeliveryOrderCode"))
        back = ReturnedGoods(code, wms_id, head.read("warehouseCode"), head.read("orderType"), order, lines)
        world.returns[code] = back
        world.tally.effect("wms_return_order", duplicate=False)
        for told in world.on_return_created:
            told(back, world.clock.now())
    return {"returnOrderId": wms_id, "createTime": local_text(world.clock.now())}


def check_return(document: Node) -> None:
    head = document.one("returnOrder")
    for name in ("returnOrderCode", "warehouseCode", "orderType", "preDeliveryOrderCode", "logisticsCode"):
        if not head.read(name):
            raise Refusal("S001", f"{name} 不能为空")
    if head.read("orderType") not in ("THRK", "HHRK"):
        raise Refusal("S002", f"单据类型 {head.read('orderType')} 不正确")
    if missing := [name for name in SENDER if not head.read("senderInfo", name)]:
        raise Refusal("S001", f"senderInfo.{missing[0]} 不能为空")
    if head.read("warehouseCode") not in STOCK_OF_WAREHOUSE:
        raise Refusal("S002", f"仓库 {head.read('warehouseCode')} 不存在")
    if not document.one("orderLines").every("orderLine"):
        raise Refusal("S001", "orderLines 不能为空")


def read_line(world: World, node: Node) -> DeliveryLine:
    sku, plan = node.read("itemCode"), node.read("planQty")
    if sku not in world.stocks.articles:
        raise Refusal("S002", f"商品 {sku} 不存在")
    if not node.read("ownerCode"):
        raise Refusal("S001", "ownerCode 不能为空")
    if not plan.isdigit() or int(plan) == 0:
        raise Refusal("S002", f"商品 {sku} 的 planQty 应为正整数")
    return DeliveryLine(node.read("orderLineNo"), sku, node.read("inventoryType") or "ZP", int(plan))


def write_return(
    back: ReturnedGoods, came: Sequence[Mapping[str, Any]], *, final: bool, number: int, at: float
) -> dict[str, Any]:
    """returnorder.confirm: what this message brought, good and damaged pieces on lines of their own."""
    plan = {line.sku: line for line in back.lines}
    rows = [
        {
            "orderLineNo": plan[one["sku"]].line_no if one["sku"] in plan else "",
            "itemCode": one["sku"],
            "itemId": item_id(one["sku"]),
            "inventoryType": kind,
            "planQty": plan[one["sku"]].plan if one["sku"] in plan else 0,
            "actualQty": pieces,
        }
        for one in came
        for kind, pieces in (("ZP", int(one.get("good", 0))), ("CC", int(one.get("damaged", 0))))
        if pieces
    ]
    return {
        "returnOrder": {
            "returnOrderCode": back.code,
            "returnOrderId": back.wms_id,
            "warehouseCode": back.warehouse,
            "outBizCode": f"{back.wms_id}-{number}",
            "orderType": back.order_type,
            "confirmType": 0 if final else 1,
            "orderConfirmTime": local_text(at),
        },
        "orderLines": {"orderLine": rows},
    }
