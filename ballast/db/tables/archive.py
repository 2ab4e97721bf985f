"""Finished orders that were put away: one compact row each."""

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import moment


class ArchivedOrder(SQLModel, table=True):
    """An order that closed long ago, whole, as `ballast.db.archive` packs it. The columns beside the document are what
    has to be found without opening it: the number, its charges, whose it is, and when it was.
    """

    __tablename__ = "archived_order"
    __table_args__ = (
        # without a list of what is not sorted in yet: every look would read all of it after a large prune
        Index("archived_charge", "charges", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index("archived_closed", "closed_at"),
        Index("archived_customer", "customer_no"),
        Index("archived_placed", "placed_at"),
    )

    order_no: str = Field(primary_key=True)
    channel: str
    customer_no: str
    placed_at: datetime = moment()
    closed_at: datetime = moment()
    archived_at: datetime = moment()
    charges: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    )  # provider:transaction, small letters
    document: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # every row of the order, JSON, zlib
