"""What a shop asks before it shows a price: the lines, the customer, the coupons. Ballast's own format."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from adapters.replies import read_reply
from adapters.storefronts.direct.orders import NO_CONTROLS, AwareTime, Key, Minor, Part
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
