"""What comes in, what goes out, and what was said: messages, effects, the words of other systems."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, document, identity, key, moment


class Inbox(SQLModel, table=True):
    """Webhook messages, stored before they are acknowledged. state: new, waiting (for its order), parked, done."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("source", "event_id", name="one_row_per_message"),
        Index("inbox_new", "topic", "id", postgresql_where=text("state = 'new'")),
        Index("inbox_waiting", "order_no", postgresql_where=text("state = 'waiting'")),
        Index("inbox_parked", "source", postgresql_where=text("state = 'parked'")),
        Index("inbox_order_new", "order_no", postgresql_where=text("state = 'new' and topic = 'order'")),
        Index("inbox_done", "order_no", postgresql_where=text("state = 'done'")),
    )

    id: int = identity()
    source: str
    event_id: str
    topic: str
    order_no: str
    payload: dict[str, Any] = document()
    state: str = "new"
    received_at: datetime = moment()
    done_at: datetime | None = moment(null=True)
    note: str = ""  # why it is parked or waits


class Outbox(SQLModel, table=True):
    """Messages that a move decided to send, written in the move's own transaction. Due until done."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("key", name="one_message_per_key"),
        Index("outbox_due", "due_at", postgresql_where=text("due_at is not null")),
        Index("outbox_order", "order_id"),
    )

    id: int = identity()
    key: str
    order_id: int = big()
    kind: str
    payload: dict[str, Any] = document()
    attempts: int = 0
    due_at: datetime | None = moment(null=True)
    lease_owner: str | None = None
    created_at: datetime = moment()
    done_at: datetime | None = moment(null=True)
    note: str = ""


class Effect(SQLModel, table=True):
    """An outside effect, written before it is made. state: pending, done, unknown, refused."""

    __tablename__ = "effect"
    __table_args__ = (Index("effect_order", "order_id"),)

    key: str = Field(primary_key=True)  # kind:order number[:part], never random
    order_id: int = big()
    kind: str
    state: str
    attempts: int = 0
    digest: str  # SHA-256 of the request: shows when a repeat would say something else
    receipt: dict[str, Any] = document()
    error: str = ""
    begun_at: datetime = moment()
    done_at: datetime | None = moment(null=True)


class ExternalStatus(SQLModel, table=True):
    """What each system last said of each order, raw and mapped. The newest source time wins."""

    __tablename__ = "external_status"

    order_id: int = key()
    system: str = Field(primary_key=True)
    part: str = Field(primary_key=True)  # the field, with the waybill where each parcel has its own
    said: str
    event: str
    text: str = ""
    happened_at: datetime = moment()
    recorded_at: datetime = moment()


class StatusMap(SQLModel, table=True):
    """Codes that people added to the adapters' own tables. `version` is the publication that last set the row."""

    __tablename__ = "status_map"

    system: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    event: str
    reason: str | None = None
    note: str = ""
    version: int = 1
    changed_by: str
    changed_at: datetime = moment()


class StatusMapVersion(SQLModel, table=True):
    """One publication of the status map: `rows` is all of it as it was from then on, so that it can be put back."""

    __tablename__ = "status_map_version"

    version: int = Field(primary_key=True)
    rows: list[dict[str, Any]] = document("[]")
    note: str = ""
    published_by: str
    published_at: datetime = moment()
