"""The one intake format of an order: what a shop's backend pushes and what the file import builds."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from adapters.replies import read_reply
from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.origin import is_card_number
from ballast.domain.words import System
from ballast.ports import Line, Order, Origin, Receiver

MOST_MONEY = 10**11
"""Minor units. A thousand million yuan is a mistake, not an order."""

YEARS = range(1990, 2200)

NO_CONTROLS = r"^[^\x00-\x1f\x7f\u2028\u2029]*$"

Number = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", min_length=1, max_length=32)]
"""Goes into URLs, filters and bill numbers of every system, WeChat Pay's out_trade_no is the narrowest."""
Key = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=64)]
Text = Annotated[str, StringConstraints(pattern=NO_CONTROLS, max_length=128)]
Words = Annotated[str, StringConstraints(pattern=NO_CONTROLS, min_length=1, max_length=256)]
Mobile = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{4,18}[0-9]$")]
Minor = Annotated[int, Field(ge=0, le=MOST_MONEY)]


def _read_time(value: object) -> object:
    """ISO 8601 text; a bare number could be seconds or milliseconds, so it is left to be refused."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _check_year(at: datetime) -> datetime:
    """Near the ends of the calendar a time has no UTC; long before that it is a mistake."""
    if at.year not in YEARS:
        raise ValueError(f"the year {at.year} cannot be right")
    return at


AwareTime = Annotated[AwareDatetime, BeforeValidator(_read_time), AfterValidator(_check_year)]


class Part(BaseModel):
    """Strict: `"2"` is not a quantity, and a field that we do not know is a misspelt one."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class PlacedCustomer(Part):
    """`no` is the customer's number in the ERP; `openid` is needed to tell the mini-program about parcels.

    `tier` is the seller's own word (vip, wholesale ...), as the SLA policy names it; left out, it stays as it is known.
    """

    no: Key
    name: Text = Field(default="", repr=False)
    openid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(default=None, repr=False)
    tier: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=32)] = ""


class PlacedReceiver(Part):
    name: Annotated[Text, Field(min_length=1)] = Field(repr=False)
    mobile: Mobile = Field(repr=False)
    province: Text
    city: Text
    district: Text = Field(default="", repr=False)
    address: Words = Field(repr=False)


class PlacedLine(Part):
    """`amount` is what the customer pays for the whole line, so it may be less than quantity times price."""

    line_no: Annotated[int, Field(ge=1, le=100_000)]
    sku: Key
    name: Text
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    unit_price: Minor
    amount: Minor


def _read_ip(value: object) -> object:
    """One spelling per address: `2001:DB8::1` and its long form are one, and so is an IPv4 address within IPv6."""
    if not isinstance(value, str):
        return value
    if "%" in value:
        raise ValueError("it is an address within one network only")
    try:
        address = ip_address(value.strip())
    except ValueError:  # its words show the address
        raise ValueError("it is no IPv4 or IPv6 address") from None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _check_token(token: str) -> str:
    if is_card_number(token):
        raise ValueError("it is a card number: send the provider's token of the card or account, never the number")
    return token


class PlacedOrigin(Part):
    """Whoever ordered, for the risk rules; every part may be left out. `card`: the payment provider's token."""

    ip: Annotated[str, BeforeValidator(_read_ip)] | None = Field(default=None, repr=False)
    device: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=128)] | None = Field(
        default=None, repr=False
    )
    card: Annotated[Key, AfterValidator(_check_token)] | None = Field(default=None, repr=False)


class PlacedOrder(Part):
    """Money in minor units (分). The sums must agree: an order that contradicts itself is not taken."""

    order_no: Number
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]
    placed_at: AwareTime
    currency: str = "CNY"
    total: Minor
    freight: Minor = 0
    discount: Minor = 0
    customer: PlacedCustomer
    receiver: PlacedReceiver
    lines: Annotated[list[PlacedLine], Field(min_length=1, max_length=500)]
    origin: PlacedOrigin = Field(default=PlacedOrigin(), repr=False)
    coupons: Annotated[list[Key], Field(max_length=20)] = Field(default_factory=list, repr=False)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"currency {self.currency!r} is unknown, known are {', '.join(sorted(MINOR_DIGITS))}")
        numbers = [line.line_no for line in self.lines]
        if len(set(numbers)) != len(numbers):
            raise ValueError("two lines have the same line_no")
        goods = sum(line.amount for line in self.lines)
        if goods + self.freight - self.discount != self.total:
            raise ValueError(
                f"lines {goods} + freight {self.freight} - discount {self.discount} is "
                f"{goods + self.freight - self.discount}, but total says {self.total}"
            )
        return self


def read_order(data: object, system: System = System.DIRECT) -> PlacedOrder:
    """Read one order. Raises `NotUnderstood` that names every wrong field, and the figures when they do not add up."""
    order_no = data.get("order_no") if isinstance(data, dict) else None
    known = order_no if isinstance(order_no, str) and len(order_no) <= 32 else ""
    return read_reply(PlacedOrder, data, system, order_no=known)


def to_order(placed: PlacedOrder) -> Order:
    """The frozen value that the rest of Ballast works with."""

    def money(amount: int) -> Money:
        return Money(amount, placed.currency)

    return Order(
        order_no=placed.order_no,
        channel=placed.channel,
        placed_at=placed.placed_at.astimezone(UTC),
        paid_at=None,
        total=money(placed.total),
        freight=money(placed.freight),
        discount=money(placed.discount),
        customer_no=placed.customer.no,
        openid=placed.customer.openid,
        customer_tier=placed.customer.tier,
        receiver=Receiver(**placed.receiver.model_dump()),
        lines=tuple(Line(**line.model_dump()) for line in placed.lines),
        origin=Origin(**placed.origin.model_dump()),
        coupons=tuple(dict.fromkeys(placed.coupons)),
    )
