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
    message = {"outBizCode": f"{back.wms_id}-{number}", "confirmType": 0 if final else 1}
    head = describe_head(back) | message | {"orderConfirmTime": local_text(at)}
    return {"returnOrder": head, "orderLines": {"orderLine": describe_lines(back, came)}}


def tell_return(world: World, code: str) -> dict[str, Any]:
    """returnorder.query: everything that is in by now."""
    back = world.returns.get(code)
    if back is None:
        raise Refusal("S004", f"退货入库单 {code} 不存在")
    status = "FULFILLED" if back.closed else "PARTFULFILLED" if back.confirms else "NEW"
    came = [
        {"sku": sku, "good": back.good[sku], "damaged": back.damaged[sku]} for sku in sorted(back.good + back.damaged)
    ]
    confirmed = {"orderConfirmTime": local_text(back.confirmed_at)} if back.confirmed_at else {}
    head = describe_head(back) | {"status": status} | confirmed
    return {"returnOrder": head, "orderLines": {"orderLine": describe_lines(back, came)}}


def describe_head(back: ReturnedGoods) -> dict[str, Any]:
    return {
        "returnOrderCode": back.code,
        "returnOrderId": back.wms_id,
        "warehouseCode": back.warehouse,
        "orderType": back.order_type,
    }


def describe_lines(back: ReturnedGoods, came: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    plan = {line.sku: line for line in back.lines}
    return [
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
