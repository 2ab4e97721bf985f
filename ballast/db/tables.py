"""Every table. Rules that must never break stand here as constraints; partial indexes leave finished rows out."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel


def _id() -> Any:
    return Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


def _at(*, null: bool = False) -> Any:
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=null)


def _json(default: str = "{}") -> Any:
    return Field(default=None, sa_column=Column(JSONB, nullable=False, server_default=text(f"'{default}'::jsonb")))


def _big(*, null: bool = False) -> Any:
    return Field(default=None, sa_type=BigInteger, nullable=null)


def _key() -> Any:
    return Field(default=None, sa_type=BigInteger, primary_key=True)


def _of_order(*, key: bool = False) -> Any:
    """A reference to the order: facts about money and goods never lose theirs."""
    return Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("sales_order.id"), primary_key=key, nullable=False)
    )


class SalesOrder(SQLModel, table=True):
    """One order. Only `ballast.db.moves` writes `state`. `due_at` is set exactly when a step has to look at it."""

    __tablename__ = "sales_order"
    __table_args__ = (
        CheckConstraint("(state = 'ON_HOLD') = (held_from is not null)", name="held_from_when_on_hold"),
        CheckConstraint("(held_from is null) = (hold_reason is null)", name="reason_when_on_hold"),
        CheckConstraint("(due_step is null) = (due_at is null)", name="due_at_when_due"),
        CheckConstraint("total >= 0 and freight >= 0 and discount >= 0", name="no_negative_money"),
        Index("order_due", "due_step", "due_at", postgresql_where=text("due_at is not null")),
        Index("order_held", "hold_reason", "placed_at", postgresql_where=text("state = 'ON_HOLD'")),
        Index("order_placed", "placed_at"),
    )

    id: int = _id()
    order_no: str = Field(unique=True)
    channel: str
    state: str
    version: int = 0
    due_step: str | None = None
    due_at: datetime | None = _at(null=True)
    attempts: int = 0
    lease_owner: str | None = None
    held_from: str | None = None
    hold_reason: str | None = None
    progress: str = ""  # the warehouse's own word for how far it is
    placed_at: datetime = _at()
    paid_at: datetime | None = _at(null=True)
    locked_at: datetime | None = _at(null=True)
    outbound_at: datetime | None = _at(null=True)
    picked_up_at: datetime | None = _at(null=True)  # first courier scan that shows movement
    signed_at: datetime | None = _at(null=True)
    closed_at: datetime | None = _at(null=True)
    currency: str
    total: int = _big()
    freight: int = _big()
    discount: int = _big()
    customer_no: str
    openid: str | None = None
    receiver: dict[str, str] = _json()
    warehouse: str = ""
    recorded_at: datetime = _at()


class OrderLine(SQLModel, table=True):
    """What was ordered. `shipped` counts pieces that left."""

    __tablename__ = "order_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("shipped >= 0", name="shipped_not_negative"),
    )

    order_id: int = _of_order(key=True)
    line_no: int = Field(primary_key=True)
    sku: str
    name: str
    quantity: int
    unit_price: int = _big()
    amount: int = _big()
    shipped: int = 0


class ParcelRow(SQLModel, table=True):
    """A parcel. Waybills merge into an order; they never replace each other."""

    __tablename__ = "parcel"
    __table_args__ = (Index("parcel_waybill", "waybill"),)

    order_id: int = _of_order(key=True)
    waybill: str = Field(primary_key=True)
    carrier: str
    items: dict[str, int] = _json()
    shipped_at: datetime = _at()
    picked_up_at: datetime | None = _at(null=True)
    signed_at: datetime | None = _at(null=True)
    said: str = ""  # the courier's last code
    said_at: datetime | None = _at(null=True)


class OrderEvent(SQLModel, table=True):
    """History, append-only. `cause` is unique per order: the same news or step result is written once."""

    __tablename__ = "order_event"
    __table_args__ = (UniqueConstraint("order_id", "cause", name="one_row_per_cause"),)

    id: int = _id()
    order_id: int = _big()
    cause: str
    event: str
    from_state: str
    to_state: str
    moved: bool  # False: late or repeated news, recorded only
    actor: str  # a system, `ballast`, or a person's name
    happened_at: datetime = _at()  # the source's time
    recorded_at: datetime = _at()
    text: str = ""


class Inbox(SQLModel, table=True):
    """Webhook messages, stored before they are acknowledged. state: new, waiting (for its order), parked, done."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("source", "event_id", name="one_row_per_message"),
        Index("inbox_new", "topic", "id", postgresql_where=text("state = 'new'")),
        Index("inbox_waiting", "order_no", postgresql_where=text("state = 'waiting'")),
        Index("inbox_parked", "source", postgresql_where=text("state = 'parked'")),
    )

    id: int = _id()
    source: str
    event_id: str
    topic: str
    order_no: str
    payload: dict[str, Any] = _json()
    state: str = "new"
    received_at: datetime = _at()
    done_at: datetime | None = _at(null=True)
    note: str = ""  # why it is parked or waits


