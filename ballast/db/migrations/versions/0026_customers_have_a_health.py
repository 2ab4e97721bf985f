"""Customers have an owner, tickets and a history of their health; an alert may be for one person first"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customer", sa.Column("owner", sa.String(), server_default="", nullable=False))
    op.add_column("alert", sa.Column("person", sa.String(), server_default="", nullable=False))
    op.create_table(
        "ticket",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("ticket_no", sa.String(), primary_key=True),
        sa.Column("customer_no", sa.String(), nullable=False),
        sa.Column("order_no", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("text", sa.String(), server_default="", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(text) <= 500", name="ticket_text_short"),
    )
    op.create_index("ticket_of_customer", "ticket", ["customer_no", "opened_at"])
    op.create_table(
        "customer_health",
        sa.Column("customer_no", sa.String(), primary_key=True),
        sa.Column("scored_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer()),
        sa.Column("newer", sa.Integer()),
        sa.Column("older", sa.Integer()),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), server_default="", nullable=False),
        sa.Column(
            "parts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("low_since", sa.DateTime(timezone=True)),
        sa.CheckConstraint("score between 0 and 100", name="score_of_a_hundred"),
        sa.CheckConstraint("orders >= 0", name="orders_not_negative"),
    )


def downgrade() -> None:
    op.drop_table("customer_health")
    op.drop_table("ticket")
    op.drop_column("alert", "person")
    op.drop_column("customer", "owner")
