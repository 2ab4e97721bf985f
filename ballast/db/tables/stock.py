"""What the ledger's figures mean for a seller: where stock lies, what of it may be promised, who has a word on it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, identity, moment


class Warehouse(SQLModel, table=True):
    """A place that stock lies in, by our code (the ERP's stock number). A region is a group of warehouses."""

    __tablename__ = "warehouse"

    code: str = Field(primary_key=True)
    name: str = Field(default="", sa_column_kwargs={"server_default": ""})
    region: str = Field(default="", sa_column_kwargs={"server_default": ""})
    changed_by: str
    changed_at: datetime = moment()


class StockLimit(SQLModel, table=True):
    """How a seller counts a SKU in a warehouse; an empty code means every one. Null: the less exact row says it.

    The exact row is asked first, then the SKU's, then the warehouse's, then the one of all.
    """

    __tablename__ = "stock_limit"
    __table_args__ = (
        CheckConstraint("safety_line >= 0", name="safety_line_not_negative"),
        CheckConstraint("safety_reserve >= 0", name="safety_reserve_not_negative"),
        CheckConstraint("most_age > 0", name="most_age_positive"),
    )

    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    safety_line: int | None = big(null=True)  # pieces; fewer to promise than this: somebody has to know
    safety_reserve: int | None = big(null=True)  # pieces that are never promised
    counts_locks: bool | None = None  # whether locks are taken off what can be promised
    counts_reservations: bool | None = None  # whether unpaid orders' reservations are
    most_age: int | None = None  # seconds; an older figure is stale
    sells_stale: bool | None = None  # whether a stale figure is sold on
    changed_by: str
    changed_at: datetime = moment()


class StockReservation(SQLModel, table=True):
    """Pieces that are kept for an order which is not paid yet. After `expires_at` they count for nothing."""

    __tablename__ = "stock_reservation"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="reservation_positive"),
        Index("reservation_of", "sku", "warehouse", "expires_at"),
        Index("reservation_expires", "expires_at"),
    )

    order_no: str = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    quantity: int = Field(sa_type=BigInteger)
    made_at: datetime = moment()
    expires_at: datetime = moment()


class StockIncoming(SQLModel, table=True):
    """Pieces that are expected to arrive, by their ASN or purchase order: the date that a shop is told."""

    __tablename__ = "stock_incoming"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="incoming_positive"),
        Index("incoming_of", "sku", "expected_at"),
    )

    reference: str = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    quantity: int = Field(sa_type=BigInteger)
    expected_at: datetime = moment()
    changed_by: str
    changed_at: datetime = moment()


class WarehouseLevel(SQLModel, table=True):
    """What the warehouse itself counts: the second opinion. Its own words: free (未冻结) and frozen (冻结) pieces."""

    __tablename__ = "warehouse_level"
    __table_args__ = (
        CheckConstraint("free >= 0 and frozen >= 0", name="counted_not_negative"),
        Index("counted_at", "figure_at"),
    )

    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    free: int = big()
    frozen: int = big()
    on_hand: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})  # ours, at that time
    figure_at: datetime = moment()


class StockPull(SQLModel, table=True):
    """One time that a system was asked for its stock. Only a whole one says how old the figures are."""

    __tablename__ = "stock_pull"
    __table_args__ = (Index("pull_of", "system", "asked_at"),)

    id: int = identity()
    system: str  # kingdee, qimen ...
    kind: str  # all, changes
    asked_at: datetime = moment()
    ended_at: datetime | None = moment(null=True)
    whole: bool = False  # every page came and was taken
    figures: int = 0
    changed: int = 0
    refused: int = 0
    note: str = Field(default="", sa_column_kwargs={"server_default": ""})


class StockTrouble(SQLModel, table=True):
    """What is wrong with a SKU in a warehouse now, since when. The row goes when it is over; empty codes: all of them.

    kind: see `domain.stock_troubles.Trouble`. Without `alert_key` nobody was told yet.
    """

    __tablename__ = "stock_trouble"

    kind: str = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    since: datetime = moment()
    text: str
    alert_key: str | None = None
