"""A change of an order as a shop's backend asks for it. Ballast's own format."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from adapters.replies import read_reply
from adapters.storefronts.direct.orders import AwareTime, Key, Mobile, Number, Part, Text, Words
from ballast.domain.editing import Change
from ballast.domain.words import System
from ballast.ports import EditAsked


class EditedReceiver(Part):
    """The parts that are different; what is left out stays."""

    name: Annotated[Text, Field(min_length=1)] | None = Field(default=None, repr=False)
    mobile: Mobile | None = Field(default=None, repr=False)
    province: Text | None = None
    city: Text | None = None
    district: Text | None = Field(default=None, repr=False)
    address: Words | None = Field(default=None, repr=False)


class EditedLine(Part):
    """`quantity`: the pieces that are wanted, 0 takes the line out."""

    line_no: Annotated[int, Field(ge=1, le=100_000)]
    quantity: Annotated[int, Field(ge=0, le=1_000_000)]


class AskedEdit(Part):
    """`customer_no` is who asks: another's order is not changed. Lines that are not named stay as they are."""

    order_no: Number
    customer_no: Key
    receiver: EditedReceiver = Field(default=EditedReceiver(), repr=False)
    lines: Annotated[list[EditedLine], Field(max_length=500)] = Field(default_factory=list)
    requested_at: AwareTime | None = None
    received_at: int = 0

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        numbers = [line.line_no for line in self.lines]
        if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
            raise ValueError(f"line {twice[0]} stands twice: say once how many pieces of it are wanted")
        if not numbers and not self._receiver:
            raise ValueError("it changes nothing: name parts of the receiver, or lines")
        return self

    @property
    def _receiver(self) -> dict[str, str]:
        return self.receiver.model_dump(exclude_none=True)

    @property
    def happened_at(self) -> datetime:
        """The shop's time; without one that of its arrival."""
        return (self.requested_at or datetime.fromtimestamp(self.received_at, UTC)).astimezone(UTC)

    @property
    def text(self) -> str:
        """What is to be changed. Of the receiver the parts by name only: they are personal."""
        lines = [f"line {line.line_no}: {line.quantity} pieces" for line in self.lines]
        return ", ".join([*self._receiver, *lines])

    def asked(self, request_id: str) -> EditAsked:
        change = Change(receiver=self._receiver, quantities={line.line_no: line.quantity for line in self.lines})
        return EditAsked(request_id=request_id, change=change, customer_no=self.customer_no)


def read_asked_edit(data: object, *, order_no: str = "") -> AskedEdit:
    """Read one. Raises `NotUnderstood` that names every wrong field and shows no value."""
    return read_reply(AskedEdit, data, System.DIRECT, order_no=order_no)
