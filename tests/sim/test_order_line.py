"""One order, step by step, through every system with raw HTTP calls; every step also checked in the truth."""

from typing import Any

from tests.sim.conftest import OpenStage, Stage
from tests.sim.receiver import read
from tests.sim.seller import Seller, delivery_order, sale_order, shop_parcel, subscription, upload

LINES = [{"sku": "SKU-001", "quantity": 2}, {"sku": "SKU-004", "quantity": 1}]


async def place(stage: Stage, **spec: Any) -> dict[str, Any]:
    """The order as our side was told of it."""
    await stage.call.world("orders", {"lines": LINES, **spec})
    return dict(stage.received.of("direct")[-1].content["order"])


async def truth(stage: Stage, no: str) -> Any:
    return await stage.call.ask(f"orders/{no}")


async def test_placed_and_paid(stage: Stage) -> None:
    order = await place(stage, order_no="SO1", freight=600)
    assert order["total"] == sum(line["amount"] for line in order["lines"]) + 600
    assert order["placed_at"].startswith("2026-01-05T09:") and order["placed_at"].endswith("+08:00")
    sent = (await stage.call.world("orders/SO1/pay"))["sent"]
    assert sent[0]["acknowledged"] is True
    plain = stage.received.of("wechatpay")[0].content["resource"]["plain"]
    assert plain["out_trade_no"] == "SO1"
    assert plain["amount"]["total"] == order["total"]
    assert [p["amount"] for p in (await truth(stage, "SO1"))["payments"]] == [order["total"]]


