"""An order and what belongs to it: lines, parcels, history, holds, its customer."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, document, identity, moment, of_order


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
        Index("order_closed", "closed_at", "id", postgresql_where=text("closed_at is not null")),
        Index("order_sla", "sla_due_at", postgresql_where=text("sla_due_at is not null")),
        Index(
            "order_open",
            "state",
            postgresql_where=text("state in ('PENDING_PAYMENT', 'STOCK_LOCKED', 'OUTBOUND', 'IN_TRANSIT', 'ON_HOLD')"),
        ),
    )

    id: int = identity()
    order_no: str = Field(unique=True)
    channel: str
    state: str
    version: int = 0
    due_step: str | None = None
    due_at: datetime | None = moment(null=True)
    attempts: int = 0
    lease_owner: str | None = None
    held_from: str | None = None
    hold_reason: str | None = None
    progress: str = ""  # the warehouse's own word for how far it is
    placed_at: datetime = moment()
    paid_at: datetime | None = moment(null=True)
    locked_at: datetime | None = moment(null=True)
    outbound_at: datetime | None = moment(null=True)
    picked_up_at: datetime | None = moment(null=True)  # first courier scan that shows movement
    signed_at: datetime | None = moment(null=True)
    closed_at: datetime | None = moment(null=True)
    currency: str
    total: int = big()
    freight: int = big()
    discount: int = big()
    customer_no: str
    openid: str | None = None
    receiver: dict[str, str] = document()
    warehouse: str = ""
    recorded_at: datetime = moment()
    sla_due_at: datetime | None = moment(null=True)  # when a clock of the SLA policy next passes a threshold


class OrderLine(SQLModel, table=True):
    """What was ordered. `shipped` counts pieces that left."""

    __tablename__ = "order_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("shipped >= 0", name="shipped_not_negative"),
    )

    order_id: int = of_order(key=True)
    line_no: int = Field(primary_key=True)
    sku: str
    name: str
    quantity: int
    unit_price: int = big()
    amount: int = big()
    shipped: int = 0


class ParcelRow(SQLModel, table=True):
    """A parcel. Waybills merge into an order; they never replace each other."""

    __tablename__ = "parcel"
    __table_args__ = (Index("parcel_waybill", "waybill"),)

    order_id: int = of_order(key=True)
    waybill: str = Field(primary_key=True)
    carrier: str
    items: dict[str, int] = document()
    shipped_at: datetime = moment()
    picked_up_at: datetime | None = moment(null=True)
    signed_at: datetime | None = moment(null=True)
    said: str = ""  # the courier's last code
    said_at: datetime | None = moment(null=True)
    trouble: str | None = None  # the hold reason that the courier gave, until better news of this parcel
    trouble_evidence: str = ""


class OrderEvent(SQLModel, table=True):
    """History, append-only. `cause` is unique per order: the same news or step result is written once."""

    __tablename__ = "order_event"
    __table_args__ = (
        UniqueConstraint("order_id", "cause", name="one_row_per_cause"),
        Index("event_recorded", "recorded_at", postgresql_using="brin"),
        Index("event_by_person", "recorded_at", postgresql_where=text("actor = 'person' or actor like 'person:%'")),
    )

    id: int = identity()
    order_id: int = big()
    cause: str
    event: str
    from_state: str
    to_state: str
    moved: bool  # False: late or repeated news, recorded only
    actor: str  # a system, `ballast`, or a person's name
    happened_at: datetime = moment()  # the source's time
    recorded_at: datetime = moment()
    text: str = ""


class Hold(SQLModel, table=True):
    """Why an order waited for a person, and how it ended. At most one open hold per order."""

    __tablename__ = "hold"
    __table_args__ = (
        Index("one_open_hold", "order_id", unique=True, postgresql_where=text("released_at is null")),
        Index("hold_of_order", "order_id"),
        Index("hold_begun", "held_at"),
    )

    id: int = identity()
    order_id: int = of_order()
    reason: str
    evidence: str  # their words; also what a release remembers
    held_from: str
    held_at: datetime = moment()
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = moment(null=True)
    released_by: str | None = None
    released_at: datetime | None = moment(null=True)
    note: str = ""


def _of_subject(column: str) -> Index:
    """Other orders of the same subject by time: what the windows of the risk rules look up."""
    return Index(f"origin_{column}", column, "placed_at", postgresql_where=text(f"{column} is not null"))


class OrderOrigin(SQLModel, table=True):
    """Where an order came from, one row per order, written at intake. Null: not told."""

    __tablename__ = "order_origin"
    __table_args__ = tuple(_of_subject(column) for column in ("ip", "device", "mobile", "customer_no", "card"))

    order_id: int = of_order(key=True)
    placed_at: datetime = moment()
    customer_no: str
    mobile: str | None = None  # digits only, see `plain_mobile`
    ip: str | None = None
    device: str | None = None
    card: str | None = None  # the provider's token
    coupons: list[str] = Field(sa_column=Column(ARRAY(Text()), nullable=False, server_default=text("'{}'")))


class Customer(SQLModel, table=True):
    """Who orders."""

    __tablename__ = "customer"

    customer_no: str = Field(primary_key=True)
    name: str
    openid: str | None = None
    first_order_at: datetime = moment()
    tier: str = Field(default="", sa_column_kwargs={"server_default": ""})  # the seller's own word: vip, wholesale ...
    owner: str = Field(default="", sa_column_kwargs={"server_default": ""})  # a key of the SLA policy's `people`
