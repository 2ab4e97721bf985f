"""The books of charges and refunds. A transaction is one row, whoever reports it and how often."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.engine import dumps, run
from ballast.db.outbox import Outgoing


async def mark_charges(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """Store which charges count for their order and which are surplus."""
    marks = [
        {
            "order_id": case.id,
            "provider": charge.provider,
            "transaction_id": charge.transaction_id,
            "state": charge.state,
        }
        for case in cases
        for charge in case.charges
    ]
    if marks:
        await run(
            tx,
            """
            update payment p set state = r.state
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, provider text, transaction_id text,
              state text)
            where p.provider = r.provider and p.transaction_id = r.transaction_id and p.order_id = r.order_id
              and p.state <> r.state""",
            rows=dumps(marks),
        )


async def record_refunds(tx: AsyncConnection, sent: Sequence[Outgoing], now: datetime) -> None:
    """Refunds that the provider has taken on; its notice makes them done or failed, and may be here before us."""
    rows = [{"order_id": message.order_id, **message.payload} for message in sent]
    await run(
        tx,
        """
        insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at)
        select refund_no, order_id, provider, transaction_id, amount, currency, why, 'requested',
          cast(:now as timestamptz)
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(refund_no text, order_id bigint, provider text,
          transaction_id text, amount bigint, currency text, why text)
        on conflict (refund_no) do update set why = excluded.why""",
        rows=dumps(rows),
        now=now,
    )
