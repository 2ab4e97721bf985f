"""A return as a shop's backend asks for it, by webhook or `POST /returns`. Ballast's own format."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from adapters.replies import read_reply
from adapters.storefronts.direct.orders import NO_CONTROLS, AwareTime, Key, Number, Part
from ballast.domain.returns import ReturnReason
from ballast.domain.words import System
from ballast.ports import ReturnAsked

Pieces = Annotated[int, Field(ge=1, le=1_000_000)]


class AskedLine(Part):
    line_no: Annotated[int, Field(ge=1, le=100_000)]
    quantity: Pieces


class AskedReturn(Part):
    """`lines` left out: everything that was delivered. `exchange`: SKU -> pieces that are wanted instead of the money.

    `customer_no` is who asks: another's order is not given back.
    """

    order_no: Number
    customer_no: Key
    lines: Annotated[list[AskedLine], Field(min_length=1, max_length=500)] | None = None
    reason: str = ReturnReason.OTHER.value
    exchange: Annotated[dict[Key, Pieces], Field(max_length=50, default_factory=dict)]
    text: Annotated[str, StringConstraints(pattern=NO_CONTROLS, max_length=256)] = ""
    requested_at: AwareTime | None = None
    received_at: int = 0

    @field_validator("reason")
    @classmethod
    def _is_known(cls, reason: str) -> str:
        if reason not in list(ReturnReason):
            raise ValueError(f"{reason!r} is no reason, known are {', '.join(ReturnReason)}")
        return reason

    @property
    def happened_at(self) -> datetime:
        """The shop's time; without one that of its arrival."""
        return (self.requested_at or datetime.fromtimestamp(self.received_at, UTC)).astimezone(UTC)

    @property
    def asked(self) -> ReturnAsked:
        return ReturnAsked(
            lines=None if self.lines is None else tuple((line.line_no, line.quantity) for line in self.lines),
            reason=ReturnReason(self.reason),
            exchange=dict(self.exchange),
            customer_no=self.customer_no,
            why=self.text,
        )


def read_asked_return(data: object, *, order_no: str = "") -> AskedReturn:
    """Read one. Raises `NotUnderstood` that names every wrong field and shows no value."""
    return read_reply(AskedReturn, data, System.DIRECT, order_no=order_no)
