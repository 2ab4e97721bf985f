"""What each system refuses, in its own words; and that a refusal changes nothing."""

import time
from typing import Any

import pytest

from tests.sim.conftest import OpenStage, Stage
from tests.sim.seller import delivery_order, shop_parcel, subscription, upload
from tests.sim.settings import MCHID
from tests.sim.test_order_line import place

QUERY = "<request><deliveryOrderCode>SO1</deliveryOrderCode></request>"
CANCEL = "<request><warehouseCode>WH01</warehouseCode><orderCode>SO1</orderCode></request>"
LATER = 1767700000
TEXT = {"msgtype": "text", "text": {"content": "订单挂起"}}


async def create(stage: Stage) -> dict[str, Any]:
    order = await place(stage, order_no="SO1")
    assert "<flag>success" in await stage.call.qimen("taobao.qimen.deliveryorder.create", delivery_order(order, LATER))
    return order


async def test_qimen_refuses_repeats_unknown_goods_and_bad_signatures(stage: Stage) -> None:
    order = await create(stage)
    document = delivery_order(order, LATER)
    assert "重复" in await stage.call.qimen("deliveryorder.create", document)
    other = document.replace("SO1", "SO2")
    assert "<flag>failure" in await stage.call.qimen("deliveryorder.create", other.replace("SKU-001", "SKU-999"))
    assert "sign-check-failure" in await stage.call.qimen("deliveryorder.create", other, sign="0" * 32)
    assert "timestamp" in await stage.call.qimen("deliveryorder.create", other, timestamp="2026-01-01 00:00:00")
    assert "invalid-xml" in await stage.call.qimen("deliveryorder.create", "<!DOCTYPE a><request/>")
    effects = await stage.call.ask("effects")
    assert effects["counts"]["wms_delivery_order"] == 1
    assert effects["repeated_requests"]["wms_delivery_order"] == 1


async def test_qimen_query_and_stock(stage: Stage) -> None:
    await create(stage)
    assert "<status>NEW</status>" in await stage.call.qimen("deliveryorder.query", QUERY)
    await stage.call.world("orders/SO1/ship")
    answer = await stage.call.qimen("deliveryorder.query", QUERY)
    assert "<status>DELIVERED</status>" in answer and "<expressCode>" in answer
    assert "<flag>failure" in await stage.call.qimen("deliveryorder.query", QUERY.replace("SO1", "SO9"))
    criteria = "<warehouseCode>WH01</warehouseCode><itemCode>SKU-001</itemCode>"
    body = f"<request><criteriaList><criteria>{criteria}</criteria></criteriaList></request>"
    answer = await stage.call.qimen("inventory.query", body)
    assert "<quantity>999998</quantity><lockQuantity>0</lockQuantity>" in answer


async def test_qimen_cancel_only_before_picking(stage: Stage) -> None:
    await create(stage)
    await stage.call.world("orders/SO1/report", {"status": "PICK"})
    assert "<flag>failure" in await stage.call.qimen("order.cancel", CANCEL)
    await stage.call.world("orders/SO1/report", {"status": "ACCEPT"})
    assert "<flag>success" in await stage.call.qimen("order.cancel", CANCEL)
    assert "<status>CANCELED</status>" in await stage.call.qimen("deliveryorder.query", QUERY)


async def ship(stage: Stage, carrier: str) -> dict[str, Any]:
    order = await create(stage)
    items = {line["sku"]: line["quantity"] for line in order["lines"]}
    await stage.call.world("orders/SO1/ship", {"packages": [{"items": items, "carrier": carrier, "waybill": "W1"}]})
    return order


async def test_kdniao_pushes_only_what_was_subscribed_with_all_scans(stage: Stage) -> None:
    order = await ship(stage, "YUNDA")
    await stage.call.world("orders/SO1/scan", {"state_ex": "1"})
    assert stage.received.of("kdniao") == []
    wrong = {**subscription(order, "YUNDA", "W1"), "ShipperCode": "YUNDA"}
    assert (await stage.call.kdniao("api/dist", "1008", wrong))["Success"] is False
    assert (await stage.call.kdniao("api/dist", "1008", subscription(order, "YUNDA", "W1")))["Success"] is True
    await stage.call.world("settle")
    assert len(stage.received.of("kdniao", "102")) == 1
    await stage.call.world("orders/SO1/scan", {"state_ex": "204"})
    track = stage.received.of("kdniao")[-1].content["Data"][0]
    assert (track["ShipperCode"], track["StateEx"], len(track["Traces"])) == ("YD", "204", 2)


