"""Several delivery orders in one call: each has its own outcome, nothing is sent twice without a look."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from adapters.errors import NotUnderstood, OutcomeUnknown, OutsideError, Refused, Throttled, Unavailable, UnknownCode
from adapters.wms.qimen.client import Qimen
from adapters.xml import parse, rows
from ballast.domain.words import TO_COME, Event, HoldReason, State, System
from ballast.ports import News, Order, Receipt
from tests.adapters.qimen.test_webhook import HOOK, NOW, request
from tests.adapters.wire import StoppedClock, Wire, connect, make_order, sample
from tests.contracts.outside import settings_for

SETTINGS = settings_for("http://wms.example.com").qimen
ORDERS = [make_order(warehouse="CK001", order_no=f"SO{n}") for n in (1, 2, 3)]
BATCH, SINGLE, LOOK = "deliveryorder.batchcreate", "deliveryorder.create", "deliveryorder.query"


def told(name: str) -> bytes:
    return sample(f"qimen/{name}.xml")


def failure(*named: str, code: str = "S001") -> bytes:
    orders = "".join(f"<order><deliveryOrderCode>{no}</deliveryOrderCode><message>x</message></order>" for no in named)
    inside = f"<flag>failure</flag><code>{code}</code><message>no</message><orders>{orders}</orders>"
    return f"<response>{inside}</response>".encode()


def begin(monkeypatch: pytest.MonkeyPatch, *replies: Any, most: int = 20) -> tuple[Qimen, Wire]:
    wire = connect(monkeypatch, *replies)
    return Qimen(SETTINGS.model_copy(update={"orders_per_call": most}), StoppedClock()), wire


async def create(client: Qimen, orders: Sequence[Order] = ORDERS, *, look_first: bool = False) -> list[Any]:
    calls = (client.create(order, look_first=look_first) for order in orders)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    await client.close()
    return ends


def calls(wire: Wire) -> list[str]:
    assert not wire.replies, "replies that nobody asked for"
    return [one.url.params["method"].removeprefix("taobao.qimen.") for one in wire.requests]


async def test_orders_of_one_moment_travel_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, told("batch_taken"))
    assert await create(client) == [Receipt(reference=f"SO{n}", detail=TO_COME) for n in (1, 2, 3)]
    assert calls(wire) == [BATCH]
    sent = rows(parse(wire.requests[0].content, System.QIMEN), "request", "orders", "order")
    assert [one["deliveryOrder"]["deliveryOrderCode"] for one in sent] == ["SO1", "SO2", "SO3"]
    assert [line["itemCode"] for line in sent[2]["orderLines"]["orderLine"]] == ["SKU-001", "SKU-002"]


async def test_a_call_holds_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, told("batch_taken"), told("create_done"), most=2)
    ends = await create(client)
    assert calls(wire) == [BATCH, SINGLE]  # what is left alone goes alone, and is made at once
    assert [end.detail for end in ends] == [TO_COME, TO_COME, {}]


async def test_one_order_per_call_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, *[told("create_done")] * 3, most=1)
    await create(client)
    assert calls(wire) == [SINGLE] * 3


async def test_the_door_refuses_one_and_takes_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, told("batch_partly_taken"))
    one, two, three = await create(client)
    assert one.detail == three.detail == TO_COME
    assert isinstance(two, Refused) and (two.order_no, two.what) == ("SO2", "receiverInfo.mobile 不能为空")
    assert calls(wire) == [BATCH]


async def test_an_order_that_the_door_calls_repeated_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    repeated = told("batch_partly_taken").replace("receiverInfo.mobile 不能为空".encode(), "单号重复".encode())
    known = told("query_new").replace(b"SO20260102001", b"SO2")
    client, wire = begin(monkeypatch, repeated, known)
    ends = await create(client)
    assert ends[1].reference == "WMS10001" and ends[1].detail == {}
    assert calls(wire) == [BATCH, LOOK]


async def test_what_cannot_be_written_or_mapped_goes_with_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, told("batch_taken"))
    strange, nowhere = make_order(warehouse="CK001", order_no="SO\x0b"), make_order(warehouse="CK9", order_no="SO9")
    ends = await create(client, [*ORDERS, strange, nowhere])
    assert [type(end) for end in ends] == [Receipt, Receipt, Receipt, Refused, Refused]
    assert b"SO9" not in wire.requests[0].content
    assert calls(wire) == [BATCH]


async def test_a_batch_that_is_refused_for_some_says_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may have been taken on: looked for before they are sent again."""
    client, wire = begin(monkeypatch, failure("SO2"))
    assert [type(end) for end in await create(client)] == [OutcomeUnknown, Refused, OutcomeUnknown]
    client, wire = begin(monkeypatch, failure("SO1", "SO2", "SO3"))
    assert [type(end) for end in await create(client)] == [Refused] * 3
    assert calls(wire) == [BATCH]


