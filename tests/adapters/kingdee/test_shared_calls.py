"""Several bills in one call: only what the answer names is done, the rest is called alone, errors find their order."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest

from adapters.erp.kingdee.client import Kingdee
from adapters.errors import OutcomeUnknown, OutOfStock, OutsideError, Refused, Throttled
from ballast.ports import Order, Parcel, Receipt
from tests.adapters.wire import StoppedClock, Wire, connect, make_order
from tests.contracts.outside import settings_for

ORDERS = [
    make_order(Parcel(carrier="SF", waybill=f"SF{n}", items={}), warehouse="CK001", order_no=f"SO{n}")
    for n in (1, 2, 3)
]


def begin(monkeypatch: pytest.MonkeyPatch, *replies: Any, per_call: int = 20) -> tuple[Kingdee, Wire]:
    wire = connect(monkeypatch, *replies)
    settings = settings_for("http://k3.example.com").kingdee.model_copy(update={"bills_per_call": per_call})
    return Kingdee(settings, StoppedClock()), wire


def answer(done: Sequence[Order | str], refused: Sequence[tuple[str, int]] = ()) -> dict[str, Any]:
    """An answer that names these as done; refusals are (message, MsgCode)."""
    numbers = [one if isinstance(one, str) else one.order_no for one in done]
    entities = [{"Id": 9000 + at, "Number": number, "DIndex": at} for at, number in enumerate(numbers)]
    errors = [{"FieldName": "", "Message": message, "DIndex": 0} for message, _ in refused]
    code = refused[0][1] if refused else 0
    status = {"IsSuccess": not errors, "Errors": errors, "SuccessEntitys": entities, "MsgCode": code}
    return {"Result": {"ResponseStatus": status}}


def sale_orders(status: str, *orders: Order) -> bytes:
    return orjson.dumps([[n, order.order_no, status, "A", "A"] for n, order in enumerate(orders)])


def outbound_bills(status: str, *orders: Order, waybills: bool = False) -> bytes:
    told = [(order.order_no, order.parcels[0].waybill if waybills else "") for order in orders]
    return orjson.dumps([[500 + n, f"XSCKD{no}", status, "A", no, bill, None] for n, (no, bill) in enumerate(told)])


async def reserve_all(client: Kingdee) -> list[Receipt | BaseException]:
    ends = await asyncio.gather(*(client.reserve(order) for order in ORDERS), return_exceptions=True)
    await client.close()
    return ends


def calls(wire: Wire) -> list[str]:
    assert not wire.replies, "replies that nobody asked for"
    return [path.split(".")[-3] for path in wire.paths]


async def test_a_chunk_is_reserved_and_seen_by_four_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, *[answer(ORDERS)] * 3, sale_orders("C", *ORDERS))
    ends = await reserve_all(client)
    assert [end.reference for end in ends if isinstance(end, Receipt)] == ["SO1", "SO2", "SO3"]
    assert calls(wire) == ["BatchSave", "Submit", "Audit", "ExecuteBillQuery"]
    assert [model["FBillNo"] for model in wire.json(0)["data"]["Model"]] == ["SO1", "SO2", "SO3"]
    assert wire.json(2)["data"]["Numbers"] == ["SO1", "SO2", "SO3"]


async def test_one_bill_per_call_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, *[answer(ORDERS)] * 9, *[sale_orders("C", *ORDERS)] * 3, per_call=1)
    await reserve_all(client)
    assert sorted(calls(wire)) == ["Audit"] * 3 + ["ExecuteBillQuery"] * 3 + ["Save"] * 3 + ["Submit"] * 3


async def test_what_a_shared_audit_does_not_name_is_audited_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    short = ("物料“SKU-001”可用量不足（STK_InvCheckResult）", 11)
    audited, alone = answer([ORDERS[0], ORDERS[2]], [short]), answer([], [short])
    client, wire = begin(
        monkeypatch, answer(ORDERS), answer(ORDERS), audited, alone, sale_orders("C", ORDERS[0], ORDERS[2])
    )
    one, two, three = await reserve_all(client)
    assert isinstance(one, Receipt) and isinstance(three, Receipt)
    assert isinstance(two, OutOfStock) and two.order_no == "SO2"
    assert calls(wire) == ["BatchSave", "Submit", "Audit", "Audit", "ExecuteBillQuery"]
    assert wire.json(3)["data"]["Numbers"] == ["SO2"]


async def test_a_build_without_batch_save_is_served_bill_by_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    saves = [answer([order]) for order in ORDERS]
    rest = answer(ORDERS), answer(ORDERS), sale_orders("C", *ORDERS)
    client, wire = begin(monkeypatch, answer([], [("服务不存在", 8)]), *saves, *rest)
    assert all(isinstance(end, Receipt) for end in await reserve_all(client))
    assert calls(wire) == ["BatchSave", "Save", "Save", "Save", "Submit", "Audit", "ExecuteBillQuery"]


async def test_no_answer_to_a_shared_call_is_unknown_for_each_of_its_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, httpx.ReadTimeout("no answer"))
    ends = await reserve_all(client)
    assert [(type(end), end.order_no) for end in ends if isinstance(end, OutsideError)] == [
        (OutcomeUnknown, "SO1"), (OutcomeUnknown, "SO2"), (OutcomeUnknown, "SO3")]  # fmt: skip
    assert calls(wire) == ["BatchSave"]  # nothing is repeated before somebody looked


async def test_a_throttled_shared_call_is_not_repeated_bill_by_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, answer([], [("调用限制", 14)]))
    assert [type(end) for end in await reserve_all(client)] == [Throttled] * 3
    assert calls(wire) == ["BatchSave"]


async def test_an_order_number_that_looks_like_an_id_confirms_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """SO1's new bill gets the id 9000; the order whose number is 9000 was not named and is saved alone."""
    orders = [ORDERS[0], replace(ORDERS[1], order_no="9000")]
    rest = answer(orders), answer(orders), sale_orders("C", *orders)
    client, wire = begin(monkeypatch, answer([orders[0]]), answer([orders[1]]), *rest)
    await asyncio.gather(*(client.reserve(order) for order in orders))
    assert calls(wire) == ["BatchSave", "Save", "Submit", "Audit", "ExecuteBillQuery"]
    await client.close()


