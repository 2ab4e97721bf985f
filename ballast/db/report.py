"""The figures of a window, each by a fixed number of statements."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.db.three_numbers import ACTIONS, read_accuracy, read_interventions, read_response
from ballast.domain.report import (
    BreachFigures,
    ChannelFigures,
    Duplicates,
    HoldFigures,
    LeadTime,
    Report,
    Window,
)

STEPS: Final = ("placed_paid", "paid_locked", "locked_outbound", "outbound_scanned", "scanned_signed", "placed_signed")
"""From which milestone to which; the last is the whole way."""

_WAY = """
  select o.channel, o.state, v.ordinal, v.step, v.began, v.ended,
    extract(epoch from v.ended - v.began)::float8 / 60 as took
  from sales_order o cross join lateral (values
    (1, 'placed_paid', o.placed_at, o.paid_at), (2, 'paid_locked', o.paid_at, o.locked_at),
    (3, 'locked_outbound', o.locked_at, o.outbound_at), (4, 'outbound_scanned', o.outbound_at, o.picked_up_at),
    (5, 'scanned_signed', o.picked_up_at, o.signed_at), (6, 'placed_signed', o.placed_at, o.signed_at)
  ) v(ordinal, step, began, ended)
  where o.placed_at >= :since and o.placed_at < :until
"""
_LEAD_TIMES = f"""
select ordinal, step, count(*) filter (where took >= 0) as count,
  percentile_cont(0.5) within group (order by took) filter (where took >= 0) as p50,
  percentile_cont(0.95) within group (order by took) filter (where took >= 0) as p95,
  count(*) filter (where began is not null and ended is null and state not in ('SIGNED', 'CLOSED')) as waiting,
  count(*) filter (where took < 0) as disorder
from ({_WAY}) way group by ordinal, step order by ordinal
"""  # noqa: S608  # made of constants of this file
_STATES = """
select state, count(*) as orders from sales_order where placed_at >= :since and placed_at < :until
group by state order by state
"""
_ARCHIVED = "select count(*) from archived_order where closed_at >= :since and placed_at < :until"
_HOLDS = """
select reason, count(*) as count, count(*) filter (where released_at is null) as open,
  count(*) filter (where person) as by_person,
  count(*) filter (where released_at is not null and not person and not followed) as by_itself,
  count(*) filter (where released_at is not null and not person and followed) as followed,
  percentile_cont(0.5) within group (order by greatest(extract(epoch from released_at - held_at)::float8 / 60, 0))
    filter (where released_at is not null) as median_minutes
from (select *, coalesce(released_by = 'person' or released_by like 'person:%', false) as person,
        note like 'followed by %' as followed
      from hold where held_at >= :since and held_at < :until) h
group by reason order by count(*) desc, reason
"""
_BREACHES = """
select clock, level, courier, count(*) as count, count(*) filter (where ended_at is null) as open
from sla_breach where due_at >= :since and due_at < :until
group by clock, level, courier order by clock, level, count(*) desc, courier
"""
_DUPLICATES = """
select p.currency, count(*) as count, sum(p.amount)::bigint as amount,
  sum(least(p.amount, f.done))::bigint as refunded,
  sum(least(p.amount, f.done + f.under_way) - least(p.amount, f.done))::bigint as under_way
from payment p cross join lateral (
  select coalesce(sum(r.amount) filter (where r.state = 'done'), 0) as done,
    coalesce(sum(r.amount) filter (where r.state in ('asked', 'requested')), 0) as under_way
  from refund r where r.order_id = p.order_id and r.provider = p.provider
    and lower(r.transaction_id) = lower(p.transaction_id)) f
where p.state = 'surplus' and p.recorded_at >= :since and p.recorded_at < :until
group by p.currency order by p.currency
"""
_CHANNELS = f"""
with action as ({ACTIONS}),
acted as (select channel, count(*) as actions, count(distinct order_id) as touched from action group by channel),
placed as (
  select channel, count(*) as orders,
    count(*) filter (where exists (select from hold h where h.order_id = o.id)) as held,
    count(*) filter (where exists (select from sla_breach b where b.order_id = o.id and b.level = 'red')) as red,
    percentile_cont(0.5) within group (order by took) filter (where took >= 0) as p50,
    percentile_cont(0.95) within group (order by took) filter (where took >= 0) as p95
  from (select *, extract(epoch from signed_at - placed_at)::float8 / 60 as took from sales_order
        where placed_at >= :since and placed_at < :until) o
  group by channel)
select p.*, coalesce(a.actions, 0) as actions, coalesce(a.touched, 0) as touched
from placed p left join acted a using (channel) order by p.orders desc, channel
"""  # noqa: S608  # made of constants of this file


async def make_report(tx: AsyncConnection, window: Window, now: datetime) -> Report:
    """All figures of the window as they are known `now`, business time."""
    return Report(
        window=window,
        made_at=now,
        accuracy=await read_accuracy(tx, window),
        response=await read_response(tx, window, now),
        interventions=await read_interventions(tx, window),
        states={row.state: row.orders for row in await rows(tx, _STATES, since=window.since, until=window.until)},
        lead_times=await _lead_times(tx, window),
        holds=[HoldFigures(**row._mapping) for row in await rows(tx, _HOLDS, **_bounds(window))],
        breaches=[BreachFigures(**row._mapping) for row in await rows(tx, _BREACHES, **_bounds(window))],
        duplicates=await _duplicates(tx, window),
        channels=[ChannelFigures(**row._mapping) for row in await rows(tx, _CHANNELS, **_bounds(window))],
        archived=int((await rows(tx, _ARCHIVED, **_bounds(window)))[0][0]),
    )


def _bounds(window: Window) -> dict[str, datetime]:
    return {"since": window.since, "until": window.until}


async def _lead_times(tx: AsyncConnection, window: Window) -> list[LeadTime]:
    """Every step, also one that no order has come to."""
    found = {row.step: row for row in await rows(tx, _LEAD_TIMES, **_bounds(window))}
    nothing = LeadTime("", 0, None, None, 0, 0)
    return [
        LeadTime(step, row.count, row.p50, row.p95, row.waiting, row.disorder)
        for step in STEPS
        for row in [found.get(step, nothing)]
    ]


async def _duplicates(tx: AsyncConnection, window: Window) -> list[Duplicates]:
    return [
        Duplicates(r.currency, r.count, r.amount, r.refunded, r.under_way, r.amount - r.refunded - r.under_way)
        for r in await rows(tx, _DUPLICATES, **_bounds(window))
    ]
