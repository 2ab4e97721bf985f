"""Returns are asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "return_case",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("order_id", sa.BigInteger(), sa.ForeignKey("sales_order.id"), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
    )
    open_one = sa.text("state = 'requested'")
    op.create_index("one_open_return", "return_case", ["order_id"], unique=True, postgresql_where=open_one)
    op.create_index("return_of_order", "return_case", ["order_id"])


def downgrade() -> None:
    op.drop_table("return_case")