async def test_a_batch_that_is_refused_as_a_whole_is_sent_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    singles = [told("create_done"), told("create_refused"), told("create_done")]
    client, wire = begin(monkeypatch, failure(), *singles, told("batch_taken"))
    ends = await asyncio.gather(*map(client.create, ORDERS), return_exceptions=True)
    assert [type(end) for end in ends] == [Receipt, Refused, Receipt]
    await create(client)  # it was about these orders: batches go on
    assert calls(wire) == [BATCH, SINGLE, SINGLE, SINGLE, BATCH]


UNKNOWN_METHOD = [
    told("batch_unknown_method"),
    b"<error_response><code>22</code><msg>Invalid Method</msg></error_response>",
    b"<error_response><code>11</code><msg>Insufficient ISV Permissions</msg></error_response>",
    "<response><flag>failure</flag><code>9</code><message>方法不存在</message></response>".encode(),
]


@pytest.mark.parametrize("reply", UNKNOWN_METHOD)
async def test_a_warehouse_without_batches_is_served_one_by_one_from_then_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reply: bytes
) -> None:
    client, wire = begin(monkeypatch, reply, *[told("create_done")] * 6)
    with caplog.at_level(logging.WARNING, logger="ballast.qimen"):
        await asyncio.gather(*map(client.create, ORDERS))
        await create(client)
    assert calls(wire) == [BATCH, *[SINGLE] * 6]
    assert [record.message.count("BALLAST_QIMEN__ORDERS_PER_CALL=1") for record in caplog.records] == [1]


NO_ANSWER: dict[str, tuple[Any, type[OutsideError]]] = {
    "no answer": (httpx.ReadTimeout("no answer"), OutcomeUnknown),
    "a page": (b"<html><br></html>", OutcomeUnknown),
    "the gateway heard nothing": (told("gateway_timeout"), OutcomeUnknown),
    "a limit": (told("gateway_limited"), Throttled),
    "a wrong signature": (told("sign_failure"), Unavailable),
    "HTTP 404": (httpx.Response(404), Unavailable),
    "no flag": (b"<response><code>0</code></response>", NotUnderstood),
}


@pytest.mark.parametrize(("reply", "kind"), NO_ANSWER.values(), ids=NO_ANSWER)
async def test_a_batch_without_a_word_on_its_orders_is_the_same_for_each(
    monkeypatch: pytest.MonkeyPatch, reply: Any, kind: type[OutsideError]
) -> None:
    client, wire = begin(monkeypatch, reply)
    ends = await create(client)
    assert [type(end) for end in ends] == [kind] * 3
    if kind is not Throttled:
        assert [end.order_no for end in ends] == ["SO1", "SO2", "SO3"]
    assert calls(wire) == [BATCH]  # nothing is repeated before somebody looked


async def test_after_a_time_out_each_is_looked_for_and_sent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    client, wire = begin(monkeypatch, told("query_unknown"), told("create_done"))
    [receipt] = await create(client, ORDERS[:1], look_first=True)
    assert receipt.reference == "WMS10001" and receipt.detail == {}
    assert calls(wire) == [LOOK, SINGLE]


