"""What changed since a time is found by a block index: history is written in the order of its time"""

from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("event_recorded", "order_event", ["recorded_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("event_recorded", table_name="order_event")
