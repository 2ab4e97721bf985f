"""The deliveries of orders that do not ship whole from one warehouse in one go."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import document, moment, of_order


class Delivery(SQLModel, table=True):
    """What one warehouse ships of an order. state: as in `ballast.domain.deliveries.DeliveryState`."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("code", name="one_delivery_per_code"),
        CheckConstraint("number > 0", name="numbers_begin_with_one"),
        CheckConstraint(
            "(warehouse = '') = (state = 'backordered') or state in ('cancelled', 'taken_back')",
            name="backordered_nowhere",
        ),
        CheckConstraint(
            "(ended_at is not null) = (state in ('ended', 'taken_back', 'cancelled', 'left'))", name="over_when_ended"
        ),
        Index("delivery_backordered", "order_id", postgresql_where=text("state = 'backordered'")),
    )

    order_id: int = of_order(key=True)
    number: int = Field(primary_key=True)
    code: str  # the order's number, then NUMBER.2 ...: what the warehouse knows it by
    warehouse: str
    items: dict[str, int] = document()  # line number -> pieces
    shipped: dict[str, int] = document()  # of these, what left
    waybills: list[str] = document("[]")
    state: str
    why: str = ""
    promised_at: datetime | None = moment(null=True)
    made_at: datetime = moment()
    ended_at: datetime | None = moment(null=True)
