"""Other systems are asked what they say of our orders, and their answers are kept"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("figures", JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
    )
    op.create_index("reconciliation_begun", "reconciliation", ["began_at"])
    op.create_table(
        "order_check",
        sa.Column("reconciliation_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("order_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("system", sa.String(), primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("ours", "theirs", "said", "verdict", "mended")),
    )
    op.create_index("check_order", "order_check", ["order_id"])


def downgrade() -> None:
    op.drop_table("order_check")
    op.drop_table("reconciliation")