async def test_second_charge_is_refunded(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay", {"twice": True})
    ids = [a.content["resource"]["plain"]["transaction_id"] for a in stage.received.of("wechatpay")]
    assert len(set(ids)) == 2
    amount = {"refund": order["total"], "total": order["total"], "currency": "CNY"}
    wish = {"transaction_id": ids[1], "out_refund_no": "SO1-R1", "reason": "重复扣款", "amount": amount}
    status, answer = await stage.call.wechatpay("POST", "/v3/refund/domestic/refunds", wish)
    assert (status, answer["status"]) == (200, "PROCESSING")
    await stage.call.world("orders/SO1/refunded")
    notice = stage.received.of("wechatpay", "REFUND.SUCCESS")[0].content["resource"]["plain"]
    assert (notice["out_refund_no"], notice["refund_status"]) == ("SO1-R1", "SUCCESS")
    assert (await truth(stage, "SO1"))["shop"]["order_state"] == 1


async def test_whole_line(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay")
    seller = Seller(stage.call, stage.town.world.clock.now, orders={"SO1": order})
    await seller.take_payment("SO1")
    assert (await truth(stage, "SO1"))["erp"]["sale_order"]["status"] == "C"
    for status in ("ACCEPT", "PICK", "PACKAGE"):
        await stage.call.world("orders/SO1/report", {"status": status})
    assert [read(a.content, "process/processStatus") for a in stage.received.of("qimen")] == [
        "ACCEPT",
        "PICK",
        "PACKAGE",
    ]
    await stage.call.world("orders/SO1/ship")
    await seller.take_confirm(stage.received.of("qimen", "deliveryorder.confirm")[0].content)
    assert len(stage.received.of("wechat")) == 1
    for state in ("1", "204", "202"):
        await stage.call.world("orders/SO1/scan", {"state_ex": state})
    await stage.call.world("orders/SO1/sign")
    push = stage.received.of("kdniao")[-1].content["Data"][0]
    assert [trace["Action"] for trace in push["Traces"]] == ["1", "204", "202", "301"]
    assert (push["OrderCode"], push["CallBack"], push["State"]) == ("SO1", "tenant-1", "3")
    await seller.take_track(push)
    await stage.call.world("orders/SO1/receive")
    assert stage.received.of("wechat")[-1].content["confirm_receive_time"]
    end = await truth(stage, "SO1")
    assert end["wms"] == {
        "status": "DELIVERED",
        "creates": 1,
        "order_type": "JYCK",
        "shipped": {"SKU-001": 2, "SKU-004": 1},
        "warehouses": ["WH01"],
        "addresses": {"SO1": "滨河大道776号"},
    }
    assert end["erp"]["outstock"][0]["status"] == "C"
    assert end["erp"]["receipt_told"]
    assert end["shop"]["order_state"] == 3
    assert end["parcels"][0]["outcome"] == "signed"
    assert end["at_rest"]


async def test_partial_shipments(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay")
    await stage.call.qimen("deliveryorder.create", delivery_order(order, 1767600000))
    first = {"packages": [{"items": {"SKU-001": 1}, "carrier": "YUNDA", "waybill": "YD1"}]}
    await stage.call.world("orders/SO1/ship", first)
    await stage.call.world("orders/SO1/ship")
    confirms = [a.content for a in stage.received.of("qimen")]
    heads = [(read(c, "deliveryOrder/status"), read(c, "deliveryOrder/confirmType")) for c in confirms]
    assert heads == [("PARTDELIVERED", "1"), ("DELIVERED", "0")]
    actual = [[line.findtext("actualQty") for line in c.iterfind("orderLines/orderLine")] for c in confirms]
    assert actual == [["1", "0"], ["1", "1"]]
    again = await stage.call.world("orders/SO1/ship")
    assert "error" in again


async def test_lack(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await stage.call.qimen("deliveryorder.create", delivery_order(order, 1767600000))
    await stage.call.world("orders/SO1/lack")
    report = stage.received.of("qimen", "itemlack.report")[0].content
    assert (read(report, "deliveryOrderCode"), read(report, "items/item/lackQty")) == ("SO1", "2")
    assert (await truth(stage, "SO1"))["wms"]["status"] == "EXCEPTION"


async def test_unpaid_order_is_not_payable_twice_by_mistake(stage: Stage) -> None:
    await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay")
    assert "error" in await stage.call.world("orders/SO1/pay")
    assert "error" in await stage.call.world("orders/SO9/pay")
    assert "error" in await stage.call.world("orders", {"order_no": "SO1"})


async def test_documents_of_orders_nobody_placed(stage: Stage) -> None:
    """The ERP, the warehouse and the courier do not know the shop."""
    receiver = {"name": "李四", "mobile": "13900000001", "province": "浙江省", "city": "宁波市", "address": "一号"}
    lines = [{"line_no": 1, "sku": "SKU-001", "quantity": 1, "unit_price": 560}]
    order = {"order_no": "X-1", "lines": lines, "receiver": receiver}
    save = {"formid": "SAL_SaleOrder", "data": {"Model": sale_order(order, 1767600000)}}
    assert (await stage.call.kingdee("Save", save))["Result"]["Number"] == "X-1"
    assert "<flag>success" in await stage.call.qimen("deliveryorder.create", delivery_order(order, 1767600000))
    await stage.call.world(
        "orders/X-1/ship", {"packages": [{"items": {"SKU-001": 1}, "carrier": "SF", "waybill": "SF1"}]}
    )
    answer = await stage.call.kdniao("api/dist", "1008", subscription(order, "SF", "SF1"))
    assert answer["Success"] is True
    await stage.call.world("orders/X-1/scan", {"state_ex": "1"})
    assert stage.received.of("kdniao")[0].content["Data"][0]["ShipperCode"] == "SF"
    assert (await stage.call.ask("truth"))["orders"] == []


async def test_plain_mode_and_paging(open_stage: OpenStage) -> None:
    stage = await open_stage(mode="plain")
    for number in ("SO1", "SO2", "SO3"):
        order = await place(stage, order_no=number)
    await stage.call.world("orders/SO3/pay")
    parcels = [shop_parcel(order, "YTO", "YT1")]
    assert (await stage.call.wechat("upload_shipping_info", upload(order, parcels, 1767600000)))["errcode"] == 0
    assert (await stage.call.world("settle"))["settled"]
    assert stage.received.of("wechat")[0].content["merchant_trade_no"] == "SO3"
    page = await stage.call.ask("truth?limit=2")
    assert ([o["order_no"] for o in page["orders"]], page["next"]) == (["SO1", "SO2"], "SO2")
    page = await stage.call.ask("truth?after=SO2")
    assert ([o["order_no"] for o in page["orders"]], page["next"]) == (["SO3"], None)
