"""What is sent, and what each kind of answer means."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from adapters.errors import NotUnderstood, OutcomeUnknown, OutsideError, Refused, Throttled, Unavailable
from adapters.wms.qimen.client import Qimen
from adapters.wms.qimen.signing import sign
from adapters.xml import parse
from ballast.domain.money import Money
from ballast.domain.words import Event, System
from ballast.ports import GoodsBack, PiecesBack
from ballast.settings import SettingsError
from tests.adapters.wire import BUSINESS, StoppedClock, Wire, connect, make_order, sample
from tests.contracts.outside import settings_for

SETTINGS = settings_for("http://wms.example.com").qimen
ORDER = make_order(warehouse="CK002")

Start = Callable[..., tuple[Qimen, Wire]]


def told(name: str) -> bytes:
    return sample(f"qimen/{name}.xml")


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """`start(*replies)` -> a client on a wire with these replies, all of which must be asked for."""
    started: list[tuple[Qimen, Wire]] = []

    def begin(*replies: Any) -> tuple[Qimen, Wire]:
        wire = connect(monkeypatch, *replies)
        started.append((Qimen(SETTINGS, StoppedClock()), wire))
        return started[-1]

    yield begin
    for client, wire in started:
        await client.close()
        assert not wire.replies, "replies that nobody asked for"


def methods(wire: Wire) -> list[str]:
    return [request.url.params["method"].removeprefix("taobao.qimen.") for request in wire.requests]


async def test_a_delivery_order_as_the_sheet_shows_it(start: Start) -> None:
    client, wire = start(told("create_done"))
    assert (await client.create(ORDER)).reference == "WMS10001"
    request = parse(wire.requests[0].content, System.QIMEN)["request"]
    head = request["deliveryOrder"]
    assert (head["deliveryOrderCode"], head["warehouseCode"], head["orderType"]) == ("SO20260102001", "WH02", "JYCK")
    assert (head["totalAmount"], head["itemAmount"], head["gotAmount"], head["arAmount"]) == (
        "113.00", "113.00", "113.00", "0.00")  # fmt: skip
    assert (head["placeOrderTime"], head["createTime"]) == ("2026-01-02 10:00:00", "2026-03-04 13:06:07")
    assert head["receiverInfo"]["detailAddress"] == "明珠路"
    first, second = request["orderLines"]["orderLine"]
    assert (first["itemCode"], first["planQty"], first["actualPrice"]) == ("SKU-001", "2", "50.00")
    assert (second["orderLineNo"], second["ownerCode"], second["inventoryType"]) == ("2", "OWNER1", "ZP")


async def test_the_query_is_signed_with_machine_time(start: Start) -> None:
    client, wire = start(told("create_done"))
    await client.create(ORDER)
    request = wire.requests[0]
    query = dict(request.url.params)
    assert query["timestamp"] == "2026-01-02 10:00:00"
    assert query["sign"] == sign(query, request.content, SETTINGS.secret.get_secret_value())
    assert "qimensecret" not in str(request.url)


async def test_a_repeat_is_signed_when_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when it was made ready: a call that waits minutes for its turn would be refused as too old."""
    clock = StoppedClock()

    def busy(_: httpx.Request) -> httpx.Response:
        clock.pass_seconds(90)
        return httpx.Response(503)

    wire = connect(monkeypatch, busy, told("create_done"))
    client = Qimen(SETTINGS, clock)
    await client.create(ORDER)
    await client.close()
    queries = [dict(request.url.params) for request in wire.requests]
    assert [query["timestamp"] for query in queries] == ["2026-01-02 10:00:00", "2026-01-02 10:01:30"]
    for query, request in zip(queries, wire.requests, strict=True):
        assert query["sign"] == sign(query, request.content, SETTINGS.secret.get_secret_value())


async def test_our_carrier_goes_out_in_their_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, told("create_done"))
    client = Qimen(SETTINGS.model_copy(update={"default_carrier": "YD"}), StoppedClock())
    await client.create(ORDER)
    await client.close()
    assert b"<logisticsCode>YUNDA</logisticsCode>" in wire.requests[0].content


async def test_text_is_escaped_and_text_that_xml_cannot_carry_is_refused_unsent(start: Start) -> None:
    client, wire = start(told("create_done"))
    await client.create(make_order(warehouse="CK001", order_no="SO<&>1"))
    assert parse(wire.requests[0].content, System.QIMEN)["request"]["deliveryOrder"]["deliveryOrderCode"] == "SO<&>1"
    with pytest.raises(Refused, match="deliveryOrderCode"):
        await client.create(make_order(warehouse="CK001", order_no="SO\x0b1"))
    assert len(wire.requests) == 1


