"""Goods and money. Rules that must never break stand here as constraints."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, identity, moment, of_order


class StockLevel(SQLModel, table=True):
    """Pieces of a SKU in a warehouse. `locked` is what orders hold of `on_hand`.

    `short` is what the ERP took away under existing locks: only its figures write it, so a lock can never pass it.
    """

    __tablename__ = "stock_level"
    __table_args__ = (
        CheckConstraint("locked >= 0", name="locked_not_negative"),
        CheckConstraint("on_hand >= 0", name="on_hand_not_negative"),
        CheckConstraint("short >= 0", name="short_not_negative"),
        CheckConstraint("locked <= on_hand + short", name="never_oversold"),
    )

    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    on_hand: int = big()
    locked: int = big()
    short: int = big()
    figure_at: datetime = moment()


class StockLock(SQLModel, table=True):
    """An order's claim on stock. state: held, shipped (left the shelf), released. Each unit ends exactly once."""

    __tablename__ = "stock_lock"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="lock_positive"),
        Index("lock_told", "told_at", postgresql_where=text("state = 'shipped'")),
    )

    order_id: int = of_order(key=True)
    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    quantity: int
    state: str
    locked_at: datetime = moment()
    ended_at: datetime | None = moment(null=True)
    told_at: datetime | None = moment(null=True)  # the ERP's outbound bill is audited: its figures know of it


class PaymentRow(SQLModel, table=True):
    """A charge as a provider reported it. state: captured, counted, surplus (a second charge, to be refunded)."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("provider", "transaction_id", name="one_row_per_transaction"),
        Index("payment_order", "order_id"),
        CheckConstraint("amount > 0", name="amount_positive"),
    )

    id: int = identity()
    order_id: int = of_order()
    provider: str
    transaction_id: str
    method: str = ""
    amount: int = big()
    currency: str
    merchant: str
    state: str = "captured"
    paid_at: datetime = moment()
    recorded_at: datetime = moment()


class RefundRow(SQLModel, table=True):
    """Money on its way back, asked for by us or by hand at the provider. state: requested, done, failed."""

    __tablename__ = "refund"
    __table_args__ = (
        Index("refund_order", "order_id"),
        Index("refund_due", "due_at", postgresql_where=text("due_at is not null")),
        CheckConstraint("amount > 0", name="refund_positive"),
    )

    refund_no: str = Field(primary_key=True)
    order_id: int = of_order()
    provider: str
    transaction_id: str
    amount: int = big()
    currency: str
    why: str
    state: str
    requested_at: datetime = moment()
    done_at: datetime | None = moment(null=True)
    note: str = Field(default="", sa_column_kwargs={"server_default": ""})  # the provider's word when it failed
    due_at: datetime | None = moment(null=True)  # no notice by then: the provider is asked; null once it ended
