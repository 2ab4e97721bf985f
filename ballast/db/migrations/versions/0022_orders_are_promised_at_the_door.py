"""What is expected to arrive, for the date that a shop is told; an order that is on its way into the books is found"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stock_incoming",
        sa.Column("reference", sa.String(), primary_key=True),
        sa.Column("sku", sa.String(), primary_key=True),
        sa.Column("warehouse", sa.String(), primary_key=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("expected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name="incoming_positive"),
    )
    op.create_index("incoming_of", "stock_incoming", ["sku", "expected_at"])
    op.create_index(
        "inbox_order_new",
        "inbox",
        ["order_no"],
        postgresql_where=sa.text("state = 'new' and topic = 'order'"),
    )


def downgrade() -> None:
    op.drop_index("inbox_order_new", "inbox")
    op.drop_table("stock_incoming")
