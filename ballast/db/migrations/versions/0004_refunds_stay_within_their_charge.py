"""Refunds stay within their charge"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("refunding", sa.BigInteger(), server_default="0", nullable=False))
    _take_over()
    op.create_check_constraint("refunds_within_charge", "payment", "refunding >= 0 and refunding <= amount")
    op.drop_constraint("one_row_per_transaction", "payment", type_="unique")
    op.create_index("one_row_per_transaction", "payment", ["provider", sa.text("lower(transaction_id)")], unique=True)
    op.create_index("payment_surplus", "payment", ["recorded_at"], postgresql_where=sa.text("state = 'surplus'"))
    op.create_index("refund_requested", "refund", ["requested_at"])


def _take_over() -> None:
    """Refunds that wait to be sent are in the books from now on; each stands under the provider of its charge."""
    op.execute(
        """
        insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at)
        select m.payload ->> 'refund_no', m.order_id, m.payload ->> 'provider', m.payload ->> 'transaction_id',
          cast(m.payload ->> 'amount' as bigint), m.payload ->> 'currency', m.payload ->> 'why',
          case m.payload ->> 'provider' when 'wechatpay' then 'asked' else 'by_hand' end, m.created_at
        from outbox m where m.kind = 'payment.refund' and m.done_at is null
        on conflict (refund_no) do nothing"""
    )
    op.execute(
        """
        update refund f set provider = p.provider from payment p
        where p.order_id = f.order_id and p.transaction_id = f.transaction_id and p.provider <> f.provider"""
    )
    op.execute(
        """
        update payment p set refunding = s.going
        from (select y.id, least(y.amount, sum(f.amount)) as going
              from payment y join refund f on f.order_id = y.order_id and f.provider = y.provider
                and f.transaction_id = y.transaction_id
              where f.state <> 'failed' group by y.id) s
        where p.id = s.id"""
    )


def downgrade() -> None:
    op.drop_index("refund_requested", "refund")
    op.drop_index("payment_surplus", "payment")
    op.drop_index("one_row_per_transaction", "payment")
    op.create_unique_constraint("one_row_per_transaction", "payment", ["provider", "transaction_id"])
    op.drop_constraint("refunds_within_charge", "payment", type_="check")
    op.drop_column("payment", "refunding")
