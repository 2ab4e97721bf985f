"""trade_manage_order_settlement, once the goods are sent and once they are received."""

import time
from typing import Any

import orjson
from yarl import URL

from sim.chance import digits
from sim.clock import HOUR
from sim.records import Order
from sim.systems.wechat.envelope import encrypt, sign, wrap
from sim.webhooks import Outgoing, Webhook
from sim.world import World

ACCOUNT = "gh_simulated01"
SETTLEMENT_AFTER = 10 * 24 * HOUR
BY_HAND = 2


class WechatNews:
    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = world.config.secrets.wechat
        self._mchid = world.config.secrets.wechatpay.mchid

    def shipped(self, order: Order, at: float) -> Webhook:
        return self._post(order, f"{order.no}/shipped/{order.shop.uploads}", self._describe(order, at))

    def received(self, order: Order, at: float) -> Webhook:
        more = {
            "confirm_receive_method": BY_HAND,
            "confirm_receive_time": int(at),
            "settlement_time": int(at),
        }
        return self._post(order, f"{order.no}/received", self._describe(order, at) | more)

    def _describe(self, order: Order, at: float) -> dict[str, Any]:
        payment = order.first_charge
        assert payment is not None  # nothing is shipped or received unpaid
        shipped_at = order.shop.shipped_at or at
        return {
            "ToUserName": ACCOUNT,
            "FromUserName": order.customer.openid,
            "CreateTime": int(at),
            "MsgType": "event",
            "Event": "trade_manage_order_settlement",
            "transaction_id": payment.transaction_id,
            "merchant_id": self._mchid,
            "sub_merchant_id": "",
            "merchant_trade_no": order.no,
            "pay_time": int(payment.paid_at),
            "shipped_time": int(shipped_at),
            "estimated_settlement_time": int(shipped_at + SETTLEMENT_AFTER),
        }

    def _post(self, order: Order, key: str, message: dict[str, Any]) -> Webhook:
        body = orjson.dumps(message)
        encrypted = ""
        if self._keys.mode == "safe":
            encrypted = encrypt(body, self._keys.encoding_aes_key, self._keys.app_id)

        def build() -> Outgoing:
            return self._sign(body, encrypted, key)

        hook = Webhook("wechat", "trade_manage_order_settlement", key, build, says_success, (order,))
        return self._world.sender.post(hook)

    def _sign(self, body: bytes, encrypted: str, key: str) -> Outgoing:
        timestamp = str(int(time.time()))
        nonce = digits(9, key, timestamp)
        query = {"signature": sign(self._keys.token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
        if encrypted:
            query |= {"encrypt_type": "aes", "msg_signature": sign(self._keys.token, timestamp, nonce, encrypted)}
            body = wrap(ACCOUNT, encrypted)
        return Outgoing(
            f"/wechat?{URL.build(query=query).raw_query_string}", {"Content-Type": "application/json"}, body
        )


def says_success(status: int, body: bytes) -> bool:
    return status == 200 and body.strip() == b"success"