async def test_kdniao_query_editions(stage: Stage) -> None:
    order = await ship(stage, "YTO")
    names, path = {"ShipperCode": "YTO", "LogisticCode": "W1"}, "Ebusiness/EbusinessOrderHandle.aspx"
    empty = await stage.call.kdniao(path, "8001", names)
    assert (empty["Success"], empty["Traces"], empty["Reason"]) == (True, [], "暂无轨迹信息")
    await stage.call.world("orders/SO1/scan", {"state_ex": "211"})
    assert (await stage.call.kdniao(path, "8001", names))["StateEx"] == "211"
    free = await stage.call.kdniao(path, "1002", names)
    assert "StateEx" not in free and free["State"] == 2
    assert (await stage.call.kdniao(path, "8001", names, DataSign="x"))["Success"] is False
    assert order["order_no"] == "SO1"


async def test_kdniao_wants_the_phone_for_sf(stage: Stage) -> None:
    order = await ship(stage, "SF")
    right = subscription(order, "SF", "W1")
    assert (await stage.call.kdniao("api/dist", "1008", {**right, "CustomerName": ""}))["Success"] is False
    assert (await stage.call.kdniao("api/dist", "1008", right))["Success"] is True


async def send(stage: Stage, order: dict[str, Any], waybills: str, now: float, **changes: Any) -> int:
    parcels = [shop_parcel(order, "YTO", waybill) for waybill in waybills.split()]
    answer = await stage.call.wechat("upload_shipping_info", upload(order, parcels, now) | changes)
    return int(answer["errcode"])


