"""Rows that belong to no order in the books, and what only grows with time: taken away when they are old enough.

Each call is one transaction of a fixed number of statements and takes away at most `MOST` rows per table. Nothing here
waits for anybody: what is read, sent or answered is over, and what waits for a person stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows, run

MOST: Final = 2000
"""Rows of one table in one transaction."""

_PAGE = "select id, received_at, state from inbox where id > :after order by id limit :most"
_LETTERS = """
delete from inbox i where id > :after and id <= :upto and received_at < :before
  and (state = 'done' or (state = 'waiting' and not exists (
    select from alert a where a.key = 'waiting:' || i.source || ':' || i.order_no
      and a.acknowledged_at is null and a.ended_at is null)))
  and not exists (select from sales_order o where o.order_no = i.order_no)
"""
_OLD: Final[Mapping[str, str]] = {
    "alerts": """
      with old as (
        select a.id from alert a where a.raised_at < :before and a.climbs_at is null
          and (a.ended_at is not null or a.acknowledged_at is not null or a.level = 'info')
          and not exists (select from sales_order o where o.id = a.order_id)
          and not exists (select from alert_notice n where n.alert_id = a.id and n.due_at is not null)
        order by a.raised_at limit :most for update skip locked),
      notices as (delete from alert_notice n using old where n.alert_id = old.id)
      delete from alert a using old where a.id = old.id""",
    "reconciliations": """
      with old as (
        select id from reconciliation where began_at < :before order by began_at limit :few for update skip locked),
      checks as (delete from order_check c using old where c.reconciliation_id = old.id)
      delete from reconciliation r using old where r.id = old.id""",
    "stock corrections": """
      delete from stock_correction where id in (
        select id from stock_correction where corrected_at < :before order by corrected_at limit :most)""",
    "tickets": """
      delete from ticket where (source, ticket_no) in (
        select source, ticket_no from ticket where opened_at < :before order by source, ticket_no limit :most)""",
    "health figures": """
      delete from customer_health where (customer_no, scored_at) in (
        select customer_no, scored_at from customer_health where scored_at < :before
        order by customer_no, scored_at limit :most)""",
}
"""What it is -> how the old ones of it are taken away."""
_FEW: Final = 5
"""Reconciliations in one transaction: each has thousands of checks."""


@dataclass(frozen=True, slots=True)
class Letters:
    """How many messages were taken away, and the id behind which to go on; None: what follows is young."""

    taken: int
    after: int | None


async def take_letters(tx: AsyncConnection, *, before: datetime, after: int) -> Letters:
    """Messages that came in before that time and have no order in the books: done, or still waiting for one.

    They lie in the order in which they came in, so the walk ends at the first page of young ones.
    """
    page = await rows(tx, _PAGE, after=after, most=MOST)
    if not page:
        return Letters(0, None)
    taken = await run(tx, _LETTERS, after=after, upto=page[-1].id, before=before)
    return Letters(taken, None if page[-1].received_at >= before else page[-1].id)


async def take_old(tx: AsyncConnection, *, before: datetime) -> dict[str, int]:
    """What is old of everything else: what it is -> how many. Call it again until it takes nothing away."""
    taken = {}
    for what, sql in _OLD.items():
        most = {"few": _FEW} if ":few" in sql else {"most": MOST}
        taken[what] = await run(tx, sql, before=before, **most)
    return {what: count for what, count in taken.items() if count}
