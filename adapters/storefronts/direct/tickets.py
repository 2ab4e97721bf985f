"""A ticket of customer service as a shop's backend tells it, whole each time. Ballast's own format."""

from datetime import UTC
from typing import Annotated, Any, Final, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from adapters.replies import read_reply
from adapters.storefronts.direct.orders import AwareTime, Key, Number, Part
from ballast.domain.health import Severity, TicketKind
from ballast.domain.words import System
from ballast.ports.tickets import MOST_TEXT, Ticket

OPENED: Final = "ticket.opened"
CLOSED: Final = "ticket.closed"
EVENTS: Final = frozenset({OPENED, CLOSED})


class ToldTicket(Part):
    """Of customer and order one at least is named. Of `text` the first `MOST_TEXT` characters are kept."""

    source: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] = System.DIRECT.value
    ticket_no: Key
    customer_no: Key | None = None
    order_no: Number | None = None
    kind: str
    severity: str = Severity.NORMAL.value
    opened_at: AwareTime
    closed_at: AwareTime | None = None
    text: Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=20_000)] = Field(default="", repr=False)

    @field_validator("kind")
    @classmethod
    def _is_a_kind(cls, kind: str) -> str:
        if kind not in list(TicketKind):
            raise ValueError(f"{kind!r} is no kind, known are {', '.join(TicketKind)}")
        return kind

    @field_validator("severity")
    @classmethod
    def _is_a_severity(cls, severity: str) -> str:
        if severity not in list(Severity):
            raise ValueError(f"{severity!r} is no severity, known are {', '.join(Severity)}")
        return severity

    @model_validator(mode="after")
    def _is_somebody_s(self) -> Self:
        if not (self.customer_no or self.order_no):
            raise ValueError("it names neither a customer nor an order: whose ticket is it?")
        if self.closed_at is not None and self.closed_at < self.opened_at:
            raise ValueError("it was closed before it was opened")
        return self

    @property
    def ticket(self) -> Ticket:
        return Ticket(
            source=self.source,
            ticket_no=self.ticket_no,
            customer_no=self.customer_no or "",
            order_no=self.order_no or "",
            kind=TicketKind(self.kind),
            severity=Severity(self.severity),
            opened_at=self.opened_at.astimezone(UTC),
            closed_at=self.closed_at.astimezone(UTC) if self.closed_at else None,
            text=self.text[:MOST_TEXT],
        )


class ClosedTicket(ToldTicket):
    """One that is closed says when."""

    closed_at: AwareTime


def read_ticket(event: str, data: Any, *, order_no: str = "") -> Ticket:
    """Read one. Raises `NotUnderstood` that names every wrong field and shows no value."""
    shape = ClosedTicket if event == CLOSED else ToldTicket
    return read_reply(shape, data, System.DIRECT, order_no=order_no).ticket
