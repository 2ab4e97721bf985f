"""In from a shop's own backend: orders placed, paid, changed, called off, sent back. Format: README.md here."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, StringConstraints, field_validator

from adapters.errors import BadSignature
from adapters.json_text import read_object
from adapters.meanings import meaning_of
from adapters.replies import Reply, read_reply
from adapters.signing import recent, reveal, same
from adapters.storefronts.direct.edits import read_asked_edit
from adapters.storefronts.direct.orders import MOST_MONEY, NO_CONTROLS, AwareTime, Key, Number, read_order
from adapters.storefronts.direct.returns import read_asked_return
from adapters.storefronts.direct.status import CODES, EDIT_REQUESTED, PAID, PLACED, RETURN_REQUESTED
from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.payments import clean_transaction
from ballast.domain.words import System
from ballast.ports import Charge, Codes, Delivery, HookAnswer, HookRequest, Meaning, Message, News
from ballast.settings import DirectSettings


class Push(Reply):
    """`order` is kept as it came: a whole one when placed, else its number and what happened to it."""

    event: Literal["order.placed", "order.paid", "order.edit_requested", "order.cancelled", "order.return_requested"]
    event_id: Key
    order: dict[str, Any] = Field(default_factory=dict)
    edit: dict[str, Any] = Field(default_factory=dict)
    asked: dict[str, Any] = Field(default_factory=dict, alias="return")


class Cancellation(Reply):
    """`cancelled_at` is the shop's; without it the time of arrival stands."""

    order_no: Number
    reason: Annotated[str, StringConstraints(pattern=NO_CONTROLS, max_length=256)] = ""
    cancelled_at: AwareTime | None = None
    received_at: int = 0

    @property
    def happened_at(self) -> datetime:
        return (self.cancelled_at or datetime.fromtimestamp(self.received_at, UTC)).astimezone(UTC)


class Payment(Reply):
    """A charge that the shop took through a provider of its own. `amount` in minor units."""

    order_no: Number
    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]
    transaction_id: Key
    amount: Annotated[int, Field(gt=0, le=MOST_MONEY, strict=True)]
    currency: str = "CNY"
    paid_at: AwareTime

    @field_validator("provider")
    @classmethod
    def _is_a_stranger(cls, provider: str) -> str:
        if provider in list(System):
            raise ValueError(f"{provider} tells us of its payments itself")
        return provider

    @field_validator("transaction_id")
    @classmethod
    def _is_a_number(cls, transaction_id: str) -> str:
        if not clean_transaction(transaction_id):  # all charges without one would be the same charge
            raise ValueError("it is empty")
        return transaction_id

    @field_validator("currency")
    @classmethod
    def _is_known(cls, currency: str) -> str:
        if currency not in MINOR_DIGITS:
            raise ValueError(f"currency {currency!r} is unknown, known are {', '.join(sorted(MINOR_DIGITS))}")
        return currency

    @property
    def charge(self) -> Charge:
        paid_at = self.paid_at.astimezone(UTC)
        amount = Money(self.amount, self.currency)
        return Charge(
            transaction_id=self.transaction_id, amount=amount, merchant="", paid_at=paid_at, provider=self.provider
        )


class DirectHook:
    """Implements `ports.Hook`."""

    source = System.DIRECT
    codes: Codes = CODES

    def __init__(self, settings: DirectSettings) -> None:
        self._secret = reveal(settings.secret, "BALLAST_DIRECT__SECRET").encode()

    def receive(self, request: HookRequest, now: datetime) -> Delivery:
        timestamp = request.headers.get("x-ballast-timestamp", "")
        signature = request.headers.get("x-ballast-signature", "")
        ours = sign(self._secret, timestamp, request.body)
        if not (same(ours, signature) and recent(timestamp, now)):
            raise BadSignature(System.DIRECT, "the push is not signed with our secret, or is older than five minutes")
        push = read_reply(Push, read_object(request.body, System.DIRECT), System.DIRECT)
        match push.event:
            case "order.placed":
                order_no, payload = read_order(push.order).order_no, push.order
            case "order.paid":
                order_no, payload = read_reply(Payment, push.order, System.DIRECT).order_no, push.order
            case "order.cancelled":
                order_no = read_reply(Cancellation, push.order, System.DIRECT).order_no
                payload = {**push.order, "received_at": int(now.timestamp())}
            case "order.edit_requested":
                order_no = read_asked_edit(push.edit).order_no
                payload = {**push.edit, "received_at": int(now.timestamp())}
            case "order.return_requested":
                order_no = read_asked_return(push.asked).order_no
                payload = {**push.asked, "received_at": int(now.timestamp())}
        message = Message(event_id=push.event_id, topic=push.event, order_no=order_no, payload=payload)
        return Delivery(messages=(message,))

    def read(self, message: Message, codes: Codes) -> News | None:
        """A placed order is not news of an order: it is one, and taken by `take_orders`."""
        if message.topic == PLACED:
            return None
        meaning = meaning_of(codes, System.DIRECT, "event", message.topic, order_no=message.order_no)
        if message.topic == PAID:
            charge = read_reply(Payment, message.payload, System.DIRECT, order_no=message.order_no).charge
            return _news(message, meaning, charge.paid_at, f"the shop reports a payment by {charge.provider}", charge)
        if message.topic == RETURN_REQUESTED:
            asked = read_asked_return(message.payload, order_no=message.order_no)
            told = _news(message, meaning, asked.happened_at, f"the shop reports a return: {asked.reason} {asked.text}")
            return replace(told, return_asked=replace(asked.asked, request_id=message.event_id))
        if message.topic == EDIT_REQUESTED:
            edit = read_asked_edit(message.payload, order_no=message.order_no)
            told = _news(message, meaning, edit.happened_at, f"the shop asks for a change: {edit.text}")
            return replace(told, edit_asked=edit.asked(message.event_id))
        cancellation = read_reply(Cancellation, message.payload, System.DIRECT, order_no=message.order_no)
        why = f"the shop reports a cancellation: {cancellation.reason or 'no reason given'}"
        return _news(message, meaning, cancellation.happened_at, why)

    def accepted(self, now: datetime) -> HookAnswer:
        return HookAnswer(status=200, body=orjson.dumps({"ok": True}), media_type="application/json")

    def refused(self, status: int, why: str, now: datetime) -> HookAnswer:
        return HookAnswer(status=status, body=orjson.dumps({"ok": False, "error": why}), media_type="application/json")


def _news(message: Message, meaning: Meaning, at: datetime, text: str, charge: Charge | None = None) -> News:
    return News(
        system=System.DIRECT,
        order_no=message.order_no,
        happened_at=at,
        field="event",
        said=message.topic,
        event=meaning.event,
        reason=meaning.reason,
        text=text,
        charge=charge,
    )


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over `timestamp + "." + raw body`."""
    signed = timestamp.encode("utf-8", "surrogatepass") + b"." + body
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()
