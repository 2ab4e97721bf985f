"""What customers live through: their tickets, and how their health was scored."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Index
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, document, moment


class Ticket(SQLModel, table=True):
    """A ticket of customer service, as its system last told it. The customer or the order may not be known to us yet.

    kind: complaint, question, request, other. severity: low, normal, high.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint("length(text) <= 500", name="ticket_text_short"),
        Index("ticket_of_customer", "customer_no", "opened_at"),
    )

    source: str = Field(primary_key=True)  # the system that it is a ticket of
    ticket_no: str = Field(primary_key=True)
    customer_no: str
    order_no: str | None = None
    kind: str
    severity: str
    opened_at: datetime = moment()
    closed_at: datetime | None = moment(null=True)
    text: str = Field(default="", sa_column_kwargs={"server_default": ""})
    recorded_at: datetime = moment()


class CustomerHealth(SQLModel, table=True):
    """A customer's score as it was from `scored_at` on: a row is written when something differs from the last one.

    score: 0 to 100, null: no data. `value` in minor units of `currency`. `parts`: part -> {orders, share, lost}, those
    that cost something or hurt an order. `low_since`: told to the account's owner, until it is well again.
    """

    __tablename__ = "customer_health"
    __table_args__ = (
        CheckConstraint("score between 0 and 100", name="score_of_a_hundred"),
        CheckConstraint("orders >= 0", name="orders_not_negative"),
    )

    customer_no: str = Field(primary_key=True)
    scored_at: datetime = Field(sa_type=DateTime(timezone=True), primary_key=True)
    days: int  # the window
    score: int | None = None
    newer: int | None = None  # of the newer half of the window
    older: int | None = None
    orders: int
    value: int = big()
    currency: str = Field(default="", sa_column_kwargs={"server_default": ""})
    parts: dict[str, Any] = document()
    low_since: datetime | None = moment(null=True)
