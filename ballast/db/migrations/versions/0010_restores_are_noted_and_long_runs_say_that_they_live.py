"""Restores are noted, and long runs say that they live"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "restore",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "run_beat",
        sa.Column("run_id", sa.String(), primary_key=True),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("run_beat")
    op.drop_table("restore")
