"""Reconciliations in the books: begun, every system's word on every order, ended with figures, and old ones thinned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run

WHOLE: Final = 30
"""So many runs keep a row for every order and system; older ones keep what did not agree."""
KEPT: Final = 400
"""So many runs keep that. Figures are kept for ever."""
AT_ONCE: Final = 50_000
"""Rows thinned out per run, at most: the rest at the next one."""
WINDOW: Final = 20
"""Old runs looked at per run: those before them were thinned out long ago."""


@dataclass(frozen=True, slots=True)
class Past:
    """One reconciliation. `ended_at` is None while it runs, or when its process died."""

    id: int
    scope: str
    wanted: int
    asked_by: str
    began_at: datetime
    ended_at: datetime | None
    figures: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row of `order_check`: what one system said of one order beside what our books said."""

    order_id: int
    system: str
    ours: str
    theirs: str
    said: str
    verdict: str
    mended: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


async def begin(
    tx: AsyncConnection, *, scope: str, wanted: int, asked_by: str, now: datetime, figures: Mapping[str, Any]
) -> int:
    """Write down that one begins; its id. scope: sample, since, orders."""
    found = await rows(
        tx,
        """
        insert into reconciliation (scope, wanted, asked_by, began_at, figures)
        values (:scope, :wanted, :asked_by, :now, cast(:figures as jsonb)) returning id""",
        scope=scope,
        wanted=wanted,
        asked_by=asked_by,
        now=now,
        figures=dumps(dict(figures)),
    )
    return int(found[0].id)


async def write_checks(tx: AsyncConnection, reconciliation: int, checks: Sequence[Check]) -> None:
    """Keep what was said. Said again (a chunk that is repeated) replaces it."""
    if not checks:
        return
    await run(
        tx,
        """
        insert into order_check (reconciliation_id, order_id, system, ours, theirs, said, verdict, mended)
        select :id, order_id, system, ours, theirs, said, verdict, mended
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, system text, ours text, theirs text,
          said text, verdict text, mended text)
        on conflict (reconciliation_id, order_id, system) do update set ours = excluded.ours,
          theirs = excluded.theirs, said = excluded.said, verdict = excluded.verdict, mended = excluded.mended""",
        id=reconciliation,
        rows=dumps([check.as_dict() for check in checks]),
    )


async def note_outcome(tx: AsyncConnection, reconciliation: int, outcomes: Mapping[tuple[int, str], str]) -> None:
    """(order id, system) -> what had come of it when it was asked again; stands behind what was done."""
    if not outcomes:
        return
    values = [{"order_id": order_id, "system": system, "end": end} for (order_id, system), end in outcomes.items()]
    await run(
        tx,
        """
        update order_check c set mended = concat_ws('; ', nullif(c.mended, ''), r."end")
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, system text, "end" text)
        where c.reconciliation_id = :id and c.order_id = r.order_id and c.system = r.system""",
        id=reconciliation,
        rows=dumps(values),
    )


async def end(tx: AsyncConnection, reconciliation: int, figures: Mapping[str, Any], now: datetime) -> None:
    """Write down what came of it."""
    await run(
        tx,
        "update reconciliation set ended_at = :now, figures = figures || cast(:figures as jsonb) where id = :id",
        id=reconciliation,
        now=now,
        figures=dumps(dict(figures)),
    )


async def history(tx: AsyncConnection, *, most: int = 30) -> list[Past]:
    """The last reconciliations, the newest first."""
    found = await rows(
        tx,
        """
        select id, scope, wanted, asked_by, began_at, ended_at, figures from reconciliation
        order by id desc limit :most""",
        most=most,
    )
    return [Past(**row._mapping) for row in found]


async def drifting(tx: AsyncConnection, reconciliation: int) -> list[Mapping[str, Any]]:
    """Every check of the orders of a run of which one did not agree, order by order."""
    found = await rows(
        tx,
        """
        select o.order_no, c.system, c.ours, c.theirs, c.said, c.verdict, c.mended
        from order_check c join sales_order o on o.id = c.order_id
        where c.reconciliation_id = :id and exists (
          select from order_check d where d.reconciliation_id = c.reconciliation_id and d.order_id = c.order_id
            and d.verdict in ('behind', 'ahead', 'contradicts'))
        order by o.order_no, c.system""",
        id=reconciliation,
    )
    return [row._mapping for row in found]


async def open_keys(tx: AsyncConnection, order_ids: Sequence[int], beginning: str) -> list[str]:
    """Keys of the alerts about these orders that begin so and are not over."""
    found = await rows(
        tx,
        """
        select key from alert where order_id = any(cast(:ids as bigint[])) and ended_at is null
          and starts_with(key, :beginning)""",
        ids=list(order_ids),
        beginning=beginning,
    )
    return [row.key for row in found]


async def last_checks(tx: AsyncConnection, order_no: str) -> tuple[datetime | None, list[Check]]:
    """When an order was last looked at, and what each system said of it then."""
    found = await rows(
        tx,
        """
        select c.order_id, c.system, c.ours, c.theirs, c.said, c.verdict, c.mended, r.began_at
        from sales_order o join order_check c on c.order_id = o.id join reconciliation r on r.id = c.reconciliation_id
        where o.order_no = :no and r.id = (select max(d.reconciliation_id) from order_check d where d.order_id = o.id)
        order by c.system""",
        no=order_no,
    )
    names = Check.__slots__
    return (found[0].began_at if found else None), [Check(**{n: getattr(row, n) for n in names}) for row in found]


async def thin_out(tx: AsyncConnection) -> int:
    """Take agreeing rows of old runs away, and all rows of very old ones; at most `AT_ONCE` of each per call.

    A window of old runs is looked at, not all: what is left over by a large run goes at the next calls.
    """
    thinned = 0
    for kept, which in ((WHOLE, "verdict = 'agrees'"), (KEPT, "true")):
        thinned += await run(
            tx,
            f"""
            with old as (select id from reconciliation order by id desc offset :kept limit :window)
            delete from order_check where ctid = any(array(
              select c.ctid from order_check c join old on old.id = c.reconciliation_id
              where {which} limit :most))""",  # noqa: S608  # one of the two texts above
            kept=kept,
            window=WINDOW,
            most=AT_ONCE,
        )
    return thinned
