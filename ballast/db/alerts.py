"""Alerts: written once per cause, sent together as a digest, answered by a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, ring, rows, run

MOST_HEARD: Final = 2
"""A robot cannot be read back: after a call of which nobody knows the end, an alert is sent at most once more."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """One alert that has to go out."""

    id: int
    level: str
    title: str
    text: str
    attempts: int
    perhaps_sent: int  # calls that may have been heard, this one included


async def raise_alerts(tx: AsyncConnection, alerts: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Write {key, level, title, text, order_id?}; a key that exists rings no second time. The number of new ones."""
    if not alerts:
        return 0
    found = await rows(
        tx,
        """
        insert into alert (key, level, title, text, order_id, raised_at, due_at, attempts)
        select key, level, title, text, order_id, cast(:now as timestamptz), cast(:now as timestamptz), 0
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(key text, level text, title text, text text, order_id bigint)
        on conflict (key) do nothing returning id""",
        rows=dumps(list(alerts)),
        now=now,
    )
    if found:
        await ring(tx, "alerts")
    return len(found)


async def claim_alerts(tx: AsyncConnection, *, most: int, now: datetime, until: datetime) -> list[Ringing]:
    """Due alerts, the most urgent first; due again at `until` should we die. The attempt is counted beforehand.

    One of which the end of `MOST_HEARD` calls is not known, for whoever made them died, is given up instead.
    """
    found = await rows(
        tx,
        """
        with due as (select id from alert where due_at <= :now order by due_at limit :most for update skip locked)
        update alert a set due_at = case when a.perhaps_sent < :heard then cast(:until as timestamptz) end,
          attempts = a.attempts + (a.perhaps_sent < :heard)::int,
          perhaps_sent = a.perhaps_sent + (a.perhaps_sent < :heard)::int
        from due where a.id = due.id
        returning a.id, a.level, a.title, a.text, a.attempts, a.perhaps_sent, a.due_at""",
        most=most,
        now=now,
        until=until,
        heard=MOST_HEARD,
    )
    ladder = {"urgent": 0, "warning": 1, "info": 2}
    alerts = [Ringing(r.id, r.level, r.title, r.text, r.attempts, r.perhaps_sent) for r in found if r.due_at]
    return sorted(alerts, key=lambda alert: (ladder.get(alert.level, 3), alert.id))


async def not_heard(tx: AsyncConnection, alerts: Sequence[Ringing]) -> None:
    """A call about these was not taken: nobody heard of it, whoever has claimed them since."""
    await run(
        tx,
        "update alert set perhaps_sent = greatest(perhaps_sent - 1, 0) where id = any(cast(:ids as bigint[]))",
        ids=[alert.id for alert in alerts],
    )


async def end_alerts(
    tx: AsyncConnection, alerts: Sequence[Ringing], *, sent_at: datetime | None, due_at: datetime | None
) -> None:
    """Sent (`sent_at`), or due again at `due_at`; with neither the alert is given up and stays visible as unsent.

    What was sent stays sent, and who comes late with a failure changes nothing: a later attempt decides.
    """
    await run(
        tx,
        """
        update alert a set sent_at = :sent_at, due_at = :due_at
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, attempts int)
        where a.id = r.id and a.sent_at is null
          and (a.attempts = r.attempts or cast(:sent_at as timestamptz) is not null)""",
        rows=dumps([{"id": alert.id, "attempts": alert.attempts} for alert in alerts]),
        sent_at=sent_at,
        due_at=due_at,
    )


async def put_back(tx: AsyncConnection, alerts: Sequence[Ringing], due_at: datetime) -> None:
    """Nothing was sent of these, claimed in this transaction: due again at `due_at`, no attempt counted."""
    await run(
        tx,
        """
        update alert set due_at = :due_at, attempts = attempts - 1, perhaps_sent = perhaps_sent - 1
        where id = any(cast(:ids as bigint[]))""",
        ids=[alert.id for alert in alerts],
        due_at=due_at,
    )


async def send_slot(tx: AsyncConnection, robot: str, *, per_minute: int) -> bool:
    """Whether this robot may send now, by machine time over all processes. A taken slot is spent.

    The limit of a group robot counts a sliding minute; slots are kept in `robot_slot`, one row per robot.
    """
    found = await rows(
        tx,
        """
        insert into robot_slot as s (robot, sent) values (:robot, array[clock_timestamp()])
        on conflict (robot) do update
          set sent = (select array_agg(t) from unnest(s.sent) t where t > clock_timestamp() - interval '1 minute')
                     || clock_timestamp()
          where (select count(*) from unnest(s.sent) t where t > clock_timestamp() - interval '1 minute') < :most
        returning robot""",
        robot=robot,
        most=per_minute,
    )
    return bool(found)
