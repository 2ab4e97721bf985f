"""Warehouses with regions, limits of SKUs, reservations of unpaid orders, the warehouse's own count, pulls of figures"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "warehouse",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), server_default="", nullable=False),
        sa.Column("region", sa.String(), server_default="", nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "stock_limit",
        sa.Column("sku", sa.String(), primary_key=True),
        sa.Column("warehouse", sa.String(), primary_key=True),
        sa.Column("safety_line", sa.BigInteger()),
        sa.Column("safety_reserve", sa.BigInteger()),
        sa.Column("counts_locks", sa.Boolean()),
        sa.Column("counts_reservations", sa.Boolean()),
        sa.Column("most_age", sa.Integer()),
        sa.Column("sells_stale", sa.Boolean()),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("safety_line >= 0", name="safety_line_not_negative"),
        sa.CheckConstraint("safety_reserve >= 0", name="safety_reserve_not_negative"),
        sa.CheckConstraint("most_age > 0", name="most_age_positive"),
    )
    op.create_table(
        "stock_reservation",
        sa.Column("order_no", sa.String(), primary_key=True),
        sa.Column("sku", sa.String(), primary_key=True),
        sa.Column("warehouse", sa.String(), primary_key=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name="reservation_positive"),
    )
    op.create_index("reservation_of", "stock_reservation", ["sku", "warehouse", "expires_at"])
    op.create_index("reservation_expires", "stock_reservation", ["expires_at"])
    op.create_table(
        "warehouse_level",
        sa.Column("sku", sa.String(), primary_key=True),
        sa.Column("warehouse", sa.String(), primary_key=True),
        sa.Column("free", sa.BigInteger(), nullable=False),
        sa.Column("frozen", sa.BigInteger(), nullable=False),
        sa.Column("figure_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("free >= 0 and frozen >= 0", name="counted_not_negative"),
    )
    op.create_table(
        "stock_pull",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("figures", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), server_default="", nullable=False),
    )
    op.create_index("pull_of", "stock_pull", ["system", "asked_at"])


def downgrade() -> None:
    for table in ("stock_pull", "warehouse_level", "stock_reservation", "stock_limit", "warehouse"):
        op.drop_table(table)
