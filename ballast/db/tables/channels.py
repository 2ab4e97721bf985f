"""What sales channels cost, and stock as it was at the end of past days: what no order says."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, moment


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


class StockDaily(SQLModel, table=True):
    """Pieces of a SKU that has a safety line, as last noted on a day in China: charts show the way there."""

    __tablename__ = "stock_daily"
    __table_args__ = (Index("stock_day", "day"),)

    sku: str = Field(primary_key=True)
    warehouse: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    on_hand: int = Field(sa_type=BigInteger)
    to_promise: int = Field(sa_type=BigInteger)
    safety_line: int | None = big(null=True)
