"""What is watched: clocks that run out, alerts and who was told of them, what other systems say when they are asked."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from ballast.db.tables.columns import big, document, identity, key, moment, of_order


class Alert(SQLModel, table=True):
    """Something a person should know and answer. Unique key: the same cause rings once.

    It climbs its ladder until it is acknowledged, resolved, or its cause has ended: `climbs_at` is set exactly as long.
    `rung` counts the rungs that were climbed. Who was told, and how that went, stands in `alert_notice`.
    """

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("key", name="one_alert_per_key"),
        Index("alert_climbs", "climbs_at", postgresql_where=text("climbs_at is not null")),
        Index("alert_order", "order_id", postgresql_where=text("order_id is not null")),
        Index("alert_open", "raised_at", postgresql_where=text("acknowledged_at is null and ended_at is null")),
        Index("alert_raised", "raised_at"),
        Index(
            "alert_running",
            "level",
            "acknowledged_at",
            "raised_at",
            postgresql_where=text("ended_at is null and level <> 'info'"),
        ),
    )

    id: int = identity()
    key: str
    level: str  # info, warning, urgent
    title: str
    text: str
    order_id: int | None = big(null=True)
    raised_at: datetime = moment()
    ladder: str = Field(default="", sa_column_kwargs={"server_default": ""})  # its name in the SLA policy
    person: str = Field(default="", sa_column_kwargs={"server_default": ""})  # who is told on the first rung instead
    rung: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    climbs_at: datetime | None = moment(null=True)
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = moment(null=True)
    resolved_by: str | None = None
    resolved_at: datetime | None = moment(null=True)
    ended_at: datetime | None = moment(null=True)  # resolved, or its cause is over
    note: str = Field(default="", sa_column_kwargs={"server_default": ""})


class AlertNotice(SQLModel, table=True):
    """One telling of an alert: a rung, through one channel, to some people. Due until it was sent or given up."""

    __tablename__ = "alert_notice"
    __table_args__ = (
        UniqueConstraint("alert_id", "rung", "channel", name="one_notice_per_rung"),
        Index("notice_due", "due_at", postgresql_where=text("due_at is not null")),
    )

    id: int = identity()
    alert_id: int = big()
    rung: int
    channel: str
    people: list[str] = document("[]")  # keys of the SLA policy's `people`
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    perhaps_sent: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # calls that may have been heard
    due_at: datetime | None = moment(null=True)
    created_at: datetime = moment()
    sent_at: datetime | None = moment(null=True)
    note: str = Field(default="", sa_column_kwargs={"server_default": ""})  # why it was given up


class RobotSlot(SQLModel, table=True):
    """When a group robot last sent, machine time: its limit holds across processes."""

    __tablename__ = "robot_slot"

    robot: str = Field(primary_key=True)
    sent: list[datetime] = Field(sa_column=Column(ARRAY(DateTime(timezone=True)), nullable=False))


class SlaBreach(SQLModel, table=True):
    """A clock of the SLA policy passed a threshold: a fact, kept. `due_at` is when it did, `seen_at` when we wrote it.

    `courier` and `channel` are as they were then, for the report.
    """

    __tablename__ = "sla_breach"
    __table_args__ = (
        UniqueConstraint("order_id", "clock", "started_at", "level", name="one_breach_per_threshold"),
        Index("breach_open", "order_id", postgresql_where=text("ended_at is null")),
        Index("breach_due", "due_at"),
    )

    id: int = identity()
    order_id: int = of_order()
    clock: str
    level: str  # yellow, red
    started_at: datetime = moment()  # of the clock
    due_at: datetime = moment()
    seen_at: datetime = moment()
    ended_at: datetime | None = moment(null=True)  # the order went on, at the source's time
    channel: str = ""
    courier: str = ""


class SlaPause(SQLModel, table=True):
    """A customer's wish: between these times the clocks that pause for it do not count."""

    __tablename__ = "sla_pause"
    __table_args__ = (Index("pause_order", "order_id"),)

    id: int = identity()
    order_id: int = of_order()
    starts_at: datetime = moment()
    ends_at: datetime = moment()
    asked_by: str
    note: str = ""


class SlaPolicyVersion(SQLModel, table=True):
    """Every text of the SLA policy that was in force, and since when."""

    __tablename__ = "sla_policy_version"

    version: int = Field(default=None, primary_key=True)
    digest: str
    document: str
    since: datetime = moment()


class Reconciliation(SQLModel, table=True):
    """One time that other systems were asked what they say of our orders. `figures`: per system and overall."""

    __tablename__ = "reconciliation"
    __table_args__ = (Index("reconciliation_begun", "began_at"),)

    id: int = identity()
    scope: str  # sample, since, orders
    wanted: int
    asked_by: str
    began_at: datetime = moment()
    ended_at: datetime | None = moment(null=True)
    figures: dict[str, Any] = document()


class OrderCheck(SQLModel, table=True):
    """What one system said of one order in a reconciliation, beside what our books said.

    verdict: agrees, behind (it lacks a notice of ours), ahead (we lack news of it), contradicts, not_asked (no answer).
    """

    __tablename__ = "order_check"
    __table_args__ = (Index("check_order", "order_id"),)

    reconciliation_id: int = key()
    order_id: int = key()
    system: str = Field(primary_key=True)
    ours: str
    theirs: str = ""  # the standard state that their word means; empty when they said none
    said: str = ""
    verdict: str
    mended: str = ""  # what was done about it
