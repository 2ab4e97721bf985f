"""A parcel has its own trouble: better news of another one does not end its hold"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("parcel", sa.Column("trouble", sa.String(), nullable=True))
    op.add_column("parcel", sa.Column("trouble_evidence", sa.String(), nullable=False, server_default=""))
    op.alter_column("parcel", "trouble_evidence", server_default=None)
    op.execute(
        """
        update parcel p set trouble = h.reason, trouble_evidence = h.evidence from hold h
        where h.order_id = p.order_id and h.released_at is null and h.reason like 'COURIER\\_%'
          and right(h.evidence, length(p.waybill) + 1) = ' ' || p.waybill"""
    )


def downgrade() -> None:
    op.drop_column("parcel", "trouble_evidence")
    op.drop_column("parcel", "trouble")
