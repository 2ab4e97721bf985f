"""奇门 -> Ballast: confirms, process reports, shortages, answers to batches. Sheet qimen.md, 2-4."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from adapters.errors import BadSignature, NotUnderstood
from adapters.replies import Reply, read_reply
from adapters.signing import reveal
from adapters.wms.qimen.batch import ANSWER, SENT_AT, read_made
from adapters.wms.qimen.news import Code, ReportedOrder, of_delivery, read_confirm, read_lack, read_process
from adapters.wms.qimen.returns import CONFIRM as RETURN
from adapters.wms.qimen.returns import read_head, read_return
from adapters.wms.qimen.signing import is_genuine
from adapters.wms.qimen.status import CODES
from adapters.xml import NOT_XML, parse, rows, write
from ballast.domain.deliveries import order_of
from ballast.domain.words import System
from ballast.ports import Codes, Delivery, HookAnswer, HookRequest, Message, News
from ballast.settings import QimenSettings

GATEWAY_PREFIX: Final = "taobao.qimen."  # a warehouse that connects directly leaves it out
CONFIRM, PROCESS, LACK = "deliveryorder.confirm", "orderprocess.report", "itemlack.report"
LONGEST_ID: Final = 100

READERS: Final[Mapping[str, Callable[[Mapping[str, Any], Codes], News]]] = {
    CONFIRM: read_confirm,
    PROCESS: read_process,
    LACK: read_lack,
    RETURN: read_return,
    ANSWER: read_made,
}


class DeliveryHead(Reply):
    """Enough to store the message: the rest is read later, and parked when it is wrong, instead of sent away."""

    order_no: Code = Field(alias="deliveryOrderCode")
    message_id: str = Field("", alias="outBizCode")


class ConfirmHead(Reply):
    order: DeliveryHead = Field(alias="deliveryOrder")


class ProcessedHead(Reply):
    status: str = Field(alias="processStatus")
    operated_at: str = Field(alias="operateTime")


class ProcessHead(Reply):
    order: ReportedOrder
    process: ProcessedHead


class QimenHook:
    """Implements `ballast.ports.Hook`."""

    source = System.QIMEN
    codes = CODES

    def __init__(self, settings: QimenSettings) -> None:
        self._secret = reveal(settings.secret, "BALLAST_QIMEN__SECRET")

    def receive(self, request: HookRequest, now: datetime) -> Delivery:
        if not is_genuine(request.query, request.body, self._secret, now):
            raise BadSignature(System.QIMEN, "not signed with our secret, or older than ten minutes")
        method = request.query.get("method", "").removeprefix(GATEWAY_PREFIX)
        document = parse(request.body, System.QIMEN).get("request")
        if not isinstance(document, dict):
            raise NotUnderstood(System.QIMEN, f"{method} without <request>")
        return Delivery(messages=tuple(read_messages(method, document, request.query.get("timestamp", ""))))

    def read(self, message: Message, codes: Codes) -> News | None:
        reader = READERS.get(message.topic)
        if reader is None:
            raise NotUnderstood(System.QIMEN, f"topic {message.topic!r} is none of ours", order_no=message.order_no)
        return of_delivery(reader(message.payload, codes))

    def accepted(self, now: datetime) -> HookAnswer:
        return ACCEPTED

    def refused(self, status: int, why: str, now: datetime) -> HookAnswer:
        return _answer(status, "failure", str(status), why)


def read_messages(method: str, document: dict[str, Any], sent_at: str = "") -> Iterable[Message]:
    """One message per order; `sent_at`: the query's time. Raises `NotUnderstood` for a method that has none."""
    match method:
        case "deliveryorder.confirm":
            yield _confirm(document)
        case "deliveryorder.batchconfirm":  # [M] orders/order, each as a confirm of its own
            yield from (_confirm(one) for one in rows(document, "orders", "order"))
        case "orderprocess.report":
            yield _process(document)
        case "returnorder.confirm":
            order_no, own_id = read_head(document)
            yield _message(RETURN, order_no, document, own_id)
        case "itemlack.report":
            yield _lack(document)
        case "deliveryorder.batchcreate.answer":
            yield from (_made(one, sent_at) for one in rows(document, "orders", "order"))
        case _:
            raise NotUnderstood(System.QIMEN, f"method {method[:60]!r} is not taken here")


def _confirm(document: dict[str, Any]) -> Message:
    head = read_reply(ConfirmHead, document, System.QIMEN).order
    return _message(CONFIRM, head.order_no, document, head.message_id)


def _process(document: dict[str, Any]) -> Message:
    head = read_reply(ProcessHead, document, System.QIMEN)
    said = f"{head.order.order_no}:{head.process.status}:{head.process.operated_at}"
    return _message(PROCESS, head.order.order_no, document, said)


def _lack(document: dict[str, Any]) -> Message:
    head = read_reply(DeliveryHead, document, System.QIMEN)
    return _message(LACK, head.order_no, document, head.message_id)


def _made(document: dict[str, Any], sent_at: str) -> Message:
    """Known by all that it says: the same answer sent again later is the same message."""
    head = read_reply(DeliveryHead, document, System.QIMEN)
    message = _message(ANSWER, head.order_no, document, head.message_id)
    return replace(message, payload={**document, SENT_AT: sent_at})


def _message(topic: str, order_no: str, document: dict[str, Any], own_id: str) -> Message:
    """The warehouse's own id of the message; without one a digest of all that it says."""
    if not own_id or len(own_id) > LONGEST_ID:
        own_id = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    return Message(event_id=f"{topic}:{own_id}", topic=topic, order_no=order_of(order_no), payload=document)


def _answer(status: int, flag: str, code: str, message: str) -> HookAnswer:
    tree = {"response": {"flag": flag, "code": code, "message": NOT_XML.sub("?", message)}}
    return HookAnswer(status=status, body=write(tree, System.QIMEN), media_type="text/xml")


ACCEPTED: Final = _answer(200, "success", "0", "OK")
