"""The warehouse is asked about a return that has gone quiet: what it says then is a sum"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

FLAGS = ("summed", "end_told")


def upgrade() -> None:
    for name in FLAGS:
        op.add_column("return_case", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    for name in FLAGS:
        op.drop_column("return_case", name)