class Outbox(SQLModel, table=True):
    """Messages that a move decided to send, written in the move's own transaction. Due until done."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("key", name="one_message_per_key"),
        Index("outbox_due", "due_at", postgresql_where=text("due_at is not null")),
        Index("outbox_order", "order_id"),
    )

    id: int = _id()
    key: str
    order_id: int = _big()
    kind: str
    payload: dict[str, Any] = _json()
    attempts: int = 0
    due_at: datetime | None = _at(null=True)
    lease_owner: str | None = None
    created_at: datetime = _at()
    done_at: datetime | None = _at(null=True)
    note: str = ""


class Effect(SQLModel, table=True):
    """An outside effect, written before it is made. state: pending, done, unknown, refused."""

    __tablename__ = "effect"
    __table_args__ = (Index("effect_order", "order_id"),)

    key: str = Field(primary_key=True)  # kind:order number[:part], never random
    order_id: int = _big()
    kind: str
    state: str
    attempts: int = 0
    digest: str  # SHA-256 of the request: shows when a repeat would say something else
    receipt: dict[str, Any] = _json()
    error: str = ""
    begun_at: datetime = _at()
    done_at: datetime | None = _at(null=True)


class Hold(SQLModel, table=True):
    """Why an order waited for a person, and how it ended. At most one open hold per order."""

    __tablename__ = "hold"
    __table_args__ = (
        Index("one_open_hold", "order_id", unique=True, postgresql_where=text("released_at is null")),
        Index("hold_of_order", "order_id"),
    )

    id: int = _id()
    order_id: int = _of_order()
    reason: str
    evidence: str  # their words; also what a release remembers
    held_from: str
    held_at: datetime = _at()
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = _at(null=True)
    released_by: str | None = None
    released_at: datetime | None = _at(null=True)
    note: str = ""


class Alert(SQLModel, table=True):
    """Something a person should know. Unique key: the same cause rings once."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("key", name="one_alert_per_key"),
        Index("alert_due", "due_at", postgresql_where=text("due_at is not null")),
    )

    id: int = _id()
    key: str
    level: str  # info, warning, urgent
    title: str
    text: str
    order_id: int | None = _big(null=True)
    raised_at: datetime = _at()
    due_at: datetime | None = _at(null=True)
    attempts: int = 0
    sent_at: datetime | None = _at(null=True)
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = _at(null=True)


class ExternalStatus(SQLModel, table=True):
    """What each system last said of each order, raw and mapped. The newest source time wins."""

    __tablename__ = "external_status"

    order_id: int = _key()
    system: str = Field(primary_key=True)
    part: str = Field(primary_key=True)  # the field, with the waybill where each parcel has its own
    said: str
    event: str
    text: str = ""
    happened_at: datetime = _at()
    recorded_at: datetime = _at()


class StatusMap(SQLModel, table=True):
    """Codes that people added to the adapters' own tables."""

    __tablename__ = "status_map"

    system: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    event: str
    reason: str | None = None
    note: str = ""
    version: int = 1
    changed_by: str
    changed_at: datetime = _at()


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
    on_hand: int = _big()
    locked: int = _big()
    short: int = _big()
    figure_at: datetime = _at()


class StockLock(SQLModel, table=True):
    """An order's claim on stock. state: held, shipped (left the shelf), released. Each unit ends exactly once."""

    __tablename__ = "stock_lock"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="lock_positive"),
        Index("lock_told", "told_at", postgresql_where=text("state = 'shipped'")),
    )

    order_id: int = _of_order(key=True)
    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    quantity: int
    state: str
    locked_at: datetime = _at()
    ended_at: datetime | None = _at(null=True)
    told_at: datetime | None = _at(null=True)  # the ERP's outbound bill is audited: its figures know of it


class PaymentRow(SQLModel, table=True):
    """A charge as a provider reported it. state: captured, counted, surplus (a second charge, to be refunded)."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("provider", "transaction_id", name="one_row_per_transaction"),
        Index("payment_order", "order_id"),
        CheckConstraint("amount > 0", name="amount_positive"),
    )

    id: int = _id()
    order_id: int = _of_order()
    provider: str
    transaction_id: str
    method: str = ""
    amount: int = _big()
    currency: str
    merchant: str
    state: str = "captured"
    paid_at: datetime = _at()
    recorded_at: datetime = _at()


class RefundRow(SQLModel, table=True):
    """Money on its way back, asked for by us or by hand at the provider. state: requested, done, failed."""

    __tablename__ = "refund"
    __table_args__ = (
        Index("refund_order", "order_id"),
        CheckConstraint("amount > 0", name="refund_positive"),
    )

    refund_no: str = Field(primary_key=True)
    order_id: int = _of_order()
    provider: str
    transaction_id: str
    amount: int = _big()
    currency: str
    why: str
    state: str
    requested_at: datetime = _at()
    done_at: datetime | None = _at(null=True)
    note: str = Field(default="", sa_column_kwargs={"server_default": ""})  # the provider's word when it failed


class Customer(SQLModel, table=True):
    """Who orders."""

    __tablename__ = "customer"

    customer_no: str = Field(primary_key=True)
    name: str
    openid: str | None = None
    first_order_at: datetime = _at()


class RobotSlot(SQLModel, table=True):
    """When a group robot last sent, machine time: its limit holds across processes."""

    __tablename__ = "robot_slot"

    robot: str = Field(primary_key=True)
    sent: list[datetime] = Field(sa_column=Column(ARRAY(DateTime(timezone=True)), nullable=False))
