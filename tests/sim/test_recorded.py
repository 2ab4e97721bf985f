"""A recorded history in the world: a clock that is set, many acts in one call, and what cannot happen yet."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sim.conftest import OpenStage, Stage
from tests.sim.receiver import read
from tests.sim.seller import delivery_order, sale_order, subscription, upload

START = "2016-10-01T00:00:00+00:00"
STANDING = {"clock": {"start": START, "set": True}}
LINES = [
    {"line_no": 1, "sku": "a3c9 pan/28", "name": "pan", "quantity": 2, "unit_price": 1990, "amount": 3900},
    {"line_no": 2, "sku": "SKU-001", "name": "bolt", "quantity": 1, "unit_price": 560, "amount": 560},
]
ORDER = {
    "order_no": "H-1", "channel": "marketplace", "currency": "BRL", "freight": 1500, "discount": 0,
    "customer": {"no": "C1", "name": "", "openid": "o-1", "tier": "vip"},
    "receiver": {"name": "nobody", "mobile": "00000000000", "province": "SP", "city": "sao paulo", "district": "",
                 "address": "01310"},
    "lines": LINES,
}  # fmt: skip


@pytest.fixture
async def stage(open_stage: OpenStage) -> Stage:
    return await open_stage(**STANDING)


def act(do: str, at: str, order_no: str = "H-1", **more: Any) -> dict[str, Any]:
    return {"do": do, "at": at, "order_no": order_no, **more}


PLACE = act("place", "2016-10-04T10:00:00+00:00", order=ORDER)
CHARGE = act("charge", "2016-10-04T10:20:00+00:00", provider="voucher", transaction_id="H-1-1", amount=5960)


async def play(stage: Stage, *acts: dict[str, Any], **more: Any) -> Any:
    return await stage.call.world("recorded", {"acts": acts, **more})


async def truth(stage: Stage) -> Any:
    return await stage.call.ask("orders/H-1")


async def test_the_clock_stands_until_it_is_set_and_never_goes_back(stage: Stage) -> None:
    await asyncio.sleep(0.05)
    assert (await stage.call.ask("progress"))["business_now"] == START
    assert (await stage.call.world("clock", {"at": "2017-01-01T00:00:00+00:00"}))["now"] == "2017-01-01T00:00:00+00:00"
    assert "does not go back" in (await stage.call.world("clock", {"at": START}))["error"]
    assert (await stage.call.ask("progress"))["business_now"] == "2017-01-01T00:00:00+00:00"


async def test_a_clock_that_runs_cannot_be_set(open_stage: OpenStage) -> None:
    running = await open_stage()
    assert "runs by itself" in (await running.call.world("clock", {"at": "2030-01-01T00:00:00+00:00"}))["error"]


async def test_what_is_planned_happens_when_the_clock_gets_there(stage: Stage) -> None:
    happened: list[float] = []
    due = datetime(2016, 11, 1, tzinfo=UTC).timestamp()
    stage.town.world.agenda.add(due, None, happened.append)
    await stage.call.world("clock", {"at": "2016-10-31T23:59:59+00:00"})
    await asyncio.sleep(0.05)
    assert happened == []
    await stage.call.world("clock", {"at": "2016-11-01T00:00:00+00:00"})
    await asyncio.sleep(0.05)
    assert happened == [due]


async def test_an_order_is_pushed_as_it_is_recorded(stage: Stage) -> None:
    told = await play(stage, PLACE)
    assert told == {"tried": 1, "waits": {}, "settled": True, "now": "2016-10-04T10:00:00+00:00"}
    [push] = stage.received.of("direct", "order.placed")
    order = push.content["order"]
    assert (order["currency"], order["channel"], order["total"]) == ("BRL", "marketplace", 3900 + 560 + 1500)
    assert order["placed_at"] == "2016-10-04T18:00:00+08:00"
    assert [line["amount"] for line in order["lines"]] == [3900, 560]
    assert order["receiver"]["city"] == "sao paulo"
    assert order["customer"]["tier"] == "vip"


async def test_the_shop_tells_of_charges_that_wechat_pay_never_heard_of(stage: Stage) -> None:
    card = act("charge", "2016-10-04T10:21:00+00:00", provider="card", transaction_id="H-1-2", amount=1)
    await play(stage, PLACE, CHARGE, card)
    pushes = [one.content["order"] for one in stage.received.of("direct", "order.paid")]
    assert [(p["provider"], p["transaction_id"], p["amount"], p["currency"]) for p in pushes] == [
        ("voucher", "H-1-1", 5960, "BRL"), ("card", "H-1-2", 1, "BRL"),
    ]  # fmt: skip
    assert stage.received.of("wechatpay") == []
    path = "/v3/pay/transactions/out-trade-no/H-1?mchid=1900000001"
    status, answer = await stage.call.wechatpay("GET", path)
    assert (status, answer.get("trade_state")) == (200, "NOTPAY")
    assert [charge["amount"] for charge in (await truth(stage))["shop_charges"]] == [5960, 1]


async def test_the_same_charge_twice_is_refused(stage: Stage) -> None:
    assert list((await play(stage, PLACE, CHARGE, CHARGE))["waits"]) == ["2"]
    assert len((await truth(stage))["shop_charges"]) == 1


async def hand_over(stage: Stage) -> None:
    """What our side does with a paid order."""
    placed = stage.received.of("direct", "order.placed")[0].content["order"]
    save = {"formid": "SAL_SaleOrder", "data": {"Model": sale_order(placed, 1475575200)}}
    assert (await stage.call.kingdee("Save", save))["Result"]["Number"] == "H-1"
    assert "<flag>success" in await stage.call.qimen("deliveryorder.create", delivery_order(placed, 1475575200))


async def test_articles_that_the_catalogue_does_not_have_can_be_stocked(stage: Stage) -> None:
    await play(stage, PLACE, CHARGE)
    placed = stage.received.of("direct", "order.placed")[0].content["order"]
    save = {"formid": "SAL_SaleOrder", "data": {"Model": sale_order(placed, 1475575200)}}
    assert "a3c9 pan/28" in str(await stage.call.kingdee("Save", save))  # refused by name
    await stage.call.world("articles", {"articles": [{"sku": "a3c9 pan/28", "quantity": 7}]})
    await hand_over(stage)
    rows = await stage.call.kingdee_query(
        "STK_Inventory", "FMaterialId.FNumber,FBaseQty", "FMaterialId.FNumber = 'a3c9 pan/28'"
    )
    assert rows == [["a3c9 pan/28", 7.0], ["a3c9 pan/28", 7.0]]


WAY = [
    act("ship", "2016-10-05T08:00:00+00:00", packages=[{"carrier": "CORREIOS", "waybill": "BR123456789"}, {}]),
    act("scan", "2016-10-05T08:00:00+00:00"),
    act("sign", "2016-10-09T20:30:15+00:00"),
]


async def test_goods_leave_and_arrive_at_their_recorded_times(stage: Stage) -> None:
    await stage.call.world("articles", {"articles": [{"sku": "a3c9 pan/28", "quantity": 7}]})
    await play(stage, PLACE, CHARGE)
    await hand_over(stage)
    placed = stage.received.of("direct", "order.placed")[0].content["order"]
    answer = await stage.call.kdniao("api/dist", "1008", subscription(placed, "CORREIOS", "BR123456789"))
    assert not answer["Success"]  # a carrier that nobody has named yet
    assert (await play(stage, *WAY))["waits"] == {}
    [confirm] = stage.received.of("qimen", "deliveryorder.confirm")
    assert read(confirm.content, "deliveryOrder/orderConfirmTime") == "2016-10-05 16:00:00"
    answer = await stage.call.kdniao("api/dist", "1008", subscription(placed, "CORREIOS", "BR123456789"))
    assert answer["Success"] is True
    await stage.call.world("settle")
    [track] = stage.received.of("kdniao")[-1].content["Data"]
    assert [(scan["Action"], scan["AcceptTime"]) for scan in track["Traces"]] == [
        ("1", "2016-10-05 16:00:00"), ("301", "2016-10-10 04:30:15"),
    ]  # fmt: skip
    parcels = (await truth(stage))["parcels"]
    assert [parcel["outcome"] for parcel in parcels] == ["signed", "signed"]
    assert sum(count for parcel in parcels for count in parcel["items"].values()) == 3


async def test_what_cannot_happen_yet_is_told_back_and_can_be_asked_for_again(stage: Stage) -> None:
    await stage.call.world("articles", {"articles": [{"sku": "a3c9 pan/28", "quantity": 7}]})
    told = await play(stage, PLACE, *WAY, CHARGE)
    assert (told["tried"], sorted(told["waits"])) == (5, ["1", "2", "3"])
    assert stage.received.of("qimen") == []
    await hand_over(stage)
    assert (await play(stage, *WAY))["waits"] == {}
    [confirm] = stage.received.of("qimen", "deliveryorder.confirm")
    assert read(confirm.content, "deliveryOrder/orderConfirmTime") == "2016-10-05 16:00:00"  # recorded, not now


async def test_the_first_that_cannot_happen_can_be_the_last_that_is_tried(stage: Stage) -> None:
    told = await play(stage, PLACE, *WAY, CHARGE, stop=True)
    assert (told["tried"], list(told["waits"]), told["now"]) == (2, ["1"], "2016-10-05T08:00:00+00:00")
    assert stage.received.of("direct", "order.paid") == []


async def test_a_cancellation_has_its_own_time(stage: Stage) -> None:
    await play(stage, PLACE, act("cancel", "2016-10-06T00:00:00+00:00", reason="changed my mind"))
    [push] = stage.received.of("direct", "order.cancelled")
    assert push.content["order"] == {
        "order_no": "H-1", "reason": "changed my mind", "cancelled_at": "2016-10-06T08:00:00+08:00",
    }  # fmt: skip


async def test_the_shop_takes_the_waybills_of_an_order_that_another_provider_was_paid_for(stage: Stage) -> None:
    await play(stage, PLACE, CHARGE)
    placed = stage.received.of("direct", "order.placed")[0].content["order"]
    parcels = [{"tracking_no": "YT1", "express_company": "YTO", "item_desc": "pan*2"}]
    assert (await stage.call.wechat("upload_shipping_info", upload(placed, parcels, 1475600000)))["errcode"] == 0
    await stage.call.world("settle")
    assert stage.received.of("wechat")[0].content["transaction_id"] == "H-1-1"


@pytest.mark.parametrize(
    "wrong", [{"do": "teleport", "at": START, "order_no": "H-1"}, act("scan", "2016-10-05 08:00:00"), {"do": "scan"}]
)
async def test_what_nobody_understands_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    assert "error" in await play(stage, wrong)


WANTED = act(
    "return", "2016-10-12T09:00:00+00:00", lines=[{"line_no": 1, "quantity": 1}], reason="quality", text="broken"
)
BACK = act("come_back", "2016-10-15T09:00:00+00:00", items=[{"sku": "a3c9 pan/28", "good": 1}])


async def test_a_return_is_asked_for_once_it_was_signed_for(stage: Stage) -> None:
    await stage.call.world("articles", {"articles": [{"sku": "a3c9 pan/28", "quantity": 7}]})
    await play(stage, PLACE, CHARGE)
    await hand_over(stage)
    assert list((await play(stage, *WAY[:2], WANTED))["waits"]) == ["2"]  # on its way
    assert stage.received.of("direct", "order.return_requested") == []
    assert (await play(stage, WAY[2], WANTED))["waits"] == {}
    [push] = stage.received.of("direct", "order.return_requested")
    assert push.content["return"] == {
        "order_no": "H-1", "customer_no": "C1", "lines": [{"line_no": 1, "quantity": 1}], "reason": "quality",
        "text": "broken", "requested_at": "2016-10-12T17:00:00+08:00",
    }  # fmt: skip


def return_order(number: str, order_no: str, pieces: int) -> str:
    sender = "".join(f"<{name}>x</{name}>" for name in ("name", "mobile", "province", "city", "detailAddress"))
    head = {
        "returnOrderCode": number, "warehouseCode": "WH01", "orderType": "THRK", "preDeliveryOrderCode": order_no,
        "logisticsCode": "OTHER",
    }  # fmt: skip
    line = {"orderLineNo": "1", "ownerCode": "O", "itemCode": "a3c9 pan/28", "planQty": str(pieces)}
    words = ["".join(f"<{name}>{text}</{name}>" for name, text in one.items()) for one in (head, line)]
    return (
        f"<request><returnOrder>{words[0]}<senderInfo>{sender}</senderInfo></returnOrder>"
        f"<orderLines><orderLine>{words[1]}</orderLine></orderLines></request>"
    )


async def test_goods_come_back_to_the_return_order_that_waits_for_just_these(stage: Stage) -> None:
    await stage.call.world("articles", {"articles": [{"sku": "a3c9 pan/28", "quantity": 7}]})
    await play(stage, PLACE, CHARGE)
    await hand_over(stage)
    assert list((await play(stage, *WAY, BACK))["waits"]) == ["3"]  # nobody announced it
    for number, pieces in (("RT-H-1-1", 2), ("RT-H-1-2", 1)):
        assert "<flag>success" in await stage.call.qimen("returnorder.create", return_order(number, "H-1", pieces))
    assert (await play(stage, BACK))["waits"] == {}
    [confirm] = stage.received.of("qimen", "returnorder.confirm")
    assert read(confirm.content, "returnOrder/returnOrderCode") == "RT-H-1-2"
    assert list((await play(stage, BACK))["waits"]) == ["0"]  # the other one waits for two


async def test_what_was_paid_through_wechat_pay_is_a_payment_there(stage: Stage) -> None:
    two = [act("charge", CHARGE["at"], provider="wechatpay", amount=amount) for amount in (5000, 960)]
    assert (await play(stage, PLACE, *two))["waits"] == {}
    paid = [one.content["resource"]["plain"] for one in stage.received.of("wechatpay")]
    assert [one["amount"]["total"] for one in paid] == [5000, 960]
    assert stage.received.of("direct", "order.paid") == []
