"""What sales channels cost, by day and source; stock of past days"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_cost",
        sa.Column("channel", sa.String(), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount >= 0", name="cost_not_negative"),
    )
    op.create_index("cost_day", "channel_cost", ["day"])
    op.create_table(
        "stock_daily",
        sa.Column("sku", sa.String(), primary_key=True),
        sa.Column("warehouse", sa.String(), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("to_promise", sa.BigInteger(), nullable=False),
        sa.Column("safety_line", sa.BigInteger()),
    )
    op.create_index("stock_day", "stock_daily", ["day"])


def downgrade() -> None:
    op.drop_table("stock_daily")
    op.drop_table("channel_cost")
