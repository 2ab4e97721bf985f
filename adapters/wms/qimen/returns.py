"""Goods that come back: returnorder.create out, returnorder.confirm in. [M]: the sheet names both, not their fields.

The fields are those of the public interface description. Its confirm tells what this message brought; `outBizCode` is
the message's own number.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

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
RETURNED, EXCHANGED = "THRK", "HHRK"  # 退货入库, 换货入库
DAMAGED: Final = frozenset({"CC", "JS", "XS"})  # 残次, 机损, 箱损
GOOD: Final = frozenset({GENUINE, ""})


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


class ReturnHead(Reply):
    return_no: Code = Field(alias="returnOrderCode")
    message_id: str = Field("", alias="outBizCode")
    confirm_type: Literal["0", "1", ""] = Field("0", alias="confirmType")
    confirmed_at: LocalTime = Field(None, alias="orderConfirmTime")


class ConfirmedReturn(Reply):
    head: ReturnHead = Field(alias="returnOrder")


class ReturnedItem(Reply):
    sku: Code = Field(alias="itemCode")
    line_no: str = Field("", alias="orderLineNo")
    came: Pieces = Field(alias="actualQty")
    kind: str = Field("", alias="inventoryType")


class ReturnConfirm(ConfirmedReturn):
    lines: Annotated[tuple[ReturnedItem, ...], repeated("orderLine")] = Field((), alias="orderLines")


def read_head(document: Mapping[str, Any]) -> tuple[str, str]:
    """The order that a confirm is about, and the message's own number."""
    head = read_reply(ConfirmedReturn, document, System.QIMEN).head
    order_no = order_of(head.return_no)
    if order_no is None:
        what = f"{head.return_no} is no return order of ours: the warehouse took in goods that nobody announced"
        raise NotUnderstood(System.QIMEN, what)
    return order_no, head.message_id


def read_return(document: Mapping[str, Any], codes: Codes) -> News:
    """A confirm: what came, good or damaged. An inventory type that is neither is not guessed."""
    confirm = read_reply(ReturnConfirm, document, System.QIMEN)
    head, order_no = confirm.head, order_of(confirm.head.return_no) or ""
    pieces: defaultdict[tuple[str, int | None], list[int]] = defaultdict(lambda: [0, 0])
    for item in confirm.lines:
        if item.kind not in GOOD | DAMAGED:
            what = f"inventoryType {item.kind!r} of {item.sku} is not known: neither good (ZP) nor damaged (CC, JS, XS)"
            raise NotUnderstood(System.QIMEN, what, order_no=order_no)
        line_no = int(item.line_no) if item.line_no.isdecimal() and len(item.line_no) < 9 else None
        pieces[item.sku, line_no][item.kind in DAMAGED] += item.came
    back = GoodsBack(
        return_no=head.return_no,
        pieces=tuple(
            PiecesBack(sku=sku, line_no=line_no, good=good, damaged=damaged)
            for (sku, line_no), (good, damaged) in pieces.items()
        ),
        final=head.confirm_type != "1",
    )
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
