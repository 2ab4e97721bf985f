"""What a shop asks before it shows a price, or takes an order. Ballast's own format."""

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from adapters.replies import read_reply
from adapters.storefronts.direct.orders import NO_CONTROLS, AwareTime, Key, Minor, Number, Part, PlacedOrder
from ballast.domain.money import MINOR_DIGITS
from ballast.domain.words import System

Word = Annotated[str, StringConstraints(pattern=NO_CONTROLS, max_length=64)]


class AskedLine(Part):
    """One article. `line_no` may be left out: then it is its place in the list, from 1.

    `unit_price`: what the shop itself would take, minor units; used only where no row has a price.
    """

    line_no: Annotated[int, Field(ge=1, le=100_000)] | None = None
    sku: Key
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    unit_price: Minor | None = None


class AskedQuote(Part):
    """Without `at` it is asked for now; what is not said of a known customer is looked up."""

    lines: Annotated[list[AskedLine], Field(min_length=1, max_length=500)]
    customer: Word = ""
    tier: Word | None = None
    first_order: bool | None = None
    channel: Word = ""
    at: AwareTime | None = None
    currency: str = "CNY"
    freight: Minor = 0
    coupons: Annotated[list[Annotated[Word, Field(min_length=1)]], Field(max_length=20, default_factory=list)]
    province: Word = ""
    city: Word = ""
    explain: bool = True

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"currency {self.currency!r} is unknown, known are {', '.join(sorted(MINOR_DIGITS))}")
        numbers = [line.line_no for line in self.lines if line.line_no is not None]
        if numbers and len(numbers) < len(self.lines):
            raise ValueError("either every line has a line_no or none has")
        if len(set(numbers)) != len(numbers):
            raise ValueError("two lines have the same line_no")
        return self


def read_question(data: object) -> AskedQuote:
    """Read one question. Raises `NotUnderstood` that names every wrong field and shows no value."""
    return read_reply(AskedQuote, data, System.DIRECT)


class CheckedLine(Part):
    """One article that somebody wants. `line_no` may be left out: then it is its place in the list, from 1."""

    line_no: Annotated[int, Field(ge=1, le=100_000)] | None = None
    sku: Key
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]


class AskedOrder(Part):
    """Whether these pieces can be promised. `reserve`: keep them for the order of this number, if so."""

    lines: Annotated[list[CheckedLine], Field(min_length=1, max_length=500)]
    order_no: Number | None = None
    reserve: bool = False
    channel: Word = ""
    customer: Word = ""
    province: Word = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        numbers = [line.line_no for line in self.lines if line.line_no is not None]
        if numbers and len(numbers) < len(self.lines):
            raise ValueError("either every line has a line_no or none has")
        if len(set(numbers)) != len(numbers):
            raise ValueError("two lines have the same line_no")
        if self.reserve and self.order_no is None:
            raise ValueError("reserve needs the order_no that the pieces are kept for")
        return self


def read_check(data: object) -> AskedOrder:
    """Read one question: the lean form, or a whole order as it will be pushed (with `reserve` beside its fields).

    Raises `NotUnderstood` that names every wrong field and shows no value.
    """
    if not isinstance(data, dict) or not {"receiver", "placed_at"} & data.keys():
        return read_reply(AskedOrder, data, System.DIRECT)
    whole: dict[str, Any] = dict(data)
    reserve = {"reserve": whole.pop("reserve")} if "reserve" in whole else {}
    placed = read_reply(PlacedOrder, whole, System.DIRECT)
    lines = [{"line_no": line.line_no, "sku": line.sku, "quantity": line.quantity} for line in placed.lines]
    lean = {"lines": lines, "order_no": placed.order_no, "channel": placed.channel, "customer": placed.customer.no}
    return read_reply(AskedOrder, lean | {"province": placed.receiver.province[:64]} | reserve, System.DIRECT)
