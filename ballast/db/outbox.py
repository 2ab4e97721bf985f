"""Messages on their way out. For one order and one system they leave in the order they were decided.

A refund that was given up holds up no other one: each stands for itself, and the books keep them within the charge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import effects
from ballast.db.engine import dumps, rows, run


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One claimed message."""

    id: int
    key: str
    order_id: int
    kind: str
    payload: Mapping[str, Any]
    attempts: int


NOTHING_BEFORE = """not exists (
  select from outbox e where e.order_id = o.order_id and e.id < o.id and e.done_at is null
    and split_part(e.kind, '.', 1) = split_part(o.kind, '.', 1)
    and (e.due_at is not null or e.kind <> 'payment.refund') offset 0)"""
"""Of a message `o`: whatever was to be told before it, to the same system of the same order, was told.

`offset 0` has it looked up order by order. Made into a join, as the planner likes while it knows little of the table,
it compares every message that waits with every other.
"""

_CLAIM = """
with due as (
  select id from outbox o where due_at <= :now {of_systems} and {nothing_before}
  order by due_at limit :most for update skip locked)
update outbox o set lease_owner = :owner, due_at = :until from due where o.id = due.id
returning o.id, o.key, o.order_id, o.kind, o.payload, o.attempts
"""


async def claim_messages(
    tx: AsyncConnection, *, owner: str, most: int, now: datetime, until: datetime, systems: Sequence[str] = ()
) -> list[Outgoing]:
    """Take up to `most` due messages whose predecessors to the same system are done. Leased until `until`.

    Only those to these `systems` (how their kinds begin: `shop`, `erp`, ..), if any are named. A refund waits only for
    those before it that are still under way.
    """
    of_systems = "and split_part(kind, '.', 1) = any(cast(:systems as text[]))" if systems else ""
    found = await rows(
        tx,
        _CLAIM.format(nothing_before=NOTHING_BEFORE, of_systems=of_systems),
        owner=owner,
        most=most,
        now=now,
        until=until,
        **({"systems": list(systems)} if systems else {}),
    )
    return [Outgoing(r.id, r.key, r.order_id, r.kind, r.payload, r.attempts) for r in found]


async def hold_on(tx: AsyncConnection, owner: str, ids: Sequence[int], until: datetime) -> set[int]:
    """Which of these messages are still leased to `owner`: theirs until then."""
    found = await rows(
        tx,
        """
        update outbox set due_at = :until
        where id = any(cast(:ids as bigint[])) and lease_owner = :owner and done_at is null returning id""",
        ids=list(ids),
        owner=owner,
        until=until,
    )
    return {row.id for row in found}


async def end_messages(tx: AsyncConnection, owner: str, ends: Sequence[Mapping[str, Any]], now: datetime) -> set[int]:
    """Store how sending went: {id, done, due_at (null: not again), note}. The messages that were still `owner`'s."""
    if not ends:
        return set()
    found = await rows(tx, _OURS, ids=[end["id"] for end in ends], owner=owner)
    ours = {row.id for row in found}
    await run(
        tx,
        """
        update outbox o set lease_owner = null, attempts = o.attempts + 1, due_at = r.due_at, note = r.note,
          done_at = case when r.done then cast(:now as timestamptz) end
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, done boolean, due_at timestamptz, note text)
        where o.id = r.id""",
        rows=dumps([end for end in ends if end["id"] in ours]),
        now=now,
    )
    return ours


_OURS = """
select id from outbox where id = any(cast(:ids as bigint[])) and lease_owner = :owner and done_at is null
order by id for no key update
"""
"""Apart from writing them: of an owner never seen the planner expects one row, and compares each with all."""


async def give_back_messages(tx: AsyncConnection, owner: str, ids: Sequence[int], at: datetime) -> None:
    """The system is down: these messages, still leased, are due again at `at`, no attempt counted."""
    await run(
        tx,
        """
        update outbox set lease_owner = null, due_at = :at
        where id = any(cast(:ids as bigint[])) and lease_owner = :owner and done_at is null""",
        ids=list(ids),
        owner=owner,
        at=at,
    )


async def send_again(tx: AsyncConnection, order_ids: Sequence[int], now: datetime, kinds: Sequence[str] = ()) -> int:
    """Messages of these orders that were given up, or those of some `kinds`, are due again: part of a rerun."""
    return await run(
        tx,
        """
        update outbox set due_at = :now, attempts = 0
        where order_id = any(cast(:ids as bigint[])) and done_at is null and due_at is null
          and (cast(:kinds as text[]) = '{}' or kind = any(cast(:kinds as text[])))""",
        ids=list(order_ids),
        now=now,
        kinds=list(kinds),
    )


async def send_once_more(tx: AsyncConnection, keys: Sequence[str], now: datetime) -> None:
    """Messages that were sent and of which nothing came: due again, their effects made again, and looked for first."""
    await effects.reopen(tx, keys)
    await run(
        tx,
        """
        update outbox set done_at = null, due_at = :now, attempts = 0
        where key = any(cast(:keys as text[])) and done_at is not null""",
        keys=list(keys),
        now=now,
    )