async def test_an_order_that_a_batch_under_way_has_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warehouse refuses its number and does not show it yet: the batch of the first attempt waits there."""
    client, wire = begin(monkeypatch, told("query_unknown"), told("create_repeated"), told("query_unknown"))
    [end] = await create(client, ORDERS[:1], look_first=True)
    assert isinstance(end, OutcomeUnknown)
    assert calls(wire) == [LOOK, SINGLE, LOOK]


@pytest.mark.parametrize("look_first", [True, False])
async def test_what_is_expected_is_not_stopped_by_being_unknown(
    monkeypatch: pytest.MonkeyPatch, look_first: bool
) -> None:
    replies = [told("query_unknown")] if look_first else [told("create_refused"), told("query_unknown")]
    client, _ = begin(monkeypatch, *replies)
    with pytest.raises(OutcomeUnknown, match="to come"):
        await client.cancel(ORDERS[0], "客户取消", look_first=look_first, expected=True)
    client, _ = begin(monkeypatch, told("query_canceled"))
    receipt = await client.cancel(ORDERS[0], "客户取消", look_first=True, expected=True)
    assert receipt.detail == {"status": "CANCELED"}


# -- the answer


def answered(body: bytes | None = None, *, sent_at: str = "2026-01-02 10:00:00") -> list[News]:
    asked = request("deliveryorder.batchcreate.answer", body or told("batch_answer"), sent_at)
    found = [HOOK.read(message, HOOK.codes) for message in HOOK.receive(asked, NOW).messages]
    return [news for news in found if news is not None]


def test_an_answer_is_a_message_per_order() -> None:
    made, refused, repeated = answered()
    assert [one.order_no for one in (made, refused, repeated)] == ["SO1", "SO2", "SO3"]
    assert (made.event, made.state, made.text) == (Event.NOTED, State.STOCK_LOCKED, "delivery order WMS10001")
    assert (refused.event, refused.reason) == (Event.HELD, HoldReason.WAREHOUSE_REFUSED)
    assert refused.text == "S002 商品 SKU-002 不存在"
    assert (repeated.event, repeated.reason, repeated.state) == (Event.NOTED, None, None)


def test_an_answer_has_its_own_time_else_that_of_its_sending() -> None:
    made, refused, _ = answered(sent_at="2026-01-02 10:00:30")
    assert made.happened_at.isoformat() == "2026-01-02T01:01:00+00:00"
    assert refused.happened_at.isoformat() == "2026-01-02T02:00:30+00:00"


def test_the_same_answer_sent_later_again_is_the_same_message() -> None:
    ids = [
        [one.event_id for one in HOOK.receive(request(method, told("batch_answer"), at), NOW).messages]
        for at in ("2026-01-02 10:00:00", "2026-01-02 10:00:09")
        for method in ("deliveryorder.batchcreate.answer", "taobao.qimen.deliveryorder.batchcreate.answer")
    ]
    assert all(one == ids[0] for one in ids) and len(set(ids[0])) == 3


def test_an_unknown_flag_is_parked() -> None:
    with pytest.raises(UnknownCode):
        answered(told("batch_answer").replace(b"<flag>success", b"<flag>partial"))


@pytest.mark.parametrize("wrong", [b"<flag></flag>", b"<createTime>yesterday</createTime>"])
def test_an_answer_that_cannot_be_read_is_stored_all_the_same(wrong: bytes) -> None:
    name = wrong.partition(b">")[0] + b">"
    old = told("batch_answer")
    start = old.index(name)
    end = old.index(b"</" + name[1:], start) + len(name) + 1
    with pytest.raises(NotUnderstood):
        answered(old[:start] + wrong + old[end:])


def test_an_answer_without_a_number_is_not_understood() -> None:
    with pytest.raises(NotUnderstood):
        answered(told("batch_answer").replace(b"SO2", b""))
