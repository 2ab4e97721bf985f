"""What is wrong with the stock of a place, and since when; levels of one warehouse, counts by their age"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stock_trouble",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("sku", sa.String(), primary_key=True),
        sa.Column("warehouse", sa.String(), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("alert_key", sa.String()),
    )
    op.add_column("warehouse_level", sa.Column("on_hand", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("level_in", "stock_level", ["warehouse", "sku"])
    op.create_index("counted_at", "warehouse_level", ["figure_at"])


def downgrade() -> None:
    """Nothing that a person wrote is lost: what is still wrong is found again."""
    op.drop_index("counted_at", "warehouse_level")
    op.drop_index("level_in", "stock_level")
    op.drop_column("warehouse_level", "on_hand")
    op.drop_table("stock_trouble")
