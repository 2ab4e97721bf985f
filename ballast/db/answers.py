"""Who answers an alert: what is open, who was told of it, who took it on and who says that it is dealt with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One telling: through which channel, on which rung (from 0). Not sent and with a note: it was given up."""

    channel: str
    rung: int
    people: tuple[str, ...]
    sent_at: datetime | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSeen:
    """One alert as people see it. `rung` counts the rungs climbed; `climbs_at`: when the next one is told."""

    id: int
    key: str
    level: str
    title: str
    text: str
    order_no: str | None
    raised_at: datetime
    rung: int
    climbs_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    resolved_by: str | None
    resolved_at: datetime | None
    ended_at: datetime | None
    note: str
    told: tuple[Told, ...]


_SEEN = """
select a.id, a.key, a.level, a.title, a.text, o.order_no, a.raised_at, a.rung, a.climbs_at, a.acknowledged_by,
  a.acknowledged_at, a.resolved_by, a.resolved_at, a.ended_at, a.note,
  (select jsonb_agg(jsonb_build_array(n.channel, n.rung, n.people, n.sent_at, n.note) order by n.rung, n.id)
   from alert_notice n where n.alert_id = a.id) as told
from alert a left join sales_order o on o.id = a.order_id
"""
_OPEN = "where a.ended_at is null order by a.acknowledged_at is not null, a.raised_at desc, a.id desc limit :most"
_ALL = "order by a.raised_at desc, a.id desc limit :most"


async def open_alerts(tx: AsyncConnection, *, most: int = 500, ended: bool = False) -> list[AlertSeen]:
    """Alerts that nobody has dealt with yet, the unanswered first, the newest first; with `ended` all of them."""
    found = await rows(tx, f"{_SEEN} {_ALL if ended else _OPEN}", most=most)
    return [_seen(row) for row in found]


async def find_alerts(
    tx: AsyncConnection, *, ids: Sequence[int] = (), order_nos: Sequence[str] = ()
) -> list[AlertSeen]:
    """Those with these numbers, and the open ones of these orders."""
    found = await rows(
        tx,
        f"""{_SEEN} where a.id = any(cast(:ids as bigint[]))
          or (a.ended_at is null and o.order_no = any(cast(:nos as text[]))) order by a.id""",
        ids=list(ids),
        nos=list(order_nos),
    )
    return [_seen(row) for row in found]


async def find_alert(tx: AsyncConnection, alert_id: int) -> AlertSeen | None:
    """One alert by its number."""
    found = await find_alerts(tx, ids=[alert_id])
    return found[0] if found else None


async def answer_alerts(
    tx: AsyncConnection, alert_ids: Sequence[int], *, by: str, now: datetime, resolve: bool, note: str = ""
) -> list[AlertSeen]:
    """Somebody takes these on, or (`resolve`) says that they are dealt with. Those it changed.

    They climb no further; what was told to nobody yet is told once.

    Who was first stays; a resolved one is acknowledged, too. The order's open hold has an owner from then on, and its
    clocks are looked at again.
    """
    found = await rows(
        tx,
        """
        with answered as (
          update alert set climbs_at = case when rung = 0 then climbs_at end,
            acknowledged_by = coalesce(acknowledged_by, :by), acknowledged_at = coalesce(acknowledged_at, :now),
            resolved_by = case when :resolve then :by end,
            resolved_at = case when :resolve then cast(:now as timestamptz) end,
            ended_at = case when :resolve then cast(:now as timestamptz) end,
            note = case when :note = '' then note else :note end
          where id = any(cast(:ids as bigint[])) and ended_at is null and (:resolve or acknowledged_at is null)
          returning id, order_id),
        silent as (
          update alert_notice n set due_at = null, note = 'answered before it was sent'
          from answered a where n.alert_id = a.id and n.rung > 0 and n.sent_at is null),
        owned as (
          update hold h set acknowledged_by = :by, acknowledged_at = :now from answered a
          where h.order_id = a.order_id and h.released_at is null and h.acknowledged_at is null),
        timed as (
          update sales_order o set sla_due_at = :now from answered a where o.id = a.order_id and o.state = 'ON_HOLD')
        select id from answered order by id""",
        ids=sorted(set(alert_ids)),
        by=by,
        now=now,
        resolve=resolve,
        note=note,
    )
    return await find_alerts(tx, ids=[row.id for row in found]) if found else []


def _seen(row: Any) -> AlertSeen:
    told = [
        Told(channel=channel, rung=rung, people=tuple(people), sent_at=_at(sent_at), note=note)
        for channel, rung, people, sent_at, note in row.told or ()
    ]
    return AlertSeen(**{**row._mapping, "told": tuple(told)})


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