@pytest.mark.parametrize("state", ["new", "delivered"])
async def test_looking_first_sends_nothing_that_is_there(start: Start, state: str) -> None:
    client, wire = start(told(f"query_{state}"))
    assert (await client.create(ORDER, look_first=True)).reference == "WMS10001"
    assert methods(wire) == ["deliveryorder.query"]


async def test_looking_first_sends_what_is_not_there(start: Start) -> None:
    client, wire = start(told("query_unknown"), told("create_done"))
    await client.create(ORDER, look_first=True)
    assert methods(wire) == ["deliveryorder.query", "deliveryorder.create"]


async def test_a_repeated_order_counts_only_when_the_warehouse_shows_it(start: Start) -> None:
    client, wire = start(told("create_repeated"), told("query_new"))
    assert (await client.create(ORDER)).reference == "WMS10001"
    assert methods(wire) == ["deliveryorder.create", "deliveryorder.query"]
    client, _ = start(told("create_repeated"), told("query_unknown"))
    with pytest.raises(Refused, match="出库单号重复"):
        await client.create(ORDER)


async def test_an_order_that_the_warehouse_dropped_is_no_success(start: Start) -> None:
    client, wire = start(told("query_canceled"))
    with pytest.raises(Refused, match="CANCELED"):
        await client.create(ORDER, look_first=True)
    assert methods(wire) == ["deliveryorder.query"]


ANSWERS: dict[str, tuple[Any, type[OutsideError]]] = {
    "their refusal, whatever its number": (told("create_refused"), Refused),
    "a limit": (told("gateway_limited"), Throttled),
    "a wrong signature": (told("sign_failure"), Unavailable),
    "the gateway heard nothing": (told("gateway_timeout"), OutcomeUnknown),
    "another gateway error": (told("gateway_other"), Refused),
    "a page": (b"<html><br></html>", OutcomeUnknown),
    "nothing": (b"", OutcomeUnknown),
    "an entity": (told("hostile_laughs"), OutcomeUnknown),
    "no flag": (b"<response><code>0</code></response>", NotUnderstood),
    "another document": (b"<request/>", NotUnderstood),
    "HTTP 404": (httpx.Response(404), Unavailable),
    "HTTP 502": (httpx.Response(502), OutcomeUnknown),
    "no answer": (httpx.ReadTimeout("no answer"), OutcomeUnknown),
}


@pytest.mark.parametrize(("answer", "kind"), ANSWERS.values(), ids=ANSWERS)
async def test_each_answer_to_a_write_means_one_thing(start: Start, answer: Any, kind: type[OutsideError]) -> None:
    client, wire = start(answer)
    with pytest.raises(OutsideError) as no:
        await client.create(ORDER)
    assert type(no.value) is kind
    assert methods(wire) == ["deliveryorder.create"]


@pytest.mark.parametrize("answer", [told("gateway_timeout"), b"<html><br></html>", b""])
async def test_a_read_without_answer_is_unavailable(start: Start, answer: bytes) -> None:
    client, _ = start(answer)
    with pytest.raises(Unavailable):
        await client.ask(ORDER.order_no)


async def test_a_refused_question_is_not_taken_for_an_unknown_order(start: Start) -> None:
    client, _ = start(told("create_refused"))
    with pytest.raises(Refused, match="货主未开通该仓库"):
        await client.ask(ORDER.order_no)


async def test_a_question_is_answered_like_a_webhook(start: Start) -> None:
    client, _ = start(told("query_delivered"))
    [news] = await client.ask(ORDER.order_no)
    assert (news.event, news.happened_at, news.final) == (Event.SHIPPED, BUSINESS, True)
    assert [parcel.waybill for parcel in news.parcels] == ["YT0000000000001"]


async def test_a_cancellation_names_order_warehouse_and_reason(start: Start) -> None:
    client, wire = start(told("create_done"), told("query_canceled"))
    await client.cancel(ORDER, "客户取消")
    assert methods(wire) == ["order.cancel", "deliveryorder.query"]
    assert parse(wire.requests[0].content, System.QIMEN)["request"] == {
        "warehouseCode": "WH02",
        "ownerCode": "OWNER1",
        "orderCode": "SO20260102001",
        "orderType": "JYCK",
        "cancelReason": "客户取消",
    }


async def test_a_cancellation_that_worked_before_is_not_repeated(start: Start) -> None:
    client, wire = start(told("query_canceled"))
    await client.cancel(ORDER, "客户取消", look_first=True)
    assert methods(wire) == ["deliveryorder.query"]


async def test_a_cancellation_that_comes_too_late_is_refused(start: Start) -> None:
    client, _ = start(told("query_delivered"), told("create_refused"), told("query_delivered"))
    with pytest.raises(Refused):
        await client.cancel(ORDER, "客户取消", look_first=True)


