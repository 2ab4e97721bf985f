"""Goods that come back: returnorder.create and .query out, returnorder.confirm in. [M]: the sheet has not their fields.

The fields are those of the public interface description. A confirm tells what this message brought, `outBizCode` is
the message's own number; the answer to a query tells what is in by then.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from adapters.errors import NotUnderstood
from adapters.replies import Reply, read_reply
from adapters.wms.qimen.documents import GENUINE, sender, warehouse_code
from adapters.wms.qimen.news import Code, LocalTime, Pieces, known_time, repeated
from adapters.wms.qimen.status import TO_CARRIER
from ballast.domain.returns import order_of
from ballast.domain.words import Event, System
from ballast.ports import Codes, GoodsBack, News, PiecesBack, ReturnOrder
from ballast.settings import QimenSettings

CONFIRM: Final = "returnorder.confirm"
QUERY: Final = "returnorder.query"
PAGE: Final = 100  # lines: the most that one answer may have
RETURNED, EXCHANGED = "THRK", "HHRK"  # 退货入库, 换货入库
DAMAGED: Final = frozenset({"CC", "JS", "XS"})  # 残次, 机损, 箱损
GOOD: Final = frozenset({GENUINE, ""})
ENDED: Final = "FULFILLED"
"""收货完成. Any other word, and none, is no end: what is in is counted, and the rest is waited for."""


def return_order(request: ReturnOrder, settings: QimenSettings) -> dict[str, Any]:
    """What is below `<request>` of returnorder.create. Whoever had the order sends it back."""
    order = request.order
    head = {
        "returnOrderCode": request.return_no,
        "warehouseCode": warehouse_code(order, settings),
        "orderType": EXCHANGED if request.exchange else RETURNED,
        "preDeliveryOrderCode": order.order_no,
        "logisticsCode": TO_CARRIER.get(request.carrier, request.carrier) or "OTHER",
        "expressCode": request.waybill,
        "returnReason": request.why,
        "senderInfo": sender(order),
    }
    lines = [
        {
            "orderLineNo": one.line.line_no,
            "sourceOrderCode": order.order_no,
            "ownerCode": settings.owner_code,
            "itemCode": one.line.sku,
            "itemName": one.line.name,
            "inventoryType": GENUINE,
            "planQty": one.quantity,
        }
        for one in request.lines
    ]
    return {"request": {"returnOrder": head, "orderLines": {"orderLine": lines}}}


def inquiry(return_no: str, settings: QimenSettings) -> dict[str, Any]:
    """returnorder.query."""
    body = {"ownerCode": settings.owner_code, "returnOrderCode": return_no, "page": 1, "pageSize": PAGE}
    return {"request": body}


class ReturnHead(Reply):
    return_no: Code = Field(alias="returnOrderCode")
    message_id: str = Field("", alias="outBizCode")
    confirm_type: Literal["0", "1", ""] = Field("0", alias="confirmType")
    confirmed_at: LocalTime = Field(None, alias="orderConfirmTime")
    status: str = ""


class ConfirmedReturn(Reply):
    head: ReturnHead = Field(alias="returnOrder")


class ReturnedItem(Reply):
    sku: Code = Field(alias="itemCode")
    line_no: str = Field("", alias="orderLineNo")
    came: Pieces = Field(alias="actualQty")
    kind: str = Field("", alias="inventoryType")


class ReturnConfirm(ConfirmedReturn):
    lines: Annotated[tuple[ReturnedItem, ...], repeated("orderLine")] = Field((), alias="orderLines")


class AwaitedItem(ReturnedItem):
    came: Annotated[Pieces, BeforeValidator(lambda given: given or 0)] = Field(0, alias="actualQty")


class KnownReturn(ConfirmedReturn):
    """How the warehouse has a return. Of a line nothing may be in yet."""

    lines: Annotated[tuple[AwaitedItem, ...], repeated("orderLine")] = Field((), alias="orderLines")


def read_head(document: Mapping[str, Any]) -> tuple[str, str]:
    """The order that a confirm is about, and the message's own number."""
    head = read_reply(ConfirmedReturn, document, System.QIMEN).head
    order_no = order_of(head.return_no)
    if order_no is None:
        what = f"{head.return_no} is no return order of ours: the warehouse took in goods that nobody announced"
        raise NotUnderstood(System.QIMEN, what)
    return order_no, head.message_id


def order_no_of(return_no: str) -> str:
    """Whose return it is."""
    return order_of(return_no) or ""


def read_return(document: Mapping[str, Any], codes: Codes) -> News:
    """A confirm: what came, good or damaged. An inventory type that is neither is not guessed."""
    confirm = read_reply(ReturnConfirm, document, System.QIMEN)
    head, order_no = confirm.head, order_no_of(confirm.head.return_no)
    back = GoodsBack(return_no=head.return_no, pieces=_pieces(confirm.lines, order_no), final=head.confirm_type != "1")
    return News(
        system=System.QIMEN,
        order_no=order_no,
        happened_at=known_time(head.confirmed_at, "orderConfirmTime", order_no),
        field="returnorder",
        said=CONFIRM,
        event=Event.NOTED,
        text=f"the warehouse confirms return {head.return_no} ({head.message_id or 'no number'})",
        goods_back=back,
    )


def read_state(document: Mapping[str, Any], return_no: str, otherwise: datetime) -> News | None:
    """The answer to a query: what is in by now. `otherwise`: the time, when it tells none.

    None: a success without a return order is a warehouse that does not know it. Raises `NotUnderstood` for the state of
    another return, and for a full page: there may be another one, and half of a sum is none.
    """
    if not document.get("returnOrder"):
        return None
    order_no = order_no_of(return_no)
    state = read_reply(KnownReturn, document, System.QIMEN, order_no=order_no)
    if state.head.return_no != return_no:
        what = f"asked about {return_no}, the warehouse speaks of {state.head.return_no}"
        raise NotUnderstood(System.QIMEN, what, order_no=order_no)
    if len(state.lines) >= PAGE:
        what = f"{return_no} has {PAGE} lines or more, and one answer has no room for them: see the warehouse's page"
        raise NotUnderstood(System.QIMEN, what, order_no=order_no)
    pieces = _pieces(state.lines, order_no)
    return News(
        system=System.QIMEN,
        order_no=order_no,
        happened_at=(state.head.confirmed_at or otherwise).astimezone(UTC),
        field="returnorder",
        said=QUERY,
        event=Event.NOTED,
        text=f"the warehouse was asked about return {return_no}",
        goods_back=GoodsBack(return_no=return_no, pieces=pieces, final=state.head.status == ENDED, so_far=True),
    )


def _pieces(items: Iterable[ReturnedItem], order_no: str) -> tuple[PiecesBack, ...]:
    found: defaultdict[tuple[str, int | None], list[int]] = defaultdict(lambda: [0, 0])
    for item in items:
        if item.kind not in GOOD | DAMAGED:
            what = f"inventoryType {item.kind!r} of {item.sku} is not known: neither good (ZP) nor damaged (CC, JS, XS)"
            raise NotUnderstood(System.QIMEN, what, order_no=order_no)
        line_no = int(item.line_no) if item.line_no.isdecimal() and len(item.line_no) < 9 else None
        found[item.sku, line_no][item.kind in DAMAGED] += item.came
    return tuple(
        PiecesBack(sku=sku, line_no=line_no, good=good, damaged=damaged)
        for (sku, line_no), (good, damaged) in found.items()
        if good + damaged
    )
