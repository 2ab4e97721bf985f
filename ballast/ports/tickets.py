"""A ticket of customer service, as a file or a shop tells it."""

from dataclasses import dataclass
from datetime import datetime

from ballast.domain.health import Severity, TicketKind

MOST_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """`ticket_no` is unique within its `source`. Of customer and order one at least is told; empty: not told."""

    source: str
    ticket_no: str
    customer_no: str
    order_no: str
    kind: TicketKind
    severity: Severity
    opened_at: datetime
    closed_at: datetime | None
    text: str  # at most MOST_TEXT characters