async def test_a_chunk_is_looked_at_by_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = answer(ORDERS[:1]), answer(["SO1"]), answer(["SO1"]), sale_orders("C", ORDERS[0])
    client, wire = begin(monkeypatch, sale_orders("C", *ORDERS[1:]), *alone)
    await asyncio.gather(*(client.reserve(order, look_first=True) for order in ORDERS))
    assert calls(wire) == ["ExecuteBillQuery", "Save", "Submit", "Audit", "ExecuteBillQuery"]
    assert wire.json(0)["data"]["FilterString"] == "FBillNo in ('SO1','SO2','SO3')"
    await client.close()


async def test_a_control_character_in_one_number_refuses_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = begin(monkeypatch, sale_orders("C", *ORDERS[:1]))
    evil = replace(ORDERS[1], order_no="SO\x00")
    good, bad = await asyncio.gather(
        client.reserve(ORDERS[0], look_first=True), client.reserve(evil, look_first=True), return_exceptions=True
    )
    assert isinstance(good, Receipt) and isinstance(bad, OutsideError)
    await client.close()


async def test_a_chunk_is_booked_and_seen_by_six_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [f"XSCKD{order.order_no}" for order in ORDERS]
    traces = answer(numbers)
    for at, entity in enumerate(traces["Result"]["ResponseStatus"]["SuccessEntitys"]):
        entity["Id"] = 500 + at
    replies = [answer(numbers), outbound_bills("A", *ORDERS), traces, answer(numbers), answer(numbers)]
    client, wire = begin(monkeypatch, *replies, outbound_bills("C", *ORDERS))
    ends = await asyncio.gather(*(client.post_outbound(order) for order in ORDERS))
    assert [end.reference for end in ends] == numbers
    assert calls(wire) == ["Push", "ExecuteBillQuery", "BatchSave", "Submit", "Audit", "ExecuteBillQuery"]
    sent = {model["FID"]: model["FOutStockTrace"][0]["FCarryBillNo"] for model in wire.json(2)["data"]["Model"]}
    assert sent == {500: "SF1", 501: "SF2", 502: "SF3"}  # each waybill on its own order's bill
    await client.close()


