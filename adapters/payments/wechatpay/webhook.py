"""In from WeChat Pay: payment and refund notices. Source: the vendor sheet, §C."""

from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import AwareDatetime

from adapters.errors import BadSignature, NotUnderstood
from adapters.json_text import read_object
from adapters.meanings import meaning_of
from adapters.payments.wechatpay.documents import RefundNotice, Transaction, check_ours, read_refund, read_transaction
from adapters.payments.wechatpay.signing import decrypt, is_genuine, load_apiv3_key, load_platform_keys
from adapters.payments.wechatpay.status import CODES
from adapters.replies import Reply, read_reply
from ballast.domain.words import System
from ballast.ports import Codes, Delivery, HookAnswer, HookRequest, Message, News
from ballast.settings import WechatpaySettings

ALGORITHM: Final = "AEAD_AES_256_GCM"
DOCUMENTS: Final[dict[str, type[Transaction | RefundNotice]]] = {"TRANSACTION": Transaction, "REFUND": RefundNotice}
"""By the first word of event_type."""


class Resource(Reply):
    algorithm: str
    ciphertext: str
    nonce: str
    associated_data: str | None = None


class Notice(Reply):
    id: str
    event_type: str
    create_time: str
    resource: Resource


class Received(Reply):
    """When the provider wrote a notice, as we keep it beside the resource."""

    create_time: AwareDatetime


class WechatpayHook:
    """Implements `ports.Hook`."""

    source = System.WECHATPAY
    codes: Codes = CODES

    def __init__(self, settings: WechatpaySettings) -> None:
        self._settings = settings
        self._keys, self._apiv3_key = load_platform_keys(settings), load_apiv3_key(settings)

    def receive(self, request: HookRequest, now: datetime) -> Delivery:
        if "wechatpay-signature-type" not in request.headers or not is_genuine(
            request.headers, request.body, self._keys, now
        ):
            what = "the notice is not signed with a known platform key, or is older than five minutes"
            raise BadSignature(System.WECHATPAY, what)
        notice = read_reply(Notice, read_object(request.body, System.WECHATPAY), System.WECHATPAY)
        resource = self._decrypt(notice)
        order_no = str(resource.get("out_trade_no", ""))
        if model := _model_of(notice.event_type):
            check_ours(read_reply(model, resource, System.WECHATPAY, order_no=order_no), self._settings)
        payload = {**resource, "event_type": notice.event_type, "create_time": notice.create_time}
        message = Message(event_id=notice.id, topic=notice.event_type, order_no=order_no, payload=payload)
        return Delivery(messages=(message,))

    def read(self, message: Message, codes: Codes) -> News | None:
        order_no = message.order_no
        model = _model_of(message.topic)
        if model is None:
            meaning_of(codes, System.WECHATPAY, "event_type", message.topic, order_no=order_no)
            return None  # somebody mapped it, so it is known; but it is neither a payment nor a refund
        heard_at = read_reply(Received, message.payload, System.WECHATPAY, order_no=order_no).create_time
        document = read_reply(model, message.payload, System.WECHATPAY, order_no=order_no)
        if isinstance(document, Transaction):
            return read_transaction(document, codes, heard_at)
        return read_refund(document, codes, heard_at)

    def accepted(self, now: datetime) -> HookAnswer:
        return HookAnswer(status=204, body=b"", media_type="application/json")

    def refused(self, status: int, why: str, now: datetime) -> HookAnswer:
        return HookAnswer(
            status=status, body=orjson.dumps({"code": "FAIL", "message": why}), media_type="application/json"
        )

    def _decrypt(self, notice: Notice) -> dict[str, Any]:
        resource = notice.resource
        if resource.algorithm != ALGORITHM:
            raise NotUnderstood(System.WECHATPAY, f"resource encrypted with {resource.algorithm!r}, not {ALGORITHM}")
        try:
            plain = decrypt(resource.nonce, resource.ciphertext, resource.associated_data or "", self._apiv3_key)
        except ValueError:
            what = "the resource was not encrypted with our key; check BALLAST_WECHATPAY__APIV3_KEY"
            raise NotUnderstood(System.WECHATPAY, what) from None
        return read_object(plain, System.WECHATPAY)


def _model_of(event_type: str) -> type[Transaction | RefundNotice] | None:
    return DOCUMENTS.get(event_type.partition(".")[0])
