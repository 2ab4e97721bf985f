"""What the warehouse took on and has neither made nor refused by its own word: it may still ship it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows
from ballast.domain.words import NOT_THERE, TO_COME

_EXPECTED: Final = """
with taken as (
  select o.id, o.order_no, substr(e.key, length('wms.create:') + 1) as code
  from sales_order o join effect e on e.order_id = o.id and e.kind = 'wms.create'
  where o.id = any(cast(:ids as bigint[])) and e.state = 'done' and e.receipt @> cast(:to_come as jsonb)
    and e.done_at > :since)
select code from taken t where not exists (
  select from external_status s where s.order_id = t.id and s.system = :system
    and case when t.code = t.order_no then strpos(s.part, ' ') = 0
      else right(s.part, length(t.code) + 1) = ' ' || t.code end)
"""


async def still_to_come(
    tx: AsyncConnection, order_ids: Sequence[int], *, system: str, since: datetime
) -> frozenset[str]:
    """Codes of deliveries of these orders that `system` took on after `since`, and of which it has said nothing yet.

    Before that time it is what it says when it is asked: its answer was lost, or will never be.
    """
    if not order_ids:
        return frozenset()
    found = await rows(tx, _EXPECTED, ids=list(order_ids), to_come=dumps(TO_COME), since=since, system=system)
    return frozenset(row.code for row in found)


async def called_off_unseen(tx: AsyncConnection, codes: Collection[str]) -> frozenset[str]:
    """Deliveries that were called off unknown to the warehouse: nobody stops what it makes of them now."""
    if not codes:
        return frozenset()
    found = await rows(
        tx,
        "select key from effect where key = any(cast(:keys as text[])) and receipt @> cast(:not_there as jsonb)",
        keys=[f"wms.cancel:{code}" for code in codes],
        not_there=dumps(NOT_THERE),
    )
    return frozenset(row.key.removeprefix("wms.cancel:") for row in found)