async def test_what_a_shared_push_did_not_make_is_pushed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answer(["XSCKDSO3"])
    made["Result"]["ResponseStatus"]["SuccessEntitys"][0]["Id"] = 502
    audited = outbound_bills("C", *ORDERS[:2], waybills=True)
    rest = answer([]), answer([]), answer([]), outbound_bills("C", ORDERS[2])
    client, wire = begin(monkeypatch, answer([]), audited, made, *rest)
    await asyncio.gather(*(client.post_outbound(order) for order in ORDERS))
    assert calls(wire) == ["Push", "ExecuteBillQuery", "Push", "Save", "Submit", "Audit", "ExecuteBillQuery"]
    assert wire.json(2)["data"]["Numbers"] == ["SO3"]
    await client.close()


async def take_back_all(client: Kingdee) -> list[Any]:
    ends = await asyncio.gather(*(client.cancel(order) for order in ORDERS), return_exceptions=True)
    await client.close()
    return ends


async def test_a_chunk_is_taken_back_and_seen_by_four_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    voided = orjson.dumps([[n, order.order_no, "D", "B", "A"] for n, order in enumerate(ORDERS)])
    client, wire = begin(monkeypatch, sale_orders("C", *ORDERS), answer(ORDERS), answer(ORDERS), voided)
    assert [end.reference for end in await take_back_all(client)] == ["SO1", "SO2", "SO3"]
    assert calls(wire) == ["ExecuteBillQuery", "UnAudit", "ExcuteOperation", "ExecuteBillQuery"]
    assert wire.json(1)["data"]["Numbers"] == wire.json(2)["data"]["Numbers"] == ["SO1", "SO2", "SO3"]
    assert wire.json(2)["opNumber"] == "Cancel"


async def test_what_cannot_be_opened_again_stops_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """SO2 has been pushed: alone it is refused, and looked at; it is audited still, so the refusal stands."""
    pushed = ("存在下游单据，不能反审核", 12)
    left = [ORDERS[0], ORDERS[2]]
    voided = orjson.dumps([[n, order.order_no, "D", "B", "A"] for n, order in enumerate(left)])

    def next_one(request: httpx.Request) -> httpx.Response:
        """Two go on and one is looked at: whichever call comes first."""
        asked = request.url.path.endswith("ExecuteBillQuery.common.kdsvc")
        return httpx.Response(200, content=sale_orders("C", ORDERS[1]) if asked else orjson.dumps(answer(left)))

    opened = answer(left, [pushed]), answer([], [pushed]), next_one, next_one
    client, wire = begin(monkeypatch, sale_orders("C", *ORDERS), *opened, voided)
    one, two, three = await take_back_all(client)
    assert isinstance(one, Receipt) and isinstance(three, Receipt)
    assert isinstance(two, Refused) and two.order_no == "SO2"
    assert sorted(calls(wire)) == ["ExcuteOperation", *["ExecuteBillQuery"] * 3, "UnAudit", "UnAudit"]


async def test_what_was_voided_without_being_named_is_voided(monkeypatch: pytest.MonkeyPatch) -> None:
    void = orjson.dumps([[0, "SO1", "D", "B", "A"]])
    again = answer([], [("已经作废！", 11)])
    client, wire = begin(monkeypatch, sale_orders("D", ORDERS[0]), again, void, void)
    assert (await client.cancel(ORDERS[0])).reference == "SO1"
    assert calls(wire) == ["ExecuteBillQuery", "ExcuteOperation", "ExecuteBillQuery", "ExecuteBillQuery"]
    await client.close()


async def test_an_opening_that_was_none_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    audited = sale_orders("C", ORDERS[0])
    client, _ = begin(monkeypatch, audited, answer(ORDERS[:1]), answer([], [("已审核，不能作废", 12)]), audited)
    with pytest.raises(OutcomeUnknown, match="opened again"):
        await client.cancel(ORDERS[0])
    await client.close()


@pytest.mark.parametrize(("per_call", "queries"), [(20, [100, 20]), (1, [1] * 3)])
async def test_many_bills_are_looked_for_by_one_query(
    monkeypatch: pytest.MonkeyPatch, per_call: int, queries: list[int]
) -> None:
    count = sum(queries)
    client, wire = begin(monkeypatch, *[b"[]"] * len(queries), per_call=per_call)
    await asyncio.gather(*(client.cancel(replace(ORDERS[0], order_no=f"SO{n}")) for n in range(count)))
    assert [wire.json(at)["data"]["FilterString"].count("'SO") for at in range(len(queries))] == queries
    await client.close()
