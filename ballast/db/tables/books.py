"""Goods and money. Rules that must never break stand here as constraints."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, identity, moment, of_order


class StockLevel(SQLModel, table=True):
    """Pieces of a SKU in a warehouse. `locked` is what orders hold of `on_hand`; `available` is the ERP's own word.

    `short` is what the ERP took away under existing locks: only its figures write it, so a lock can never pass it.
    """

    __tablename__ = "stock_level"
    __table_args__ = (
        CheckConstraint("locked >= 0", name="locked_not_negative"),
        CheckConstraint("on_hand >= 0", name="on_hand_not_negative"),
        CheckConstraint("short >= 0", name="short_not_negative"),
        CheckConstraint("locked <= on_hand + short", name="never_oversold"),
        Index("level_in", "warehouse", "sku"),
    )

    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    on_hand: int = big()
    locked: int = big()
    short: int = big()
    available: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    figure_at: datetime = moment()
    rose_at: datetime | None = moment(null=True)  # when a figure last said that there is more than before


class StockLock(SQLModel, table=True):
    """An order's claim on stock. state: held, shipped (left the shelf), released. Each unit ends exactly once.

    Of an order that left in part, `quantity` is what left and `given_back` what stayed on the shelf.
    """

    __tablename__ = "stock_lock"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="lock_positive"),
        CheckConstraint("given_back >= 0", name="given_back_not_negative"),
        Index("lock_held", "sku", "warehouse", postgresql_where=text("state = 'held'")),
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
    given_back: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class StockCorrection(SQLModel, table=True):
    """What the compensator changed in the ledger: which rule was broken, the figure before and after. Append-only."""

    __tablename__ = "stock_correction"
    __table_args__ = (Index("stock_corrected", "corrected_at"),)

    id: int = identity()
    rule: str
    sku: str
    warehouse: str
    order_id: int | None = big(null=True)
    was: int = big()
    became: int = big()
    corrected_at: datetime = moment()


class PaymentRow(SQLModel, table=True):
    """A charge as a provider reported it. state: captured, counted, surplus (a second charge, to be refunded).

    `refunding` is what of it went back or is on its way.
    """

    __tablename__ = "payment"
    __table_args__ = (
        Index("one_row_per_transaction", "provider", text("lower(transaction_id)"), unique=True),
        Index("payment_order", "order_id"),
        Index("payment_paid", "paid_at"),
        Index("payment_surplus", "recorded_at", postgresql_where=text("state = 'surplus'")),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("refunding >= 0 and refunding <= amount", name="refunds_within_charge"),
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
    refunding: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class RefundRow(SQLModel, table=True):
    """Money on its way back, asked for by us or by hand at the provider.

    state: asked (decided, not yet taken by the provider), requested (it took it), by_hand (a person has to do it),
    done, failed (it never will be), overtaken (somebody gave the money back under another number).
    """

    __tablename__ = "refund"
    __table_args__ = (
        Index("refund_order", "order_id"),
        Index("refund_requested", "requested_at"),
        Index("refund_done", "done_at", postgresql_where=text("done_at is not null")),
        Index(
            "refund_standing",
            "order_id",
            postgresql_where=text("state in ('asked', 'requested', 'by_hand', 'failed')"),
        ),
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
