"""What we send: the frozen values that adapters write their own documents from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ballast.domain.deliveries import Source
from ballast.domain.lines import Line as Line
from ballast.domain.money import Money
from ballast.domain.origin import Origin
from ballast.domain.people import Person
from ballast.domain.returns import is_exchange_no


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
    sources: tuple[Source, ...] = ()  # where each piece comes from; empty: all from `warehouse`
    delivery: str = ""  # the code of the delivery that the lines are of; empty: of the whole order
    transaction_id: str | None = None  # of the payment that counted
    edited: bool = field(
        default=False, repr=False
    )  # it was changed since it was placed: documents may have it as it was
    customer_tier: str = ""  # the seller's own word, as the SLA policy names it; empty: not said
    origin: Origin = field(default=Origin(), repr=False)  # as it was told at intake; not read back from the books
    coupons: tuple[str, ...] = field(default=(), repr=False)  # likewise

    @property
    def code(self) -> str:
        """What a warehouse knows it by."""
        return self.delivery or self.order_no

    @property
    def is_exchange(self) -> bool:
        """It goes out for goods that came back: the number is ours, and there is nothing to pay."""
        return not self.total.amount and is_exchange_no(self.order_no)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waybill:
    """A parcel to be followed. `phone_tail`: last four digits of the receiver's mobile, some carriers ask for it."""

    order_no: str
    carrier: str
    waybill: str
    phone_tail: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedLine:
    """Pieces of an order line that come back. `amount`: what is paid back for them, minor units."""

    line: Line
    quantity: int
    good: int = 0
    damaged: int = 0
    amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnOrder:
    """Goods of an order that come back, under our number `return_no`. `waybill`: of the parcel, where it is known."""

    return_no: str
    order: Order
    lines: tuple[ReturnedLine, ...]
    why: str
    at: datetime
    carrier: str = ""
    waybill: str = ""
    exchange: bool = False


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