async def test_a_yes_to_a_cancellation_of_an_order_that_goes_on_is_not_believed(start: Start) -> None:
    client, _ = start(told("create_done"), told("query_new"))
    with pytest.raises(OutcomeUnknown, match="goes on"):
        await client.cancel(ORDER, "客户取消")


async def test_a_look_that_is_refused_is_no_refusal_of_the_cancellation(start: Start) -> None:
    """Taken for one, it would send a cancelled order on its way, although the warehouse agreed to stop it."""
    client, _ = start(told("create_done"), told("create_refused"))
    with pytest.raises(OutcomeUnknown, match="does not say how it stands"):
        await client.cancel(ORDER, "客户取消")
    client, wire = start(told("create_refused"))
    with pytest.raises(OutcomeUnknown, match="does not say how it stands"):
        await client.cancel(ORDER, "客户取消", look_first=True)
    assert methods(wire) == ["deliveryorder.query"]


async def test_a_no_to_a_cancellation_stands_where_the_warehouse_cannot_be_asked(start: Start) -> None:
    client, _ = start(told("create_refused"), told("create_refused"))
    with pytest.raises(Refused):
        await client.cancel(ORDER, "客户取消")


async def test_what_the_warehouse_never_heard_of_is_stopped(start: Start) -> None:
    client, _ = start(told("create_refused"), told("query_unknown"))
    receipt = await client.cancel(ORDER, "客户取消")
    assert receipt.detail == {"status": "never heard of it"}


def test_a_missing_secret_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="BALLAST_QIMEN__SECRET"):
        Qimen(SETTINGS.model_copy(update={"secret": SecretStr("")}), StoppedClock())


async def test_what_goes_out_in_exchange_is_handed_over_and_stopped_as_such(start: Start) -> None:
    order = replace(ORDER, order_no="SO20260102001-HH1", total=Money(0))
    client, wire = start(told("create_done"), told("create_done"), told("query_unknown"))
    await client.create(order)
    await client.cancel(order, "changed my mind")
    made, stopped, _ = (parse(request.content, System.QIMEN)["request"] for request in wire.requests)
    assert (made["deliveryOrder"]["orderType"], stopped["orderType"]) == ("HHCK", "HHCK")


# -- what is in of a return ---------------------------------------------------------------------------------------

RETURN = "RT-SO20260102001-1"


def in_state(before: bytes, after: bytes) -> bytes:
    assert before in told("return_state")
    return told("return_state").replace(before, after)


@pytest.mark.parametrize(
    ("reply", "final"),
    [
        (told("return_state"), False),
        (in_state(b"PARTFULFILLED", b"FULFILLED"), True),
        (in_state(b"<status>PARTFULFILLED</status>", b""), False),  # no word of the end is no end
        (in_state(b"PARTFULFILLED", b"CLOSED"), False),
    ],
)
async def test_a_return_is_asked_about_by_its_number(start: Start, reply: bytes, final: bool) -> None:
    client, wire = start(reply)
    [news] = await client.ask_return(RETURN)
    pieces = (PiecesBack(sku="SKU-001", line_no=1, good=2, damaged=0),)
    assert news.goods_back == GoodsBack(return_no=RETURN, pieces=pieces, final=final, so_far=True)
    assert news.order_no == "SO20260102001"
    assert methods(wire) == ["returnorder.query"]
    asked = parse(wire.requests[0].content, System.QIMEN)["request"]
    assert asked == {"ownerCode": "OWNER1", "returnOrderCode": RETURN, "page": "1", "pageSize": "100"}


@pytest.mark.parametrize("reply", [told("query_unknown"), told("create_done")], ids=["a no", "a yes without it"])
async def test_a_return_that_the_warehouse_never_heard_of_is_nothing(start: Start, reply: bytes) -> None:
    client, _ = start(reply)
    assert list(await client.ask_return(RETURN)) == []


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (b">RT-SO20260102001-1<", b">RT-SO20260102001-2<", "speaks of RT-SO20260102001-2"),
        (b">ZP<", b">DJ<", "inventoryType 'DJ'"),
        (
            b"</orderLines>",
            b"<orderLine><itemCode>SKU-003</itemCode><actualQty>1</actualQty></orderLine>" * 98 + b"</orderLines>",
            "100 lines or more",
        ),
    ],
)
async def test_what_is_said_of_a_return_is_never_guessed(start: Start, before: bytes, after: bytes, what: str) -> None:
    client, _ = start(in_state(before, after))
    with pytest.raises(NotUnderstood, match=what):
        await client.ask_return(RETURN)
