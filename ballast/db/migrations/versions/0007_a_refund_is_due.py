"""A refund is due: without a notice it is asked about"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refund", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update refund set due_at = requested_at where state = 'requested'")
    op.create_index("refund_due", "refund", ["due_at"], postgresql_where=sa.text("due_at is not null"))


def downgrade() -> None:
    op.drop_index("refund_due", table_name="refund")
    op.drop_column("refund", "due_at")
