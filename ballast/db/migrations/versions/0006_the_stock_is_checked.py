"""The stock is checked"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stock_correction",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("warehouse", sa.String(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("was", sa.BigInteger(), nullable=False),
        sa.Column("became", sa.BigInteger(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("stock_corrected", "stock_correction", ["corrected_at"])
    op.add_column("stock_level", sa.Column("available", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("stock_level", sa.Column("rose_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("stock_lock", sa.Column("given_back", sa.Integer(), server_default="0", nullable=False))
    op.create_check_constraint("given_back_not_negative", "stock_lock", "given_back >= 0")
    op.create_index("lock_held", "stock_lock", ["sku", "warehouse"], postgresql_where=sa.text("state = 'held'"))


def downgrade() -> None:
    op.drop_index("lock_held", table_name="stock_lock")
    op.drop_column("stock_lock", "given_back")
    op.drop_column("stock_level", "rose_at")
    op.drop_column("stock_level", "available")
    op.drop_table("stock_correction")
