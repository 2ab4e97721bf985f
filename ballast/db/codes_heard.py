"""Which codes were heard, and by how many orders: what a dictionary is compared with."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.domain.status_check import Seen
from ballast.domain.status_map import Entry


async def last_words(tx: AsyncConnection) -> list[Seen]:
    """Every code that is some order's last word, with the number of orders. Reads all last words once."""
    found = await rows(
        tx,
        """select system, split_part(part, ' ', 1) as field, said, count(distinct order_id) as orders
        from external_status group by 1, 2, 3""",
    )
    return [Seen(row.system, row.field, row.said, orders=row.orders) for row in found]


async def told_codes(tx: AsyncConnection) -> list[Seen]:
    """Codes that were heard when a system was asked or called, and of which people were told."""
    found = await rows(tx, "select key from alert where key >= 'code:' and key < 'code;'")
    parts = [row.key.split(":", 3) for row in found]
    return [Seen(part[1], part[2], part[3], told=1) for part in parts if len(part) == 4]


async def end_code_alerts(tx: AsyncConnection, mapped: Iterable[Entry], version: int, now: datetime) -> None:
    """Somebody said what these codes mean: nobody has to hear of them any further.

    Their keys are free again: should a code be taken back, the next message with it rings anew.
    """
    await run(
        tx,
        """
        with over as (
          update alert set ended_at = coalesce(ended_at, cast(:now as timestamptz)),
            climbs_at = case when rung = 0 then climbs_at end, key = 'mapped:' || key || cast(:mark as text)
          where key = any(cast(:keys as text[])) returning id)
        update alert_notice n set due_at = null, note = 'the code was mapped before it was sent'
        from over where n.alert_id = over.id and n.due_at is not null and n.rung > 0""",
        keys=[f"code:{entry.system}:{entry.field}:{entry.code}" for entry in mapped],
        mark=f":v{version}",
        now=now,
    )


async def orders_that_said(tx: AsyncConnection, entries: Iterable[Entry]) -> dict[tuple[str, str, str], int]:
    """(system, field, code) -> how many orders' last word it is, of these entries only."""
    wanted = [{"system": e.system.value, "field": e.field, "code": e.code} for e in entries]
    if not wanted:
        return {}
    found = await rows(
        tx,
        """
        select r.system, r.field, r.code, count(distinct s.order_id) as orders
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(system text, field text, code text)
        join external_status s on s.system = r.system and s.said = r.code and split_part(s.part, ' ', 1) = r.field
        group by 1, 2, 3""",
        rows=dumps(wanted),
    )
    return {(row.system, row.field, row.code): row.orders for row in found}
