"""The books of charges and refunds. A transaction is one row, whoever reports it and how often.


`payment.refunding` is the second fence behind `refunding.left`: what of a charge went back or is on its way. Who asks
for a refund adds to it, and the database refuses more than was captured, even to somebody who did not lock the order.
What others gave back is a fact, so it is only counted.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.engine import dumps, rows, run
from ballast.db.outbox import Outgoing

_INSERT_PAYMENTS = """
insert into payment (order_id, provider, transaction_id, method, amount, currency, merchant, state, paid_at,
  recorded_at)
select order_id, provider, transaction_id, method, amount, currency, merchant, state, paid_at, recorded_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, provider text, transaction_id text, method text,
  amount bigint, currency text, merchant text, state text, paid_at timestamptz, recorded_at timestamptz)
on conflict (provider, lower(transaction_id)) do nothing
"""
_UPSERT_REFUNDS = """
insert into refund as f (refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at,
  done_at, note)
select refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at, done_at, note
from jsonb_to_recordset(cast(:rows as jsonb)) as r(refund_no text, order_id bigint, provider text,
  transaction_id text, amount bigint, currency text, why text, state text, requested_at timestamptz,
  done_at timestamptz, note text)
on conflict (refund_no) do update set state = excluded.state, done_at = excluded.done_at, note = excluded.note,
  amount = excluded.amount, due_at = null
where f.order_id = excluded.order_id and f.state <> 'done'
"""
_COUNT_REFUNDS = """
update payment p set refunding = s.going
from (select y.id, least(y.amount, coalesce(sum(f.amount) filter (where f.state not in ('failed', 'overtaken')), 0))
        as going
      from payment y left join refund f on f.order_id = y.order_id and f.provider = y.provider
        and lower(f.transaction_id) = lower(y.transaction_id)
      where y.order_id = any(cast(:ids as bigint[])) group by y.id) s
where p.id = s.id and p.refunding <> s.going
"""
_ASK_REFUNDS = """
with asked as (
  select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(refund_no text, order_id bigint, provider text,
    transaction_id text, amount bigint, currency text, why text, state text, requested_at timestamptz)),
booked as (
  update payment p set refunding = p.refunding + a.total
  from (select order_id, provider, transaction_id, sum(amount) as total from asked
        group by order_id, provider, transaction_id) a
  where p.order_id = a.order_id and p.provider = a.provider and p.transaction_id = a.transaction_id
  returning p.order_id, p.provider, p.transaction_id)
insert into refund as f (refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at)
select a.refund_no, a.order_id, a.provider, a.transaction_id, a.amount, a.currency, a.why, a.state, a.requested_at
from asked a join booked b using (order_id, provider, transaction_id)
on conflict (refund_no) do update set state = excluded.state, note = ''
where f.order_id = excluded.order_id and f.state = 'failed'
"""


async def write_money(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """Store new charges, what is known of refunds, and refunds that are asked for.

    The database refuses refunds above what was captured (`refunds_within_charge`).
    """
    if charges := [row for case in cases for row in case.payments]:
        await run(tx, _INSERT_PAYMENTS, rows=dumps(charges))
    if told := [row for case in cases for row in case.refunds_told.values()]:
        await run(tx, _UPSERT_REFUNDS, rows=dumps(told))
    if told or charges:
        await count_refunds(tx, [case.id for case in cases if case.refunds_told or (case.payments and case.refunds)])
    if asked := [row for case in cases for row in case.refunds_asked]:
        await run(tx, _ASK_REFUNDS, rows=dumps(asked))


async def count_refunds(tx: AsyncConnection, order_ids: Collection[int]) -> None:
    """Bring `payment.refunding` of these orders, which are locked, to what their refunds say."""
    if order_ids:
        await run(tx, _COUNT_REFUNDS, ids=list(order_ids))


async def owners(tx: AsyncConnection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """`transaction_key` -> the order that has this charge in its books or in the archive, of those that are in any."""
    if not keys:
        return {}
    found = await rows(
        tx,
        """
        select p.provider, r.number, o.order_no
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(provider text, number text)
        join payment p on p.provider = r.provider and lower(p.transaction_id) = r.number
        join sales_order o on o.id = p.order_id
        union all
        select r.provider, r.number, a.order_no
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(provider text, number text)
        join archived_order a on a.charges @> array[r.provider || ':' || r.number]""",
        rows=dumps([{"provider": provider, "number": number} for provider, number in keys]),
    )
    return {(r.provider, r.number): r.order_no for r in found}


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
    order_id: int
    order_no: str


async def record_refunds(tx: AsyncConnection, sent: Sequence[Outgoing], now: datetime, ask_at: datetime) -> None:
    """Refunds that the provider has taken on; its notice makes them done or failed, and may be here before us.

    Without a notice the provider is asked at `ask_at`.
    """
    await run(
        tx,
        """
        update refund set state = 'requested', requested_at = :now, due_at = :ask_at
        where refund_no = any(cast(:numbers as text[])) and state in ('asked', 'requested')""",
        numbers=[message.payload["refund_no"] for message in sent],
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
        returning r.refund_no, r.order_id, o.order_no""",
        most=most,
        now=now,
        until=until,
    )
    return [OpenRefund(r.refund_no, r.order_id, r.order_no) for r in found]


async def ask_later(tx: AsyncConnection, refund_nos: Sequence[str], at: datetime) -> None:
    """Ask about these at `at`, unless they have ended."""
    await run(
        tx,
        "update refund set due_at = :at where refund_no = any(cast(:nos as text[])) and state = 'requested'",
        nos=list(refund_nos),
        at=at,
    )


async def tried(tx: AsyncConnection, messages: Sequence[Outgoing]) -> dict[str, str]:
    """Key -> how the last attempt ended (a state of `effect`), of those messages that were tried at all."""
    wanted = [message.key for message in messages]
    found = await rows(tx, "select key, state from effect where key = any(cast(:keys as text[]))", keys=wanted)
    return {row.key: row.state for row in found}


async def refuse_refunds(tx: AsyncConnection, refused: Sequence[tuple[Outgoing, str]]) -> None:
    """The provider will not do these (with its words); their orders are locked. Their share of the charge is free.

    Only after a first and clear refusal: when an earlier attempt got no answer, money may have moved, and it is not.
    """
    found = await rows(
        tx,
        """
        update refund f set state = 'failed', note = r.note
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(key text, refund_no text, note text)
        join effect e on e.key = r.key
        where f.refund_no = r.refund_no and f.state = 'asked' and e.state = 'refused' and e.attempts = 1
        returning f.order_id""",
        rows=dumps([{"key": m.key, "refund_no": m.payload["refund_no"], "note": note} for m, note in refused]),
    )
    await count_refunds(tx, {row.order_id for row in found})
