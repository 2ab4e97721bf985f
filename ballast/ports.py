"""The roles that outside systems play, and the frozen values they exchange with us.

Every method that changes something outside takes `look_first`. False: nobody tried this before. True: an attempt may
have reached the system (time-out, crash), so read back by key and do only what is missing; the receipt is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ballast.domain.money import Money
from ballast.domain.origin import Origin as Origin
from ballast.domain.people import Person as Person
from ballast.domain.words import Event, HoldReason, State, System

# -- what we send ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who gets the goods. Never logged: `repr` shows the province and city only."""

    name: str = field(repr=False)
    mobile: str = field(repr=False)
    province: str
    city: str
    district: str = field(repr=False)
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One order line. `amount` is what the customer pays for the whole line, minor units."""

    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One parcel as the warehouse handed it over. `carrier` is Ballast's code (the dialects are the adapters')."""

    carrier: str
    waybill: str
    items: Mapping[str, int]  # SKU -> pieces; empty when the warehouse does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an adapter may need to know of an order to write its own document about it."""

    order_no: str
    channel: str
    placed_at: datetime
    paid_at: datetime | None
    total: Money
    freight: Money
    discount: Money
    customer_no: str
    openid: str | None
    receiver: Receiver
    lines: tuple[Line, ...]
    parcels: tuple[Parcel, ...] = ()
    warehouse: str = ""  # our warehouse code, as the stock ledger names it
    transaction_id: str | None = None  # of the payment that counted
    customer_tier: str = ""  # the seller's own word, as the SLA policy names it; empty: not said
    origin: Origin = field(default=Origin(), repr=False)  # as it was told at intake; not read back from the books
    coupons: tuple[str, ...] = field(default=(), repr=False)  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Waybill:
    """A parcel to be followed. `phone_tail`: last four digits of the receiver's mobile, some carriers ask for it."""

    order_no: str
    carrier: str
    waybill: str
    phone_tail: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Give back `amount` of one charge. `refund_no` is ours, made of the order and the cause, never random."""

    order_no: str
    transaction_id: str
    refund_no: str
    amount: Money
    captured: Money
    why: str


@dataclass(frozen=True, slots=True)
class Item:
    """One alert in plain words: a title (shown bold), what to know, and a link where it is answered."""

    title: str
    text: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Digest:
    """One message for people: what there is to say, the most urgent first, and who is rung."""

    title: str
    items: tuple[Item, ...]
    people: tuple[Person, ...] = ()


# -- what we get -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The system has it. `reference` is its own number for the thing; `detail` a few facts worth keeping."""

    reference: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFigure:
    """Pieces of one SKU in one warehouse as the ERP counts them."""

    sku: str
    warehouse: str
    on_hand: int
    available: int
    locked: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one of their codes means to us. `reason` is set exactly when the event is HELD."""

    event: Event
    reason: HoldReason | None = None
    note: str = field(default="", compare=False)  # for people: their own word for the code, or where it is said
    state: State | None = None  # the standard state that it stands for, where the event alone does not say it

    def called(self, note: str) -> "Meaning":
        """The same meaning, of a code with this note."""
        return replace(self, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Money that a provider reports as taken, as the provider reports it.

    `provider` is set when somebody else reports it: the shop tells what was paid through a provider of its own.
    """

    transaction_id: str
    amount: Money
    merchant: str
    paid_at: datetime
    payer: str | None = field(default=None, repr=False)
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money of one charge on its way back, as the provider reports it; `amount` may be a part of `captured`.

    The event of its news says how it stands: REFUNDED it arrived, HELD it never will, any other it is under way.
    """

    refund_no: str
    transaction_id: str
    amount: Money
    captured: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing that one system says of one order, read into our words.

    `said` is their code as it stood in the message, `field` the name of the field, `happened_at` their time (aware
    UTC). The optional parts belong to the kind of news: parcels (SHIPPED; `final` False when more confirms follow),
    waybill with first_scan_at (courier), charge (payment), refund.
    """

    system: System
    order_no: str
    happened_at: datetime
    field: str
    said: str
    event: Event
    reason: HoldReason | None = None
    text: str = ""
    parcels: tuple[Parcel, ...] = ()
    final: bool = True
    waybill: str | None = None
    first_scan_at: datetime | None = None
    charge: Charge | None = None
    refund: Refund | None = None
    state: State | None = None  # the meaning's
    waybills: frozenset[str] | None = None  # those that their document shows; None: it does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One webhook message about one order (or one parcel), verified and decoded, ready for the inbox.

    `event_id` is unique within the source: the vendor's own id, else made of the fields that make it unique.
    `payload` is JSON-able, complete, and is read again by `Hook.read` whenever the message is (re)played.
    """

    event_id: str
    topic: str
    order_no: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """An incoming webhook, untouched. Header names are lower case; `query` values are decoded once."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """What the vendor wants to hear, in its own words."""

    status: int
    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one webhook call brought. `echo` answers a vendor's URL check and has no messages."""

    messages: tuple[Message, ...] = ()
    echo: HookAnswer | None = None


Codes: TypeAlias = Mapping[tuple[str, str], Meaning]
"""(field, their code) -> meaning: the adapter's own table, extended by the status map that people edit."""


# -- roles -------------------------------------------------------------------------------------------------------


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

    async def cancel(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Void the sale order: its reservation ends. Done, too, when there is none. `Refused` once goods left."""
        ...

    async def post_outbound(self, order: Order, *, look_first: bool = False) -> Receipt:
        """Write the outbound bill for `order.parcels` and audit it: stock goes down, the reservation ends."""
        ...

    async def post_receipt(self, order: Order, signed_at: datetime, *, look_first: bool = False) -> Receipt:
        """Note on the outbound bill that the customer has the goods. Harmless to repeat."""
        ...

    async def stock(self) -> Sequence[StockFigure]:
        """Every figure of our organisation, all pages."""
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

    async def ask(self, order_no: str) -> Sequence[News]:
        """What the warehouse says of the order now, as the same news its webhooks bring; empty when unknown."""
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
