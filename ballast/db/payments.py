"""The books of charges and refunds. A transaction is one row, whoever reports it and how often."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.engine import dumps, rows, run
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


@dataclass(frozen=True, slots=True)
class OpenRefund:
    """A refund that was asked for, and of which no notice came."""

    refund_no: str
    transaction_id: str
    order_id: int
    order_no: str


async def record_refunds(tx: AsyncConnection, sent: Sequence[Outgoing], now: datetime, ask_at: datetime) -> None:
    """Refunds that the provider has taken on; its notice makes them done or failed, and may be here before us.

    Without a notice the provider is asked at `ask_at`.
    """
    told = [{"order_id": message.order_id, **message.payload} for message in sent]
    await run(
        tx,
        """
        insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at,
          due_at)
        select refund_no, order_id, provider, transaction_id, amount, currency, why, 'requested',
          cast(:now as timestamptz), cast(:ask_at as timestamptz)
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(refund_no text, order_id bigint, provider text,
          transaction_id text, amount bigint, currency text, why text)
        on conflict (refund_no) do update set why = excluded.why,
          due_at = case when refund.state = 'requested' then excluded.due_at end""",
        rows=dumps(told),
        now=now,
        ask_at=ask_at,
    )


async def claim_refunds(tx: AsyncConnection, *, most: int, now: datetime, until: datetime) -> list[OpenRefund]:
    """Take up to `most` refunds that are due to be asked about; due again at `until` should we die."""
    found = await rows(
        tx,
        """
        with due as (select refund_no from refund where due_at <= :now order by due_at limit :most
          for update skip locked)
        update refund r set due_at = :until from due, sales_order o
        where r.refund_no = due.refund_no and o.id = r.order_id
        returning r.refund_no, r.transaction_id, r.order_id, o.order_no""",
        most=most,
        now=now,
        until=until,
    )
    return [OpenRefund(r.refund_no, r.transaction_id, r.order_id, r.order_no) for r in found]


async def ask_later(tx: AsyncConnection, refund_nos: Sequence[str], at: datetime) -> None:
    """Ask about these at `at`, unless they have ended."""
    await run(
        tx,
        "update refund set due_at = :at where refund_no = any(cast(:nos as text[])) and state = 'requested'",
        nos=list(refund_nos),
        at=at,
    )
