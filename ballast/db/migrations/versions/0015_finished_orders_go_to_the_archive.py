"""Orders that closed long ago are put away, one compact row each; what has to be put away is found by an index

The two indexes are built over finished orders and messages. Meanwhile webhooks wait, about a minute per ten million
messages: upgrade in a quiet hour. The previous version may run before and after it, but not `ballast db prune` beside
it: it would take a number that is in the archive for a new order.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archived_order",
        sa.Column("order_no", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("customer_no", sa.String(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("charges", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("order_no"),
    )
    op.execute("alter table archived_order alter document set storage external")  # it is compressed already
    op.create_index(
        "archived_charge", "archived_order", ["charges"], postgresql_using="gin", postgresql_with={"fastupdate": "off"}
    )
    op.create_index("archived_closed", "archived_order", ["closed_at"])
    op.create_index("archived_customer", "archived_order", ["customer_no"])
    op.create_index("archived_placed", "archived_order", ["placed_at"])
    op.create_index(
        "order_closed", "sales_order", ["closed_at", "id"], postgresql_where=sa.text("closed_at is not null")
    )
    op.create_index("inbox_done", "inbox", ["order_no"], postgresql_where=sa.text("state = 'done'"))


def downgrade() -> None:
    """Only while the archive is empty: the version before could not find what is in it."""
    op.execute("""do $$ begin if exists (select from archived_order) then
      raise exception 'orders are in the archive: `ballast db recall` them first'; end if; end $$""")
    op.drop_index("inbox_done", "inbox")
    op.drop_index("order_closed", "sales_order")
    op.drop_table("archived_order")
