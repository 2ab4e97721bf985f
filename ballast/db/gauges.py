"""How things stand now, for `/metrics`: a fixed number of statements that read indexes of what is unfinished.

Nothing here grows with orders that are finished, messages that are done or alerts that have ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.db.three_numbers import read_accuracy, read_interventions, read_response
from ballast.domain.report import Accuracy, Interventions, Response, Window
from ballast.domain.words import State, Step

OPEN: Final = (State.PENDING_PAYMENT, State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT, State.ON_HOLD)
"""Orders that are still on their way. How many are signed or closed nobody counts again and again."""

LAST: Final = timedelta(hours=24)
"""What the three numbers of `/metrics` are of."""

_OPEN = f"""
select state, count(*) from sales_order
where state in ({", ".join(f"'{state}'" for state in OPEN)}) group by state
"""  # noqa: S608  # in just these words the partial index `order_open` is used
_HELD = "select hold_reason, count(*) from sales_order where state = 'ON_HOLD' group by hold_reason"
_OLDEST = """
select step, (select min(due_at) from sales_order where due_step = step and due_at is not null) as due_at
from unnest(cast(:steps as text[])) step
"""
_INBOX = """
select 'new' as state, (select count(*) from inbox where state = 'new') as messages
union all select 'waiting', (select count(*) from inbox where state = 'waiting')
union all select 'parked', (select count(*) from inbox where state = 'parked')
"""
_ALERTS = """
select level, count(*) as open, count(*) filter (where acknowledged_at is null) as unanswered,
  min(raised_at) filter (where acknowledged_at is null) as oldest_at
from alert where ended_at is null and level <> 'info' group by level
"""
_BREACHES = "select clock, level, count(*) as open from sla_breach where ended_at is null group by clock, level"
_REST = """
select (select count(*) from outbox where due_at is not null) as letters,
  (select min(due_at) from outbox where due_at is not null) as letter_at,
  (select count(*) from alert_notice where due_at is not null) as notices,
  (select min(due_at) from alert_notice where due_at is not null) as notice_at,
  (select greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::bigint from pg_class c
   where c.oid = 'sales_order'::regclass) as orders
"""


@dataclass(frozen=True, slots=True)
class AlertGauge:
    """Alerts of one level that have not ended, and those that nobody has acknowledged. Ages in seconds."""

    open: int
    unanswered: int
    oldest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Ages in seconds; 0 where nothing waits."""

    open: Mapping[str, int]  # by state
    held: Mapping[str, int]  # by reason
    overdue: Mapping[str, float]  # step -> for how long its oldest order has been due
    inbox: Mapping[str, int]  # by state
    alerts: Mapping[str, AlertGauge]  # by level
    breaches: Mapping[tuple[str, str], int]  # (clock, level)
    outbox: int
    outbox_age: float
    notices: int
    notice_age: float
    orders: int  # all there are, an estimate of the database's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The three numbers: accuracy of the newest reconciliation, the others of the last 24 hours."""

    accuracy: Accuracy
    response: Response
    interventions: Interventions


async def read_gauges(tx: AsyncConnection, now: datetime) -> Gauges:
    """How things stand `now`, business time."""

    def age(at: datetime | None) -> float:
        return max(0.0, (now - at).total_seconds()) if at else 0.0

    opened = {row[0]: row[1] for row in await rows(tx, _OPEN)}
    [rest] = await rows(tx, _REST)
    steps = [step.value for step in Step]
    alerts: dict[str, Any] = {row.level: row for row in await rows(tx, _ALERTS)}
    return Gauges(
        open={state.value: opened.get(state.value, 0) for state in OPEN},
        held={row[0]: row[1] for row in await rows(tx, _HELD)},
        overdue={row.step: age(row.due_at) for row in await rows(tx, _OLDEST, steps=steps)},
        inbox={row.state: row.messages for row in await rows(tx, _INBOX)},
        alerts={
            level: AlertGauge(row.open, row.unanswered, age(row.oldest_at)) if row else AlertGauge(0, 0, 0.0)
            for level in ("warning", "urgent")
            for row in [alerts.get(level)]
        },
        breaches={(row.clock, row.level): row.open for row in await rows(tx, _BREACHES)},
        outbox=rest.letters,
        outbox_age=age(rest.letter_at),
        notices=rest.notices,
        notice_age=age(rest.notice_at),
        orders=rest.orders,
    )


async def read_numbers(tx: AsyncConnection, now: datetime) -> Numbers:
    """The three numbers as of `now`, business time."""
    window = Window(now - LAST, now)
    return Numbers(
        accuracy=await read_accuracy(tx),
        response=await read_response(tx, window, now),
        interventions=await read_interventions(tx, window),
    )
