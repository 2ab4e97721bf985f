"""What sales channels cost, and nothing that orders say already."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import moment


class ChannelCost(SQLModel, table=True):
    """What a source (an advertising account, a bill) took for a channel on a day in China. A repeat replaces it."""

    __tablename__ = "channel_cost"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="cost_not_negative"),
        Index("cost_day", "day"),
    )

    channel: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    source: str = Field(primary_key=True)
    amount: int = Field(sa_type=BigInteger)  # minor units
    currency: str
    imported_by: str
    imported_at: datetime = moment()
