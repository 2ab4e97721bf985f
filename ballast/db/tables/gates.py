"""What the gates found: one row per look at an order, append-only."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import document, identity, moment, of_order


class OrderGate(SQLModel, table=True):
    """One look of the gates at one order. stage: intake, shipping. The versions are those of the rules that were used.

    `facts`: what was known of the order then and stands nowhere else; `outcome`: figures, rules that fired, whether it
    was held. With both, the whole explanation is worked out again whenever somebody asks.
    """

    __tablename__ = "order_gate"
    __table_args__ = (Index("gate_of_order", "order_id"),)

    id: int = identity()
    order_id: int = of_order()
    stage: str
    looked_at: datetime = moment()
    price_version: int = Field(default=0)
    promotion_version: int = Field(default=0)
    risk_version: int = Field(default=0)
    facts: dict[str, Any] = document()
    outcome: dict[str, Any] = document()
