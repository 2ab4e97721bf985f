"""Alerts: written once per cause, told rung by rung until somebody answers, each telling sent once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, ring, rows, run

MOST_HEARD: Final = 2
"""A robot cannot be read back: after a call of which nobody knows the end, a notice is sent at most once more."""

MOST_CLIMBING: Final = 500
"""Alerts that climb in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climbing:
    """An alert whose next rung is due. `rung` is the number of that rung, from 0.

    `person`: who is told on the first rung instead of its roles; empty: nobody.
    """

    id: int
    ladder: str
    level: str
    rung: int
    raised_at: datetime
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climbed:
    """What one alert's rung came to: who is told through what, and when the next rung is due, if one is.

    `was`: the rung that was due when it was claimed; `rung`: the one that is told. Nobody is told without a `channel`.
    """

    alert_id: int
    was: int
    rung: int
    channel: str
    people: tuple[str, ...]
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """One notice that has to go out."""

    id: int
    alert_id: int
    rung: int
    channel: str
    people: tuple[str, ...]
    level: str
    ladder: str
    title: str
    text: str
    over: bool  # somebody answered meanwhile, or the cause has ended
    attempts: int
    perhaps_sent: int  # calls that may have been heard, this one included


async def raise_alerts(tx: AsyncConnection, alerts: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Write {key, level, title, text, order_id?, ladder?, person?}; a key that exists rings no second time.

    `ladder` is one of the SLA policy's; without it the one that is named like the level. `person`: a key of its people,
    who is told on the first rung instead of whom the ladder names there. The number of new ones.
    """
    if not alerts:
        return 0
    found = await rows(
        tx,
        """
        insert into alert (key, level, title, text, order_id, raised_at, climbs_at, ladder, person)
        select key, level, title, text, order_id, cast(:now as timestamptz), cast(:now as timestamptz),
          coalesce(ladder, level), coalesce(person, '')
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(key text, level text, title text, text text, order_id bigint,
          ladder text, person text)
        on conflict (key) do nothing returning id""",
        rows=dumps(sorted(alerts, key=itemgetter("key"))),  # two who raise the same never wait for each other both ways
        now=now,
    )
    if found:
        await ring(tx, "alerts")
    return len(found)


async def claim_climbing(tx: AsyncConnection, now: datetime) -> list[Climbing]:
    """Alerts whose next rung is due, locked until this transaction ends: `write_rungs` in the same one."""
    found = await rows(
        tx,
        """
        select id, ladder, level, rung, raised_at, person from alert where climbs_at <= :now
        order by climbs_at limit :most for no key update skip locked""",
        now=now,
        most=MOST_CLIMBING,
    )
    return [Climbing(**row._mapping) for row in found]


async def write_rungs(tx: AsyncConnection, climbed: Sequence[Climbed], now: datetime) -> int:
    """Each rung once, however many climb at the same time; the number of notices that are new."""
    if not climbed:
        return 0
    written = dumps([{name: getattr(one, name) for name in one.__slots__} for one in climbed])
    await run(
        tx,
        """
        update alert a set rung = r.rung + 1,
          climbs_at = case when a.acknowledged_at is null and a.ended_at is null then r.next_at end
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(alert_id bigint, was int, rung int, next_at timestamptz)
        where a.id = r.alert_id and a.rung = r.was""",
        rows=written,
    )
    return await run(
        tx,
        """
        insert into alert_notice (alert_id, rung, channel, people, due_at, created_at)
        select alert_id, rung, channel, people, cast(:now as timestamptz), cast(:now as timestamptz)
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(alert_id bigint, rung int, channel text, people jsonb)
        where channel <> '' on conflict (alert_id, rung, channel) do nothing""",
        rows=written,
        now=now,
    )


_RINGING = """n.id, n.alert_id, n.rung, n.channel, n.people, a.level, a.ladder, a.title, a.text,
  a.acknowledged_at is not null or a.ended_at is not null as over, n.attempts, n.perhaps_sent"""
_CLAIM = """
with due as (
  select id from alert_notice where due_at <= :now and channel = :channel
  order by due_at limit :most for update skip locked)
update alert_notice n set due_at = :until, attempts = n.attempts + 1, perhaps_sent = n.perhaps_sent + 1
from due, alert a where n.id = due.id and a.id = n.alert_id returning """
_OF_OTHERS = """
select {ringing} from alert_notice n join alert a on a.id = n.alert_id
where n.due_at <= :now and n.channel <> all(cast(:channels as text[]))
order by n.due_at limit :most for update of n skip locked"""


async def claim_notices(
    tx: AsyncConnection, channel: str, *, most: int, now: datetime, until: datetime
) -> list[Ringing]:
    """Due notices of a channel, the most urgent first; due again at `until` should we die.

    The attempt is counted beforehand. One of which the end of `MOST_HEARD` calls is not known, for whoever made them
    died, is returned with `perhaps_sent` above it: it must not be sent here again.
    """
    found = await rows(tx, _CLAIM + _RINGING, channel=channel, most=most, now=now, until=until)
    ladder = {"urgent": 0, "warning": 1, "info": 2}
    return sorted(map(_ringing, found), key=lambda notice: (ladder.get(notice.level, 3), notice.alert_id))


async def claim_of_others(tx: AsyncConnection, channels: Sequence[str], *, most: int, now: datetime) -> list[Ringing]:
    """Due notices of channels that are not among these, locked until this transaction ends."""
    found = await rows(tx, _OF_OTHERS.format(ringing=_RINGING), channels=list(channels), most=most, now=now)
    return [_ringing(row) for row in found]


def _ringing(row: Any) -> Ringing:
    return Ringing(**{**row._mapping, "people": tuple(row.people)})


async def not_heard(tx: AsyncConnection, notices: Sequence[Ringing]) -> None:
    """A call about these was not taken: nobody heard of it, whoever has claimed them since."""
    await run(
        tx,
        "update alert_notice set perhaps_sent = greatest(perhaps_sent - 1, 0) where id = any(cast(:ids as bigint[]))",
        ids=[notice.id for notice in notices],
    )


async def end_notices(
    tx: AsyncConnection,
    notices: Sequence[Ringing],
    *,
    sent_at: datetime | None = None,
    due_at: datetime | None = None,
    note: str = "",
) -> set[int]:
    """Sent (`sent_at`), or due again at `due_at`; with neither given up, for the reason in `note`. The ids it ended.

    What was sent stays sent, and who comes late with a failure changes nothing: a later attempt decides.
    """
    found = await rows(
        tx,
        """
        update alert_notice n set sent_at = :sent_at, due_at = :due_at, note = :note
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, attempts int)
        where n.id = r.id and n.sent_at is null
          and (n.attempts = r.attempts or cast(:sent_at as timestamptz) is not null)
        returning n.id""",
        rows=dumps([{"id": notice.id, "attempts": notice.attempts} for notice in notices]),
        sent_at=sent_at,
        due_at=due_at,
        note=note[:500],
    )
    return {row.id for row in found}


async def put_back(tx: AsyncConnection, notices: Sequence[Ringing], due_at: datetime) -> None:
    """Nothing was sent of these, if nobody claimed them since: due again at `due_at`, no attempt counted."""
    await run(
        tx,
        """
        update alert_notice n set due_at = :due_at, attempts = n.attempts - 1, perhaps_sent = n.perhaps_sent - 1
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, attempts int)
        where n.id = r.id and n.attempts = r.attempts and n.sent_at is null""",
        rows=dumps([{"id": notice.id, "attempts": notice.attempts} for notice in notices]),
        due_at=due_at,
    )


async def tell_through(tx: AsyncConnection, notices: Sequence[tuple[Ringing, str]], now: datetime) -> int:
    """The same rungs through another channel each; what was told through it before is not told again."""
    if not notices:
        return 0
    return await run(
        tx,
        """
        insert into alert_notice (alert_id, rung, channel, people, due_at, created_at)
        select alert_id, rung, channel, people, cast(:now as timestamptz), cast(:now as timestamptz)
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(alert_id bigint, rung int, channel text, people jsonb)
        on conflict (alert_id, rung, channel) do nothing""",
        rows=dumps(
            [
                {"alert_id": one.alert_id, "rung": one.rung, "channel": channel, "people": one.people}
                for one, channel in notices
            ]
        ),
        now=now,
    )


async def end_alerts(
    tx: AsyncConnection, now: datetime, *, held_orders: Sequence[int] = (), keys: Sequence[str] = ()
) -> None:
    """The cause is over: the open holds of these orders, or what these keys say. It climbs no further.

    The first telling goes out all the same, and says that it is over: no alert is lost because it was short.
    """
    await run(
        tx,
        """
        with over as (
          update alert set ended_at = :now, climbs_at = case when rung = 0 then climbs_at end
          where ended_at is null and (key = any(cast(:keys as text[]))
            or (order_id = any(cast(:orders as bigint[])) and key like 'hold:%'))
          returning id)
        update alert_notice n set due_at = null, note = 'over before it was sent'
        from over where n.alert_id = over.id and n.rung > 0 and n.sent_at is null""",
        now=now,
        keys=list(keys),
        orders=list(held_orders),
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
