"""What is called in which order: from every state a bill can be in, and after every kind of refusal."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest

from adapters.erp.kingdee.bills import OutboundBill, SaleOrder
from adapters.erp.kingdee.client import Kingdee
from adapters.erp.kingdee.status import CODES
from adapters.errors import OutcomeUnknown, OutOfStock, Refused, UnknownCode
from ballast.domain.words import Event, HoldReason
from ballast.ports import Parcel
from tests.adapters.wire import BUSINESS, StoppedClock, Wire, connect, make_order, sample
from tests.contracts.outside import settings_for

ORDER = make_order(warehouse="CK001")
LEFT = make_order(
    Parcel(carrier="YTO", waybill="YT0000000000001", items={"SKU-001": 2}),
    Parcel(carrier="SF", waybill="SF0000000000002", items={"SKU-002": 1}),
    warehouse="CK001",
)
DONE = sample("kingdee/save_done.json")
NONE = b"[]"

Start = Callable[..., tuple[Kingdee, Wire]]


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """`start(*replies)` -> a client on a wire with these replies, all of which must be asked for."""
    started: list[tuple[Kingdee, Wire]] = []

    def begin(*replies: Any) -> tuple[Kingdee, Wire]:
        wire = connect(monkeypatch, *replies)
        started.append((Kingdee(settings_for("http://k3.example.com").kingdee, StoppedClock()), wire))
        return started[-1]

    yield begin
    for client, wire in started:
        await client.close()
        assert not wire.replies, "replies that nobody asked for"


def calls(wire: Wire) -> list[str]:
    return [path.split(".")[-3] for path in wire.paths]


def sale_order(status: str, *, closed: str = "A", cancelled: str = "A") -> bytes:
    return orjson.dumps([[100029, ORDER.order_no, status, cancelled, closed]])


def outbound(status: str, *waybills: str, cancelled: str = "A", received: str | None = None) -> bytes:
    head = [200001, "XSCKD000001", status, cancelled, ORDER.order_no]
    return orjson.dumps([[*head, waybill, received] for waybill in waybills or ("",)])


FROM_HERE_ON = {
    "none": (NONE, ["Save", "Submit", "Audit"]),
    "Z": (sale_order("Z"), ["Save", "Submit", "Audit"]),
    "A": (sale_order("A"), ["Submit", "Audit"]),
    "D": (sale_order("D"), ["Submit", "Audit"]),
    "B": (sale_order("B"), ["Audit"]),
    "C": (sale_order("C"), []),
}


@pytest.mark.parametrize("stands", FROM_HERE_ON)
async def test_reserving_goes_on_from_where_the_bill_stands(start: Start, stands: str) -> None:
    found, missing = FROM_HERE_ON[stands]
    seen = [sale_order("C")] if missing else []
    client, wire = start(found, *[DONE] * len(missing), *seen)
    receipt = await client.reserve(ORDER, look_first=True)
    assert receipt.reference == ORDER.order_no
    assert calls(wire) == ["ExecuteBillQuery", *missing, *["ExecuteBillQuery"] * len(seen)]


async def test_a_draft_of_somebody_is_overwritten_with_its_lines(start: Start) -> None:
    client, wire = start(sale_order("Z"), DONE, DONE, DONE, sale_order("C"))
    await client.reserve(ORDER, look_first=True)
    data = wire.json(1)["data"]
    assert (data["Model"]["FID"], data["IsDeleteEntry"]) == (100029, "true")


async def test_a_first_attempt_does_not_look(start: Start) -> None:
    client, wire = start(DONE, DONE, DONE, sale_order("C"))
    await client.reserve(ORDER)
    assert calls(wire) == ["Save", "Submit", "Audit", "ExecuteBillQuery"]
    assert len({request.headers["x-api-nonce"] for request in wire.requests}) == 4


@pytest.mark.parametrize("now", [sale_order("B"), NONE])
async def test_an_audit_that_was_only_answered_is_not_believed(start: Start, now: bytes) -> None:
    client, _ = start(DONE, DONE, DONE, now)
    with pytest.raises(OutcomeUnknown, match="audited by its answer and is not"):
        await client.reserve(ORDER)


async def test_every_attempt_has_its_own_nonce(start: Start) -> None:
    client, wire = start(httpx.Response(503), DONE, DONE, DONE, sale_order("C"))
    await client.reserve(ORDER)
    assert wire.requests[0].headers["x-api-nonce"] != wire.requests[1].headers["x-api-nonce"]
    assert wire.requests[0].headers["x-api-timestamp"] == "1767319200"  # machine time, not business time


async def test_a_number_that_is_taken_is_our_own_earlier_attempt(start: Start) -> None:
    client, wire = start(sample("kingdee/save_number_taken.json"), sale_order("B"), DONE, sale_order("C"))
    await client.reserve(ORDER)
    assert calls(wire) == ["Save", "ExecuteBillQuery", "Audit", "ExecuteBillQuery"]


async def test_another_refusal_of_the_save_stays_a_refusal(start: Start) -> None:
    client, _ = start(sample("kingdee/save_customer_unknown.json"), NONE)
    with pytest.raises(Refused, match="客户“C000123”不存在"):
        await client.reserve(ORDER)


async def test_audited_already_counts_only_when_the_bill_says_so(start: Start) -> None:
    already = sample("kingdee/audit_already.json")
    client, _ = start(DONE, DONE, already, sale_order("C"), sale_order("C"))
    assert (await client.reserve(ORDER)).reference == ORDER.order_no
    client, _ = start(DONE, DONE, already, sale_order("B"))
    with pytest.raises(Refused, match="已经审核"):
        await client.reserve(ORDER)


async def test_a_refused_audit_is_a_refusal(start: Start) -> None:
    client, _ = start(DONE, DONE, sample("kingdee/audit_refused.json"), sale_order("B"))
    with pytest.raises(Refused, match="信用额度不足"):
        await client.reserve(ORDER)


async def test_an_audit_that_fails_because_the_submit_never_happened_is_unknown(start: Start) -> None:
    client, _ = start(DONE, DONE, sample("kingdee/audit_refused.json"), sale_order("A"))
    with pytest.raises(OutcomeUnknown, match="the step before Audit"):
        await client.reserve(ORDER)


async def test_a_saved_bill_that_is_not_found_is_unknown(start: Start) -> None:
    client, wire = start(DONE, sample("kingdee/not_found.json"))
    with pytest.raises(OutcomeUnknown) as unknown:
        await client.reserve(ORDER)
    assert (unknown.value.code, unknown.value.order_no) == ("10", ORDER.order_no)
    assert calls(wire) == ["Save", "Submit"]


async def test_a_shortage_asks_nothing_more(start: Start) -> None:
    client, wire = start(DONE, DONE, sample("kingdee/audit_short.json"))
    with pytest.raises(OutOfStock, match="SKU-001"):
        await client.reserve(ORDER)
    assert calls(wire) == ["Save", "Submit", "Audit"]


async def test_a_cancelled_sale_order_is_left_to_a_person(start: Start) -> None:
    client, wire = start(sale_order("A", cancelled="B"))
    with pytest.raises(Refused, match="作废"):
        await client.reserve(ORDER, look_first=True)
    assert calls(wire) == ["ExecuteBillQuery"]


async def test_a_lost_answer_to_the_save_is_unknown_and_not_repeated(start: Start) -> None:
    client, wire = start(httpx.ReadTimeout("no answer"))
    with pytest.raises(OutcomeUnknown):
        await client.reserve(ORDER)
    assert calls(wire) == ["Save"]


async def test_the_outbound_bill_is_pushed_tracked_submitted_audited(start: Start) -> None:
    client, wire = start(sample("kingdee/push_done.json"), DONE, DONE, DONE, outbound("C"))
    receipt = await client.post_outbound(LEFT)
    assert receipt.reference == "XSCKD000001"
    assert calls(wire) == ["Push", "Save", "Submit", "Audit", "ExecuteBillQuery"]
    saved = wire.json(1)["data"]
    assert saved["IsDeleteEntry"] == "false"
    assert saved["Model"]["FID"] == 200001
    assert [row["FCarryBillNo"] for row in saved["Model"]["FOutStockTrace"]] == ["YT0000000000001", "SF0000000000002"]
    assert wire.json(2) == {
        "formid": "SAL_OUTSTOCK",
        "data": {"CreateOrgId": 0, "Numbers": ["XSCKD000001"], "Ids": "", "NetworkCtrl": ""},
    }


async def test_only_missing_waybills_are_written(start: Start) -> None:
    client, wire = start(outbound("A", "YT0000000000001"), DONE, DONE, DONE, outbound("C"))
    await client.post_outbound(LEFT, look_first=True)
    [row] = wire.json(1)["data"]["Model"]["FOutStockTrace"]
    assert row["FCarryBillNo"] == "SF0000000000002"


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (sample("kingdee/query_outbound_two_parcels.json"), ["Submit", "Audit"]),
        (outbound("B"), ["Audit"]),
        (outbound("C"), []),
    ],
)
async def test_posting_goes_on_from_where_the_bill_stands(start: Start, found: bytes, missing: list[str]) -> None:
    seen = [outbound("C")] if missing else []
    client, wire = start(found, *[DONE] * len(missing), *seen)
    await client.post_outbound(LEFT, look_first=True)
    assert calls(wire) == ["ExecuteBillQuery", *missing, *["ExecuteBillQuery"] * len(seen)]


async def test_a_cancelled_outbound_bill_is_replaced(start: Start) -> None:
    client, wire = start(
        outbound("C", cancelled="B"), sample("kingdee/push_done.json"), DONE, DONE, DONE, outbound("C")
    )
    await client.post_outbound(LEFT, look_first=True)
    assert calls(wire)[1] == "Push"


async def test_a_refused_push_of_a_good_sale_order_is_a_refusal(start: Start) -> None:
    client, wire = start(sample("kingdee/push_conversion_failed.json"), NONE, sale_order("C"))
    with pytest.raises(Refused, match="没有可以下推的分录"):
        await client.post_outbound(LEFT)
    assert calls(wire) == ["Push", "ExecuteBillQuery", "ExecuteBillQuery"]


async def test_a_push_that_names_no_bill_is_looked_for(start: Start) -> None:
    client, _ = start(b'{"Result":{"ResponseStatus":{"IsSuccess":true,"SuccessEntitys":[]}}}')
    with pytest.raises(OutcomeUnknown, match="names no bill"):
        await client.post_outbound(LEFT)


async def test_the_receipt_keeps_the_other_rows(start: Start) -> None:
    told = outbound("C", "YT0000000000001", received="2026-01-04 10:30:00")
    client, wire = start(outbound("C", "YT0000000000001"), DONE, told)
    await client.post_receipt(LEFT, datetime(2026, 1, 4, 2, 30, tzinfo=UTC))
    data = wire.json(1)["data"]
    assert data["IsDeleteEntry"] == "false"
    assert {row["FReceiptTime"] for row in data["Model"]["FOutStockTrace"]} == {"2026-01-04 10:30:00"}


async def test_a_receipt_that_is_there_is_not_written_again(start: Start) -> None:
    client, wire = start(outbound("C", "YT0000000000001", received="2026-01-04 10:30:00"))
    await client.post_receipt(LEFT, datetime(2026, 1, 4, 2, 30, tzinfo=UTC))
    assert calls(wire) == ["ExecuteBillQuery"]


async def test_a_receipt_that_was_only_answered_is_not_believed(start: Start) -> None:
    client, _ = start(outbound("C", "YT0000000000001"), DONE, outbound("C", "YT0000000000001"))
    with pytest.raises(OutcomeUnknown, match="is not there"):
        await client.post_receipt(LEFT, datetime(2026, 1, 4, 2, 30, tzinfo=UTC))


@pytest.mark.parametrize("form", ["SAL_SaleOrder", "SAL_OUTSTOCK"])
@pytest.mark.parametrize("status", ["Z", "A", "B", "C", "D"])
async def test_every_bill_state_is_news_that_moves_nothing(start: Start, form: str, status: str) -> None:
    client, _ = start(sale_order(status), outbound(status))
    news = {one.field: one for one in await client.ask(ORDER.order_no)}[f"{form}.FDocumentStatus"]
    assert (news.said, news.event, news.happened_at) == (status, Event.NOTED, BUSINESS)


async def test_a_closed_sale_order_is_noted_and_a_cancelled_one_is_held(start: Start) -> None:
    client, _ = start(sale_order("C", closed="B", cancelled="B"), NONE)
    news = {one.field: one for one in await client.ask(ORDER.order_no)}
    assert news["SAL_SaleOrder.FCloseStatus"].event is Event.NOTED
    assert news["SAL_SaleOrder.FCancelStatus"].reason is HoldReason.ERP_REFUSED


async def test_an_unknown_state_is_never_guessed(start: Start) -> None:
    client, wire = start(sale_order("X"))
    with pytest.raises(UnknownCode, match=r"SAL_SaleOrder\.FDocumentStatus"):
        await client.reserve(ORDER, look_first=True)
    assert calls(wire) == ["ExecuteBillQuery"]


def test_every_state_that_bills_can_walk_from_is_in_the_map() -> None:
    fields = {field for field, _ in CODES}
    assert {f"{kind.form}.FDocumentStatus" for kind in (SaleOrder, OutboundBill)} <= fields
    assert all((meaning.reason is not None) == (meaning.event is Event.HELD) for meaning in CODES.values())
