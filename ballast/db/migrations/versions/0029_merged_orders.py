"""Orders can be merged: which order carries the lines and the money of another one"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_merge",
        sa.Column("order_id", sa.BigInteger(), sa.ForeignKey("sales_order.id"), primary_key=True),
        sa.Column("leader", sa.String(), nullable=False),
        sa.Column(
            "lines", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("transaction_id", sa.String()),
        sa.Column("merged_by", sa.String(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("merge_of_leader", "order_merge", ["leader"])


def downgrade() -> None:
    op.drop_table("order_merge")
