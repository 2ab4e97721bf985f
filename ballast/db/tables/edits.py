"""Changes of orders that somebody asked for."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import document, identity, moment, of_order


class OrderEdit(SQLModel, table=True):
    """One change of one order, whatever came of it. At most one waits for its answer.

    state: asked (a warehouse has to let go first), done, refused. change: {receiver: {part: text}, quantities:
    {line number: pieces}, merge: [order numbers]}.
    """

    __tablename__ = "order_edit"
    __table_args__ = (
        CheckConstraint("state in ('asked', 'done', 'refused')", name="state_of_edit"),
        CheckConstraint("(state = 'asked') = (ended_at is null)", name="edit_ends_with_its_answer"),
        Index("one_open_edit", "order_id", unique=True, postgresql_where=text("state = 'asked'")),
        Index("edit_of_order", "order_id"),
    )

    id: int = identity()
    order_id: int = of_order()
    change: dict[str, Any] = document()
    asked_by: str
    asked_at: datetime = moment()
    state: str
    answer: str = Field(default="", sa_column_kwargs={"server_default": ""})
    ended_at: datetime | None = moment(null=True)


class OrderMerge(SQLModel, table=True):
    """An order whose lines and money another one carries. lines: {its line number: [the leader's, pieces]}.

    `transaction_id`: what paid for it, by which its shop knows it.
    """

    __tablename__ = "order_merge"
    __table_args__ = (Index("merge_of_leader", "leader"),)

    order_id: int = of_order(key=True)
    leader: str  # its order number: the leader may be in the archive, or the follower
    lines: dict[str, list[int]] = document()
    transaction_id: str | None = None
    merged_by: str
    merged_at: datetime = moment()
