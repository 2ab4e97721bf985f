"""Orders can be changed: what was asked for and what came of it; a delivery may be taken back for a change"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_edit",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("order_id", sa.BigInteger(), sa.ForeignKey("sales_order.id"), nullable=False),
        sa.Column(
            "change", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), server_default="", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state in ('asked', 'done', 'refused')", name="state_of_edit"),
        sa.CheckConstraint("(state = 'asked') = (ended_at is null)", name="edit_ends_with_its_answer"),
    )
    op.create_index(
        "one_open_edit", "order_edit", ["order_id"], unique=True, postgresql_where=sa.text("state = 'asked'")
    )
    op.create_index("edit_of_order", "order_edit", ["order_id"])
    _deliveries("state in ('cancelled', 'taken_back')", "'ended', 'taken_back', 'cancelled', 'left'")


def downgrade() -> None:
    op.execute("update delivery set state = 'cancelled' where state = 'taken_back'")
    op.execute("update delivery set state = 'with_warehouse' where state = 'recalled'")
    _deliveries("state = 'cancelled'", "'ended', 'cancelled', 'left'")
    op.drop_table("order_edit")


def _deliveries(nowhere: str, over: str) -> None:
    for name in ("backordered_nowhere", "over_when_ended"):
        op.drop_constraint(name, "delivery")
    op.create_check_constraint(
        "backordered_nowhere", "delivery", f"(warehouse = '') = (state = 'backordered') or {nowhere}"
    )
    op.create_check_constraint("over_when_ended", "delivery", f"(ended_at is not null) = (state in ({over}))")
