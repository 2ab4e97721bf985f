"""What we get: the frozen values that adapters read out of other systems' words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from ballast.domain.editing import Change
from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason
from ballast.domain.stock import FigureFault, Place
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports.sent import Parcel


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFigure:
    """A row of a stock list that is not taken. It names SKU and warehouse as far as it could be read."""

    sku: str
    warehouse: str
    fault: FigureFault
    said: str  # the row's own words, cut short


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReading:
    """What a system's stock list said. No place has both a figure and a refusal.

    `about`: the places that it speaks of, a place without figure there has no pieces; None: all that there are.
    """

    figures: Sequence[StockFigure]
    refused: Sequence[RefusedFigure] = ()
    about: frozenset[Place] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFigure:
    """Pieces of one SKU in one warehouse as the warehouse itself counts them."""

    sku: str
    warehouse: str
    free: int
    frozen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockCount:
    """What a warehouse answered about places: a figure each, or a refusal."""

    counted: Sequence[CountedFigure]
    refused: Sequence[RefusedFigure] = ()


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
class PiecesBack:
    """Pieces of one SKU that a warehouse took back and looked at. `line_no`: of the order, where it says it."""

    sku: str
    good: int
    damaged: int
    line_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsBack:
    """What came in for one return, each piece told once. `final` False: more follows.

    `so_far`: everything that is in by now, as a warehouse says it when it is asked, not what one message brought.
    """

    return_no: str
    pieces: tuple[PiecesBack, ...]
    final: bool = True
    so_far: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAsked:
    """A return as the customer asks for it. `lines`: line number -> pieces; None: everything that was delivered.

    `exchange`: SKU -> pieces that are wanted instead of the money. `customer_no`: who asks; None: not said.
    `request_id`: the asker's own number for it, which tells a repeat from another wish.
    """

    request_id: str = ""
    lines: tuple[tuple[int, int], ...] | None
    reason: ReturnReason
    exchange: Mapping[str, int] = field(default_factory=dict)
    customer_no: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditAsked:
    """A change as the customer asks for it. `request_id`: the asker's own number for it; `customer_no`: who asks."""

    request_id: str
    change: Change = field(repr=False)
    customer_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing that one system says of one order, read into our words.

    `said` is their code as it stood in the message, `field` the name of the field, `happened_at` their time (aware
    UTC). The optional parts belong to the kind of news: parcels (SHIPPED; `final` False when more confirms follow),
    waybill with first_scan_at (courier), charge (payment), refund, goods_back (warehouse), return_asked and
    edit_asked (shop).
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
    goods_back: GoodsBack | None = None
    return_asked: ReturnAsked | None = None
    edit_asked: EditAsked | None = None
    waybills: frozenset[str] | None = None  # those that their document shows; None: it does not say
    delivery: str = ""  # a warehouse's: the code of the delivery that it speaks of; empty: the order's own number

    @property
    def part(self) -> str:
        """What it is about, where a system says the same of several things of one order."""
        about = self.waybill or self.delivery
        return f"{self.field} {about}" if about else self.field


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
