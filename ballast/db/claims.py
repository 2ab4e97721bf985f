"""Which orders are due, and who works on them. A claim is a lease: it ends by itself when its holder dies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows, run
from ballast.db.inbox import BELLS
from ballast.db.outbox import NOTHING_BEFORE
from ballast.domain.words import Step


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some orders, claimed together. `owner` is unique per claim: late writers are told apart by it."""

    step: Step
    owner: str
    ids: tuple[int, ...]


_CLAIM = """
with due as (
  select id from sales_order where due_step = :step and due_at <= :now
  order by due_at limit :most for update skip locked)
update sales_order o set lease_owner = :owner, due_at = :until
from due where o.id = due.id returning o.id
"""


async def claim(tx: AsyncConnection, step: Step, *, owner: str, most: int, now: datetime, until: datetime) -> Chunk:
    """Take up to `most` due orders. `until` is when they are due again should we die: the end of the lease."""
    found = await rows(tx, _CLAIM, step=step, owner=owner, most=most, now=now, until=until)
    return Chunk(step, owner, tuple(sorted(row.id for row in found)))


async def claim_one(
    tx: AsyncConnection, order_no: str, *, owner: str, now: datetime, until: datetime, step: Step | None = None
) -> Chunk | None:
    """Take one order by its number, whatever its step or for this one only; None: not due, or somebody works on it."""
    found = await rows(
        tx,
        """
        update sales_order set lease_owner = :owner, due_at = :until
        where order_no = :order_no and due_at <= :now and due_step = coalesce(cast(:step as text), due_step)
        returning id, due_step""",
        order_no=order_no,
        step=step,
        owner=owner,
        now=now,
        until=until,
    )
    return Chunk(Step(found[0].due_step), owner, (found[0].id,)) if found else None


async def hold_on(tx: AsyncConnection, chunk: Chunk, *, now: datetime, until: datetime) -> set[int]:
    """Which orders of a chunk nobody has taken since: theirs until then, and locked until this transaction ends.

    A lease of which less than a quarter is over is left as it is: most chunks would be written once more for nothing.
    """
    found = await rows(
        tx,
        """
        with ours as (
          select id, due_at from sales_order where id = any(cast(:ids as bigint[])) and lease_owner = :owner
          order by id for no key update),
        renewed as (
          update sales_order o set due_at = :until from ours where o.id = ours.id and ours.due_at < :fresh)
        select id from ours""",
        ids=list(chunk.ids),
        owner=chunk.owner,
        until=until,
        fresh=until - (until - now) / 4,
    )
    return {row.id for row in found}


async def give_back(tx: AsyncConnection, chunk: Chunk, at: datetime) -> int:
    """End the lease of what is left of a chunk; due again at `at`, without counting an attempt."""
    return await run(
        tx,
        """
        update sales_order set lease_owner = null, due_at = :at
        where id = any(cast(:ids as bigint[])) and lease_owner = :owner""",
        ids=list(chunk.ids),
        owner=chunk.owner,
        at=at,
    )


async def due_now(tx: AsyncConnection, now: datetime) -> dict[str, int]:
    """What a run would find: steps, `inbox`, `orders`, `outbox`, `alerts`, `sla`, `refunds`, `returns`; absent: none.

    Index-only probes, the cost of which does not grow with orders, finished or waiting: the earliest of a partial index
    instead of `exists ... due_at <= :now`, for which a generic plan reads the whole table of what is done. A message
    behind one that was given up is no work: nobody may take it.
    """
    steps: Sequence[str] = [step.value for step in Step]
    found = await rows(tx, _DUE_NOW.format(nothing_before=NOTHING_BEFORE), steps=steps, now=now)
    return {row[0]: 1 for row in found}


async def neglected(tx: AsyncConnection, since: datetime) -> set[str]:
    """What of `due_now` has been due since then, and nobody works on it."""
    found = await rows(tx, _UNREAD, topics=list(BELLS), since=since)
    return set(await due_now(tx, since)).difference(BELLS.values()) | {BELLS[row.topic] for row in found}


_UNREAD = """
select topic from unnest(cast(:topics as text[])) topic, lateral (
  select id from inbox where state = 'new' and inbox.topic = topic.topic and received_at <= :since
  order by id limit 1 for update skip locked) late
"""
"""Whoever reads messages holds their rows, and they are new until that is stored."""
_DUE_NOW = """
select step from unnest(cast(:steps as text[])) step
where exists (select from sales_order where due_step = step and due_at <= :now)
union all select 'inbox' where exists (select from inbox where state = 'new' and topic = 'news')
union all select 'orders' where exists (select from inbox where state = 'new' and topic = 'order')
union all select 'outbox' where exists (
  select from (select * from outbox where due_at is not null and due_at <= :now order by due_at offset 0) o
  where {nothing_before})
union all select 'alerts' where least(
  (select min(climbs_at) from alert where climbs_at is not null),
  (select min(due_at) from alert_notice where due_at is not null)) <= :now
union all select 'sla' where (select min(sla_due_at) from sales_order where sla_due_at is not null) <= :now
union all select 'refunds' where (select min(due_at) from refund where due_at is not null) <= :now
union all select 'returns' where (select min(due_at) from return_case where due_at is not null) <= :now
"""
