"""Notices of payments and refunds: encrypted, signed afresh for every try."""

import time
from typing import Any

import orjson

from sim.chance import digits
from sim.clock import zoned_text
from sim.records import Order, Payment, Refund
from sim.systems.wechatpay.documents import describe_refund_notice, describe_transaction
from sim.systems.wechatpay.signature import SCHEME, encrypt_resource, load_private_key, notice_message, sign
from sim.webhooks import Outgoing, Webhook
from sim.world import World


class WechatPayNews:
    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = world.config.secrets.wechatpay
        self._private_key = load_private_key(self._keys.platform_private_key_pem)

    def paid(self, order: Order, payment: Payment, *, insistent: bool = False) -> Webhook:
        """WeChat Pay repeats a notice fifteen times over a day: `insistent` where only the notice tells of a charge."""
        resource = describe_transaction(order, payment, "SUCCESS", self._keys)
        key, at = payment.transaction_id, payment.paid_at
        return self._post(order, key, "TRANSACTION.SUCCESS", "支付成功", "transaction", resource, at, insistent)

    def refunded(self, order: Order, refund: Refund, at: float) -> Webhook:
        resource = describe_refund_notice(order, refund, self._keys.mchid)
        return self._post(order, refund.refund_id, f"REFUND.{refund.status}", "退款成功", "refund", resource, at)

    def _post(
        self,
        order: Order,
        key: str,
        event: str,
        summary: str,
        kind: str,
        resource: dict[str, Any],
        at: float,
        insistent: bool = False,
    ) -> Webhook:
        nonce = digits(12, "resource", key)
        cipher = encrypt_resource(self._keys.apiv3_key, nonce, kind, orjson.dumps(resource))
        notice = {
            "id": f"EV-{digits(20, self._world.config.seed, 'event', event, key)}",
            "create_time": zoned_text(at),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": summary,
            "resource": {
                "original_type": kind,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": cipher,
                "associated_data": kind,
                "nonce": nonce,
            },
        }
        body = orjson.dumps(notice)

        def build() -> Outgoing:
            return Outgoing("/wechatpay", self.sign_headers(body) | {"Content-Type": "application/json"}, body)

        hook = Webhook("wechatpay", event, key, build, says_success, (order,), insistent)
        return self._world.sender.post(hook)

    def sign_headers(self, body: bytes) -> dict[str, str]:
        """The Wechatpay-* headers of a notice or an answer, dated now in real time."""
        timestamp = str(int(time.time()))
        nonce = digits(32, timestamp, time.perf_counter_ns())
        return {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": sign(self._private_key, notice_message(timestamp, nonce, body)),
            "Wechatpay-Serial": self._keys.platform_serial,
            "Wechatpay-Signature-Type": SCHEME,
        }


def says_success(status: int, _: bytes) -> bool:
    return status in (200, 204)
