"""What reports and /metrics count has an index: open orders, what people did, holds and alerts by their beginning"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OPEN = "state in ('PENDING_PAYMENT', 'STOCK_LOCKED', 'OUTBOUND', 'IN_TRANSIT', 'ON_HOLD')"
BY_PERSON = "actor = 'person' or actor like 'person:%'"
RUNNING = "ended_at is null and level <> 'info'"


def upgrade() -> None:
    op.create_index("order_open", "sales_order", ["state"], postgresql_where=sa.text(OPEN))
    op.create_index("event_by_person", "order_event", ["recorded_at"], postgresql_where=sa.text(BY_PERSON))
    op.create_index("hold_begun", "hold", ["held_at"])
    op.create_index("alert_raised", "alert", ["raised_at"])
    op.create_index(
        "alert_running", "alert", ["level", "acknowledged_at", "raised_at"], postgresql_where=sa.text(RUNNING)
    )


def downgrade() -> None:
    for index, table in (
        ("alert_running", "alert"),
        ("alert_raised", "alert"),
        ("hold_begun", "hold"),
        ("event_by_person", "order_event"),
        ("order_open", "sales_order"),
    ):
        op.drop_index(index, table)
