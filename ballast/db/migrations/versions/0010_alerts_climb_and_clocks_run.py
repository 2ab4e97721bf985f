"""Alerts climb a ladder until somebody answers, and orders have clocks

Stop the processes of the version before first (the web process may go on): they send alerts from columns that move.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OPEN = "acknowledged_at is null and ended_at is null"


def moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def words(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=False, server_default=default)


def identity() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True)


def of_order() -> sa.Column[Any]:
    return sa.Column("order_id", sa.BigInteger(), sa.ForeignKey("sales_order.id"), nullable=False)


def upgrade() -> None:
    _notices()
    _ladder()
    _clocks()


def _notices() -> None:
    op.create_table(
        "alert_notice",
        identity(),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        words("channel"),
        sa.Column("people", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("perhaps_sent", sa.Integer(), nullable=False, server_default="0"),
        moment("due_at", null=True),
        moment("created_at"),
        moment("sent_at", null=True),
        words("note", ""),
        sa.UniqueConstraint("alert_id", "rung", "channel", name="one_notice_per_rung"),
    )
    op.create_index("notice_due", "alert_notice", ["due_at"], postgresql_where=sa.text("due_at is not null"))
    op.execute(
        """
        insert into alert_notice (alert_id, rung, channel, attempts, perhaps_sent, due_at, created_at, sent_at)
        select id, 0, 'dingtalk', attempts, perhaps_sent, due_at, raised_at, sent_at from alert"""
    )


def _ladder() -> None:
    op.drop_index("alert_due", "alert")
    for column in ("due_at", "attempts", "perhaps_sent", "sent_at"):
        op.drop_column("alert", column)
    op.add_column("alert", words("ladder", ""))
    op.add_column("alert", sa.Column("rung", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert", moment("climbs_at", null=True))
    op.add_column("alert", sa.Column("resolved_by", sa.String(), nullable=True))
    op.add_column("alert", moment("resolved_at", null=True))
    op.add_column("alert", moment("ended_at", null=True))
    op.add_column("alert", words("note", ""))
    op.create_index("alert_climbs", "alert", ["climbs_at"], postgresql_where=sa.text("climbs_at is not null"))
    op.create_index("alert_order", "alert", ["order_id"], postgresql_where=sa.text("order_id is not null"))
    op.create_index("alert_open", "alert", ["raised_at"], postgresql_where=sa.text(OPEN))


def _clocks() -> None:
    op.add_column("sales_order", moment("sla_due_at", null=True))
    op.create_index("order_sla", "sales_order", ["sla_due_at"], postgresql_where=sa.text("sla_due_at is not null"))
    op.add_column("customer", words("tier", ""))
    op.add_column("return_case", sa.Column("answered_by", sa.String(), nullable=True))
    op.add_column("return_case", moment("answered_at", null=True))
    op.add_column("return_case", words("note", ""))
    op.create_table(
        "sla_breach",
        identity(),
        of_order(),
        words("clock"),
        words("level"),
        moment("started_at"),
        moment("due_at"),
        moment("seen_at"),
        moment("ended_at", null=True),
        words("channel"),
        words("courier"),
        sa.UniqueConstraint("order_id", "clock", "started_at", "level", name="one_breach_per_threshold"),
    )
    op.create_index("breach_open", "sla_breach", ["order_id"], postgresql_where=sa.text("ended_at is null"))
    op.create_index("breach_due", "sla_breach", ["due_at"])
    op.create_table(
        "sla_pause", identity(), of_order(), moment("starts_at"), moment("ends_at"), words("asked_by"), words("note")
    )
    op.create_index("pause_order", "sla_pause", ["order_id"])
    op.create_table(
        "sla_policy_version",
        sa.Column("version", sa.Integer(), primary_key=True),
        words("digest"),
        words("document"),
        moment("since"),
    )


def downgrade() -> None:
    for table in ("sla_policy_version", "sla_pause", "sla_breach"):
        op.drop_table(table)
    for column in ("answered_by", "answered_at", "note"):
        op.drop_column("return_case", column)
    op.drop_column("customer", "tier")
    op.drop_index("order_sla", "sales_order")
    op.drop_column("sales_order", "sla_due_at")
    for index in ("alert_climbs", "alert_order", "alert_open"):
        op.drop_index(index, "alert")
    for column in ("ladder", "rung", "climbs_at", "resolved_by", "resolved_at", "ended_at", "note"):
        op.drop_column("alert", column)
    op.add_column("alert", moment("due_at", null=True))
    op.add_column("alert", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert", sa.Column("perhaps_sent", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert", moment("sent_at", null=True))
    op.create_index("alert_due", "alert", ["due_at"], postgresql_where=sa.text("due_at is not null"))
    op.drop_table("alert_notice")
