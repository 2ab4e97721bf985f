"""Outside effects, written down before they are made. The key is made of kind and order: a repeat finds its first."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run

BEFORE_IMPORT: Final = "before the import"
"""The reference of an effect that a file reports: it was made elsewhere, so it is not ours to make again."""


@dataclass(frozen=True, slots=True)
class Begun:
    """How an effect stands when somebody sets out to make it."""

    key: str
    done: bool  # made before: `receipt` is what the system answered then
    look_first: bool  # tried before, or lost with a restore: outcome not known to us
    receipt: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended. state: done, refused, unknown, pending (nothing happened)."""

    key: str
    state: str
    receipt: Mapping[str, Any]
    error: str = ""


def digest(request: object) -> str:
    """A short fingerprint of what is asked for; `repr` of frozen values hides personal data but not the facts."""
    return hashlib.sha256(repr(request).encode()).hexdigest()[:16]


async def begin(
    tx: AsyncConnection, kind: str, effects: Sequence[tuple[str, int, str]], now: datetime
) -> dict[str, Begun]:
    """Write down (key, order id, digest) as about to be made, in one statement; what was done before says so.

    For an order that was placed before the books were restored the first attempt may be a repeat: its effect may have
    been made, and forgotten with what came after the backup.
    """
    values = [{"key": key, "order_id": order_id, "digest": mark} for key, order_id, mark in effects]
    found = await rows(
        tx,
        """
        insert into effect as e (key, order_id, kind, state, attempts, digest, error, begun_at)
        select key, order_id, :kind, 'pending', 1, digest, '', cast(:now as timestamptz)
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(key text, order_id bigint, digest text) order by key
        on conflict (key) do update set attempts = e.attempts + 1
        returning key, state, attempts, receipt, exists (
          select from restore r join sales_order o on o.id = e.order_id where o.placed_at <= r.restored_at
        ) as forgotten""",
        kind=kind,
        rows=dumps(values),
        now=now,
    )
    return {r.key: Begun(r.key, r.state == "done", r.attempts > 1 or r.forgotten, r.receipt) for r in found}


async def reopen(
    tx: AsyncConnection, keys: Sequence[str], *, error: str = "done by its answer, and nothing came of it"
) -> frozenset[str]:
    """Done, and to be made again, for what is in `error`; it is looked for first. Those that were done.

    What a file reports as done stays done: the system may know it by another number.
    """
    found = await rows(
        tx,
        """
        update effect set state = 'unknown', error = :error
        where key = any(cast(:keys as text[])) and state = 'done' and receipt ->> 'reference' <> :elsewhere
        returning key""",
        keys=list(keys),
        error=error,
        elsewhere=BEFORE_IMPORT,
    )
    return frozenset(row.key for row in found)


async def finish(tx: AsyncConnection, results: Sequence[Result], now: datetime) -> None:
    """Store how the attempts ended. What is done stays done, whoever comes late."""
    if not results:
        return
    values = [{"key": r.key, "state": r.state, "receipt": r.receipt, "error": r.error[:500]} for r in results]
    await run(
        tx,
        """
        update effect e set state = r.state, receipt = r.receipt, error = r.error,
          done_at = case when r.state = 'done' then cast(:now as timestamptz) end
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(key text, state text, receipt jsonb, error text)
        where e.key = r.key and e.state <> 'done'""",
        rows=dumps(values),
        now=now,
    )
