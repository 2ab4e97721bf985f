"""Returns and exchanges: who wants what back, how far it is, and every piece of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, document, identity, moment, of_order


def _word(default: str = "") -> Any:
    return Field(default=default, sa_column_kwargs={"server_default": default})


def _yes_no(default: bool) -> Any:  # a column's default
    return Field(default=default, sa_column_kwargs={"server_default": text(str(default).lower())})


class ReturnCase(SQLModel, table=True):
    """One return. Only `ballast.db.returns` writes `state`, by the table of `domain.returns`, under its order's lock.

    `due_at` is set exactly when `handle-returns` has to look at it. The time of each step is that of the first time.
    """

    __tablename__ = "return_case"
    __table_args__ = (
        # a cancellation that came too late wants everything back: asked again, it is the same
        Index("one_open_return", "order_id", unique=True, postgresql_where=text("state = 'requested' and whole")),
        Index("one_return_of_parcel", "order_id", "waybill", unique=True, postgresql_where=text("waybill is not null")),
        Index("return_of_order", "order_id"),
        Index("return_due", "due_at", postgresql_where=text("due_at is not null")),
        Index("return_open", "asked_at", postgresql_where=text("state <> 'closed'")),
        Index("return_asked", "asked_at"),
        CheckConstraint("(state = 'closed') = (closed_at is not null)", name="closed_at_when_closed"),
    )

    id: int = identity()
    order_id: int = of_order()
    return_no: str = Field(unique=True)  # `RT-SO1-1`: made of the order, never random; the warehouse's number, too
    kind: str = _word("return")
    state: str
    whole: bool = _yes_no(default=False)  # everything that was delivered: its lines are known once it is agreed to
    counts: bool = _yes_no(default=True)  # False: rejected or given up, its pieces may be asked for again
    wants_goods: bool = _yes_no(default=True)  # False: the money goes back and the customer keeps them
    reason: str = _word("other")
    why: str
    asked_by: str
    asked_at: datetime = moment()
    waybill: str | None = None  # of the parcel that comes back by itself
    exchange: dict[str, int] = document()  # SKU -> pieces that are wanted instead
    exchange_order_no: str | None = Field(default=None, unique=True)
    answered_by: str | None = None
    answered_at: datetime | None = moment(null=True)
    rule: str = _word()  # which rule answered
    note: str = _word()
    freight: bool = _yes_no(default=False)  # what was paid for freight goes back, too
    accepted: bool = _yes_no(default=False)  # a person pays for what the inspection found
    summed: bool = _yes_no(default=False)  # its pieces are a sum that was asked for: no confirm is added to it
    end_told: bool = _yes_no(default=False)  # a confirm was the last one, and something is missing: it may be lost
    approved_at: datetime | None = moment(null=True)
    awaited_at: datetime | None = moment(null=True)
    received_at: datetime | None = moment(null=True)
    inspected_at: datetime | None = moment(null=True)
    settled_at: datetime | None = moment(null=True)  # the money was asked for, or the new order placed
    refunded_at: datetime | None = moment(null=True)
    exchanged_at: datetime | None = moment(null=True)
    rejected_at: datetime | None = moment(null=True)
    closed_at: datetime | None = moment(null=True)
    refund_nos: list[str] = Field(sa_column=Column(ARRAY(Text()), nullable=False, server_default=text("'{}'")))
    due_at: datetime | None = moment(null=True)


class ReturnLine(SQLModel, table=True):
    """Pieces of one order line that come back. Good ones went to the shelf once, damaged ones are written off."""

    __tablename__ = "return_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="returned_positive"),
        CheckConstraint("good >= 0 and damaged >= 0 and good + damaged <= quantity", name="no_more_than_asked"),
        CheckConstraint("amount >= 0", name="refund_not_negative"),
        Index("return_line_of_order", "order_id"),
        Index("return_untold", "sku", "warehouse", postgresql_where=text("good > 0 and told_at is null")),
    )

    return_no: str = Field(sa_column=Column(String, ForeignKey("return_case.return_no"), primary_key=True))
    line_no: int = Field(primary_key=True)
    order_id: int = of_order()
    sku: str
    quantity: int
    good: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    damaged: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    amount: int | None = big(null=True)  # what was asked back for it, minor units
    warehouse: str = _word()  # ours, where the good pieces are
    told_at: datetime | None = moment(null=True)  # the ERP's figures have them
