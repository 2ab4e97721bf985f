"""The roles that outside systems play.

Every method that changes something outside takes `look_first`. False: nobody tried this before. True: an attempt may
have reached the system (time-out, crash), so read back by key and do only what is missing; the receipt is the same.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from ballast.domain.stock import Place
from ballast.domain.words import System
from ballast.ports.got import Codes, Delivery, HookAnswer, HookRequest, Message, News, Receipt, StockCount, StockReading
from ballast.ports.sent import Digest, Order, RefundRequest, ReturnOrder, Waybill


class Role(Protocol):
    """What every client can do."""

    system: System

    async def ping(self) -> str:
        """One harmless signed read; returns a short line for `ballast doctor`."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Asked(Protocol):
    """A client that reads codes when it is asked. `codes` is its own table, extended by what people added."""

    system: System
    codes: Codes


class Erp(Role, Protocol):
    """Holds the books and the stock."""

    async def reserve(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Write the sale order and have it audited with its reservation. Raises `OutOfStock` when short."""
        ...

    async def change(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Have the sale order reserve where `order.sources` say now. Raises `OutOfStock` when short there, `Refused`
        once goods left in its books."""
        ...

    async def cancel(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Void the sale order: its reservation ends. Done, too, when there is none. `Refused` once goods left."""
        ...

    async def post_outbound(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Write the outbound bill for `order.parcels` and audit it: stock goes down, the reservation ends."""
        ...

    async def post_receipt(self, order: Order, signed_at: datetime, *, look_first: bool = False) -> Receipt:
        """Note on the outbound bill that the customer has the goods. Harmless to repeat."""
        ...

    async def post_return(self, request: ReturnOrder, *, look_first: bool = False) -> Receipt:
        """Write the return bill of the good pieces under its own number and audit it: stock goes up."""
        ...

    async def stock(self) -> StockReading:
        """Every figure of our organisation, all pages. Raises when one is missing or does not follow the one before."""
        ...

    async def stock_changed(self, since: datetime) -> StockReading | None:
        """The places that changed since then, each whole. None: this ERP does not say what changed."""
        ...

    async def ask(self, order_no: str) -> Sequence[News]:
        """What the ERP says of the order now; empty when it does not know it."""
        ...


class Wms(Role, Protocol):
    """Picks, packs and ships."""

    async def create(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Hand over the delivery order, or raise `Refused`. With `TO_COME` in the receipt, news says later if it is."""
        ...

    async def cancel(self, order: Order, why: str, *, look_first: bool = False, expected: bool = False) -> Receipt:
        """Stop it, or raise `Refused` when it is too late. Done when there is none, unless one is `expected`."""
        ...

    async def take_back(self, request: ReturnOrder, *, look_first: bool = False) -> Receipt:
        """Announce goods that come back. Its news says what came, and in what shape."""
        ...

    async def ask(self, code: str) -> Sequence[News]:
        """What the warehouse says of a delivery now, as the same news its webhooks bring; empty when unknown."""
        ...

    async def ask_return(self, return_no: str) -> Sequence[News]:
        """What is in of a return by now, all of it (`GoodsBack.so_far`); empty when the warehouse does not know it."""
        ...

    async def stock(self, places: Sequence[Place]) -> StockCount:
        """What it counts there. What it does not list has no pieces; a warehouse that is not theirs is left out."""
        ...


class Courier(Role, Protocol):
    """Follows parcels."""

    async def subscribe(self, waybill: Waybill, *, look_first: bool = False) -> Receipt:
        """Have the parcel's scans pushed. Harmless to repeat."""
        ...

    async def track(self, waybill: Waybill) -> Sequence[News]:
        """Where the parcel is now; empty when there is no scan yet."""
        ...


class Storefront(Role, Protocol):
    """Where the customer looks."""

    async def tell_shipped(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Give the shop the waybills. Not harmless to repeat: read back first."""
        ...

    async def tell_received(self, order: Order, signed_at: datetime, *, look_first: bool = False) -> Receipt:
        """Tell the shop that every parcel arrived."""
        ...

    async def tell_refunded(self, order: Order, *, look_first: bool = False) -> Receipt:
        """See to it that the shop shows the order as refunded. Raises `NotYet` while it does not."""
        ...

    async def ask(self, order_no: str) -> Sequence[News]: ...


class Payment(Role, Protocol):
    """Takes and returns money."""

    async def ask(self, order_no: str) -> Sequence[News]:
        """The provider's word on the order's payment: captured, ended, refunded, or nothing yet."""
        ...

    async def refund(self, request: RefundRequest, *, look_first: bool = False) -> Receipt:
        """Give money of one charge back, once per `refund_no`. The receipt says that it was taken on: news says that it
        is there. Raises `OutcomeUnknown`, too, when it was taken on and is not known afterwards."""
        ...

    async def ask_refund(self, order_no: str, refund_no: str) -> Sequence[News]:
        """How a refund stands now, as the same news its notice brings; empty when the provider does not know it."""
        ...


class Alerts(Role, Protocol):
    """Reaches people. Robots have no keys: after a time-out a message is repeated at most once, by its owner."""

    per_minute: int  # messages that it takes, over all processes

    async def send(self, digest: Digest) -> Receipt:
        """Show it and ring its people. The receipt's `shown`: how many items had room, the first ones.

        `OutcomeUnknown`, `NotUnderstood`: perhaps heard. Every other error: nobody heard it.
        """
        ...


class Hook(Protocol):
    """The door for one system's webhooks: pure functions of bytes, no I/O."""

    source: System
    codes: Codes

    def receive(self, request: HookRequest, now: datetime) -> Delivery:
        """Verify the raw request, then decode it. `now`: machine time, for signature windows. Raises `BadSignature`
        (nothing may be stored) and `NotUnderstood` (verified, but not what the vendor's sheet describes: 4xx)."""
        ...

    def read(self, message: Message, codes: Codes) -> News | None:
        """Their code into our news; None when it concerns no order. Raises `UnknownCode`, `NotUnderstood`."""
        ...

    def accepted(self, now: datetime) -> HookAnswer:
        """The vendor's word for: stored, do not send again."""
        ...

    def refused(self, status: int, why: str, now: datetime) -> HookAnswer:
        """The vendor's word for: not stored. `why` never says which part of a signature was wrong."""
        ...