async def test_shop_upload_rules(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    assert await send(stage, order, "YT1", LATER) == 10060001
    await stage.call.world("orders/SO1/pay")
    assert await send(stage, order, "YT1", LATER, shipping_list={}) == 47001
    assert await send(stage, order, "YT1", LATER, logistics_type=9) == 10060005
    assert await send(stage, order, "YT1 YT2", LATER, logistics_type=2) == 10060006
    assert await send(stage, order, "YT1 YT2", LATER, is_all_delivered=None) == 10060007
    long = [{**shop_parcel(order, "YTO", "YT1"), "item_desc": "长" * 121}]
    assert await send(stage, order, "YT1", LATER, shipping_list=long) == 10060009
    assert await send(stage, order, "YT1", LATER, shipping_list=[{**long[0], "item_desc": ""}]) == 10060008
    assert (await stage.call.ask("orders/SO1"))["shop"]["uploads"] == 0
    assert await send(stage, order, "YT1", LATER) == 0
    assert await send(stage, order, "YT1", LATER) == 10060002
    shop = (await stage.call.ask("orders/SO1"))["shop"]
    assert (shop["order_state"], shop["uploads"], shop["tracking"]) == (2, 1, ["YT1"])
    assert (await stage.call.ask("effects"))["duplicates"]["shop_upload"] == 0


async def test_shop_reship_once_is_a_duplicate(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay")
    assert await send(stage, order, "YT1", LATER) == 0
    assert await send(stage, order, "YT2", LATER + 1) == 0
    assert await send(stage, order, "YT3", LATER + 2) == 10060003
    assert (await stage.call.ask("effects"))["duplicates"]["shop_upload"] == 1


async def test_shop_split_grows(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay")
    assert await send(stage, order, "YT1 YT2", LATER, is_all_delivered=False) == 0
    assert (await stage.call.ask("orders/SO1"))["shop"]["order_state"] == 1
    assert await send(stage, order, "YT2 YT3", LATER + 1) == 0
    shop = (await stage.call.ask("orders/SO1"))["shop"]
    assert (shop["order_state"], shop["tracking"]) == (2, ["YT1", "YT2", "YT3"])
    assert (await stage.call.ask("effects"))["duplicates"]["shop_upload"] == 0


async def test_shop_visibility_token_and_reminder(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay", {"visible_after_seconds": 10_000_000})
    names = {"merchant_id": MCHID, "merchant_trade_no": "SO1", "received_time": LATER}
    assert (await stage.call.wechat("get_order", names))["errcode"] == 10060001
    stage.town.world.find("SO1").payments[0].visible_at = 0
    assert (await stage.call.wechat("get_order", names))["order"]["order_state"] == 1
    assert (await stage.call.wechat("notify_confirm_receive", names))["errcode"] == 10060004
    await send(stage, order, "YT1", LATER)
    assert (await stage.call.wechat("notify_confirm_receive", names))["errcode"] == 0
    assert (await stage.call.wechat("notify_confirm_receive", names))["errcode"] != 0
    await stage.call.world("tokens/expire")
    assert (await stage.call.wechat("get_order", names))["errcode"] == 42001


async def test_payment_queries_and_refusals(stage: Stage) -> None:
    order = await place(stage, order_no="SO1")
    path = f"/v3/pay/transactions/out-trade-no/SO1?mchid={MCHID}"
    assert (await stage.call.wechatpay("GET", path))[1]["trade_state"] == "NOTPAY"
    status, answer = await stage.call.wechatpay("GET", path.replace("SO1", "SO9"))
    assert (status, answer["code"]) == (404, "ORDER_NOT_EXIST")
    await stage.call.world("orders/SO1/pay", {"amount": 1})
    status, answer = await stage.call.wechatpay("GET", path)
    assert (answer["trade_state"], answer["amount"]["total"], order["total"] > 1) == ("SUCCESS", 1, True)
    async with stage.call.session.get(f"{stage.call.base}/wechatpay{path}") as bare:
        assert (bare.status, (await bare.json())["code"]) == (401, "SIGN_ERROR")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount": {"refund": 999_999, "total": 100, "currency": "CNY"}}, 403, "NOT_ENOUGH"),
        ({"amount": {"refund": 10, "total": 99, "currency": "CNY"}}, 400, "INVALID_REQUEST"),
        ({"out_trade_no": "SO9"}, 404, "RESOURCE_NOT_EXISTS"),
        ({"amount": {"refund": 10}}, 400, "PARAM_ERROR"),
    ],
)
async def test_refund_refusals(stage: Stage, change: dict[str, Any], status: int, code: str) -> None:
    await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay", {"amount": 100})
    amount = {"refund": 60, "total": 100, "currency": "CNY"}
    wish = {"out_trade_no": "SO1", "out_refund_no": "R1", "amount": amount, **change}
    got, answer = await stage.call.wechatpay("POST", "/v3/refund/domestic/refunds", wish)
    assert (got, answer["code"]) == (status, code)
    assert (await stage.call.ask("orders/SO1"))["refunds"] == []


async def test_refund_repeated_is_one_refund(stage: Stage) -> None:
    await place(stage, order_no="SO1")
    await stage.call.world("orders/SO1/pay", {"amount": 100})
    amount = {"refund": 60, "total": 100, "currency": "CNY"}
    wish = {"out_trade_no": "SO1", "out_refund_no": "R1", "amount": amount}
    answers = [await stage.call.wechatpay("POST", "/v3/refund/domestic/refunds", wish) for _ in range(2)]
    assert [status for status, _ in answers] == [200, 200]
    assert len((await stage.call.ask("orders/SO1"))["refunds"]) == 1
    more = {**wish, "out_refund_no": "R2"}
    assert (await stage.call.wechatpay("POST", "/v3/refund/domestic/refunds", more))[1]["code"] == "NOT_ENOUGH"
    assert (await stage.call.wechatpay("GET", "/v3/refund/domestic/refunds/R1"))[0] == 200


async def test_robot_limit_and_mute(open_stage: OpenStage) -> None:
    stage = await open_stage(robot={"per_minute": 2, "mute_seconds": 0.3})
    codes = [(await stage.call.dingtalk(TEXT))["errcode"] for _ in range(4)]
    assert codes == [0, 0, 130101, 130101]
    await stage.call.world("robot", {"per_minute": 20, "mute_seconds": 600})
    assert (await stage.call.dingtalk(TEXT))["errcode"] == 0
    assert len((await stage.call.ask("messages"))["messages"]) == 3


async def test_robot_refusals(stage: Stage) -> None:
    assert (await stage.call.dingtalk(TEXT, sign="x"))["errcode"] == 310000
    assert (await stage.call.dingtalk(TEXT, at=time.time() - 3700))["errmsg"] == "invalid timestamp"
    assert (await stage.call.dingtalk(TEXT, access_token="x"))["errcode"] == 300005
    assert (await stage.call.dingtalk({"msgtype": "markdown", "markdown": {"text": "x"}}))["errcode"] == 400103
    assert (await stage.call.ask("messages"))["messages"] == []


async def test_qimen_counts_goods_of_two_orders_in_one_parcel_once(stage: Stage) -> None:
    where = {"name": "张三", "mobile": "13912345678", "province": "浙江省", "city": "杭州市", "district": "西湖区"}
    whose = {"customer": {"no": "C1"}, "receiver": {**where, "address": "文三路 1 号"}}
    orders = [await place(stage, order_no=number, **whose) for number in ("SO1", "SO2")]
    stranger = await place(stage, order_no="SO3", customer={"no": "C2"}, receiver={"address": "别处"})

    async def duplicates(order: dict[str, Any], code: str) -> int:
        document = delivery_order({**order, "order_no": code}, LATER)
        assert "<flag>success" in await stage.call.qimen("deliveryorder.create", document)
        return int((await stage.call.ask("effects"))["duplicates"]["wms_delivery_order"])

    lines = [line for order in orders for line in order["lines"]]
    assert await duplicates({**orders[0], "lines": lines}, "SO1") == 0, "one parcel for both"
    assert await duplicates(orders[1], "SO2") == 1, "the second order has left with the first"
    assert await duplicates({**stranger, "lines": lines}, "SO3") == 2, "nobody else's goods fill a parcel"
