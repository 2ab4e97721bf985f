"""Deliveries: orders may ship from several warehouses; sourcing rules are published like the others"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def _document(name: str, default: str = "{}") -> "sa.Column[Any]":
    return sa.Column(name, JSONB(), server_default=sa.text(f"'{default}'::jsonb"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("order_id", sa.BigInteger(), sa.ForeignKey("sales_order.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("warehouse", sa.String(), nullable=False),
        _document("items"),
        _document("shipped"),
        _document("waybills", "[]"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("promised_at", sa.DateTime(timezone=True)),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("code", name="one_delivery_per_code"),
        sa.CheckConstraint("number > 0", name="numbers_begin_with_one"),
        sa.CheckConstraint(
            "(warehouse = '') = (state = 'backordered') or state = 'cancelled'", name="backordered_nowhere"
        ),
        sa.CheckConstraint(
            "(ended_at is not null) = (state in ('ended', 'cancelled', 'left'))", name="over_when_ended"
        ),
    )
    op.create_index("delivery_backordered", "delivery", ["order_id"], postgresql_where=sa.text("state = 'backordered'"))
    op.drop_constraint("kind_of_rules", "rule_version")
    op.create_check_constraint(
        "kind_of_rules", "rule_version", "kind in ('price', 'promotion', 'risk', 'sla', 'sourcing')"
    )


def downgrade() -> None:
    op.drop_constraint("kind_of_rules", "rule_version")
    op.create_check_constraint("kind_of_rules", "rule_version", "kind in ('price', 'promotion', 'risk', 'sla')")
    op.drop_table("delivery")
