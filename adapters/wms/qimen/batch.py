"""Several delivery orders in one call, and what the warehouse says of them later. Sheet qimen.md, 4 and 6.

    deliveryorder.batchcreate -> taken on, or refused at the door -> deliveryorder.batchcreate.answer: made, or refused

Taken on is not made. The names of elements are those of the vendor's own SDK; what is left out of an answer, and what
a failure with names in it means for the others, is [M].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import httpx
from pydantic import Field

from adapters.errors import OutcomeUnknown, OutsideError, Refused, Unavailable
from adapters.meanings import meaning_of
from adapters.replies import Reply, read_reply
from adapters.wms.qimen.answers import read_word
from adapters.wms.qimen.news import Code, LocalTime, known_time, repeated
from adapters.wms.qimen.status import ANSWER_FIELD, KNOWN_ALREADY
from adapters.xml import DECLARATION
from ballast.domain.words import Event, System
from ballast.ports import Codes, News

BATCH: Final = "deliveryorder.batchcreate"
ANSWER: Final = "deliveryorder.batchcreate.answer"

SENT_AT: Final = "sentAt"
"""Not theirs: the time in the query of the answer, for those whose own time the warehouse leaves out."""


@dataclass(frozen=True, slots=True, eq=False)
class Handover:
    """One order on its way: its number, what it says, and the same as the `<order>` of a batch."""

    order_no: str
    tree: Mapping[str, Any]
    document: bytes


class Named(Reply):
    order_no: str = Field("", alias="deliveryOrderCode")
    message: str = ""


class Taken(Reply):
    """The answer to the call; it names the orders that are refused at the door."""

    orders: Annotated[tuple[Named, ...], repeated("order")] = ()


class OrderInfo(Reply):
    number: str = Field("", alias="deliveryOrderId")
    created_at: LocalTime = Field(None, alias="createTime")


class Made(Reply):
    """What the answer says of one order."""

    order_no: Code = Field(alias="deliveryOrderCode")
    flag: Code
    code: str = ""
    message: str = ""
    info: OrderInfo | None = Field(None, alias="orderInfo")
    sent_at: LocalTime = Field(None, alias=SENT_AT)


def write_batch(handovers: Sequence[Handover]) -> bytes:
    inside = b"".join(handover.document for handover in handovers)
    return DECLARATION + b"<request><orders>" + inside + b"</orders></request>"


def read_taken(reply: httpx.Response, order_nos: Sequence[str]) -> list[OutsideError | None]:
    """None for each order that was taken on, else what its refusal means. Raises when no single order was judged."""
    body, no = read_word(reply, order_no="", unclear=OutcomeUnknown)
    named = {one.order_no: one.message for one in read_reply(Taken, body, System.QIMEN).orders}
    if no is not None and (isinstance(no, Unavailable | OutcomeUnknown) or not named):
        raise no
    others = None
    if no is not None:
        others = OutcomeUnknown(System.QIMEN, "its batch was refused for other orders in it", code=no.code)
    return [_refused(order_no, named[order_no]) if order_no in named else others and others.about(order_no)
            for order_no in order_nos]  # fmt: skip


def _refused(order_no: str, why: str) -> Refused:
    return Refused(System.QIMEN, why or "no reason given", order_no=order_no)


def read_made(document: Mapping[str, Any], codes: Codes) -> News:
    """One order of an answer. That it exists already is no refusal: an attempt of ours was faster."""
    made = read_reply(Made, document, System.QIMEN)
    meaning = meaning_of(codes, System.QIMEN, ANSWER_FIELD, made.flag, order_no=made.order_no)
    there_already = made.flag == "failure" and KNOWN_ALREADY.search(made.message)
    said = " ".join(part for part in (made.code if made.code != "0" else "", made.message) if part)
    info = made.info or OrderInfo()
    return News(
        system=System.QIMEN,
        order_no=made.order_no,
        happened_at=_when(made, info),
        field=ANSWER_FIELD,
        said=made.flag,
        event=Event.NOTED if there_already else meaning.event,
        reason=None if there_already else meaning.reason,
        state=None if there_already else meaning.state,
        text=f"delivery order {info.number}" if info.number else said,
    )


def _when(made: Made, info: OrderInfo) -> datetime:
    return known_time(info.created_at or made.sent_at, "createTime", made.order_no)
