"""The seller's own mini-program backend: pushes each new order to our side."""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeAlias

import orjson

from sim.chance import digits
from sim.clock import zoned_text
from sim.records import Order, ShopCharge
from sim.webhooks import Outgoing, Webhook
from sim.world import World

REFUSED = 409
"""What our side answers to an order that it cannot promise."""

Heard: TypeAlias = Callable[[int, bytes], bool]


def sign(timestamp: str, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class DirectNews:
    def __init__(self, world: World) -> None:
        self._world = world
        self._secret = world.config.secrets.direct.secret

    def placed(self, order: Order) -> Webhook:
        """A refusal ends it: the customer hears that it cannot be had, and nothing is repeated."""

        def heard(status: int, _: bytes) -> bool:
            order.refused = order.refused or status == REFUSED
            return order.refused or says_success(status, _)

        return self._post(order, "order.placed", {"order": describe_order(order)}, heard=heard)

    def paid(self, order: Order, charge: ShopCharge) -> Webhook:
        """A charge through a provider of the shop's own."""
        told = {
            "order_no": order.no,
            "provider": charge.provider,
            "transaction_id": charge.transaction_id,
            "amount": charge.amount,
            "currency": order.currency,
            "paid_at": zoned_text(charge.paid_at),
        }
        return self._post(order, "order.paid", {"order": told}, charge.transaction_id)

    def cancelled(self, order: Order, at: float, reason: str = "") -> Webhook:
        told = {"order_no": order.no, "reason": reason, "cancelled_at": zoned_text(at)}
        return self._post(order, "order.cancelled", {"order": told})

    def return_requested(self, order: Order, asked: dict[str, Any]) -> Webhook:
        """The customer wants to send something back. Two different wishes are two messages."""
        return self._post(order, "order.return_requested", {"return": asked}, orjson.dumps(asked).decode())

    def _post(
        self, order: Order, event: str, content: dict[str, Any], part: str = "", heard: Heard | None = None
    ) -> Webhook:
        event_id = f"D{digits(20, self._world.config.seed, event, order.no, *filter(None, [part]))}"
        body = orjson.dumps({"event": event, "event_id": event_id, **content})

        def build() -> Outgoing:
            timestamp = str(int(time.time()))
            headers = {
                "Content-Type": "application/json",
                "X-Ballast-Timestamp": timestamp,
                "X-Ballast-Signature": sign(timestamp, body, self._secret),
            }
            return Outgoing("/direct", headers, body)

        hook = Webhook("direct", event, f"{order.no}{part}", build, heard or says_success, (order,))
        return self._world.sender.post(hook)


def describe_order(order: Order) -> dict[str, Any]:
    return {
        "order_no": order.no,
        "channel": order.channel,
        "placed_at": zoned_text(order.placed_at),
        "currency": order.currency,
        "total": order.total,
        "freight": order.freight,
        "discount": order.discount,
        "customer": asdict(order.customer),
        "receiver": asdict(order.receiver),
        "lines": [
            {
                "line_no": line.line_no,
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "amount": line.amount,
            }
            for line in order.lines
        ],
    }


def says_success(status: int, _: bytes) -> bool:
    return 200 <= status < 300
