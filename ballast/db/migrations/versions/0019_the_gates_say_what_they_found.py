"""What the gates found of an order, and by which versions of the rules"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    empty = sa.text("'{}'::jsonb")
    op.create_table(
        "order_gate",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("order_id", sa.BigInteger(), sa.ForeignKey("sales_order.id"), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price_version", sa.Integer(), nullable=False),
        sa.Column("promotion_version", sa.Integer(), nullable=False),
        sa.Column("risk_version", sa.Integer(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False, server_default=empty),
        sa.Column("outcome", postgresql.JSONB(), nullable=False, server_default=empty),
    )
    op.create_index("gate_of_order", "order_gate", ["order_id"])


def downgrade() -> None:
    op.drop_table("order_gate")
