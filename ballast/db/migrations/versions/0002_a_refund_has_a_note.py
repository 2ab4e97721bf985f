"""A refund has a note"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refund", sa.Column("note", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("refund", "note")
