"""Changes of orders that somebody asked for."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import document, identity, moment, of_order


class OrderEdit(SQLModel, table=True):
    """One change of one order, whatever came of it. At most one waits for its answer.

    state: asked (a warehouse has to let go first), done, refused. change: {receiver: {part: text}, quantities:
    {line number: pieces}}.
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
    change: dict[str, dict[str, str]] = document()
    asked_by: str
    asked_at: datetime = moment()
    state: str
    answer: str = Field(default="", sa_column_kwargs={"server_default": ""})
    ended_at: datetime | None = moment(null=True)
