"""What sales channels bring and cost, by a fixed number of statements whatever the number of orders."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import SHANGHAI
from ballast.db.engine import dumps, rows, run
from ballast.domain.channels import AgeCount, ChannelReport, ChannelReturn, Compared, Cost, Period, Repurchase, measure
from ballast.domain.channels import Measure as Of

CHUNK: Final = 1000
_BROUGHT_NAMES: Final = ("orders", "revenue", "refunds", "returned")

_SOLD: Final = "not exists (select from return_case x where x.exchange_order_no = o.order_no)"
"""An order `o` that goes out in exchange for what came back was not bought."""

_BROUGHT = f"""
with paid as (
  select o.id, o.channel, o.currency,
    case when exists (select from order_merge m where m.order_id = o.id) then 0 else o.total end as total
  from sales_order o where o.paid_at >= :since and o.paid_at < :until and {_SOLD}),
back as (
  select r.order_id, sum(r.amount) as amount
  from refund r join paid p on p.id = r.order_id and p.currency = r.currency
  where r.state = 'done' and r.done_at < :as_of and not exists (
    select from payment c where c.state = 'surplus' and c.order_id = r.order_id and c.provider = r.provider
      and lower(c.transaction_id) = lower(r.transaction_id))
  group by r.order_id),
goods as (
  select distinct c.order_id from return_case c join paid p on p.id = c.order_id
  where c.asked_at < :as_of and c.counts)
select p.channel, p.currency, count(*) as orders, sum(p.total)::bigint as revenue,
  coalesce(sum(b.amount), 0)::bigint as refunds, count(g.order_id) as returned
from paid p left join back b on b.order_id = p.id left join goods g on g.order_id = p.id
group by p.channel, p.currency
"""  # noqa: S608  # made of constants of this file
"""A second charge is no revenue, so what goes back of it is left out. Of orders that were merged each is an order, and
the one that carries them has the revenue of all."""

_CUSTOMERS = f"""
select channel, currency, count(*) as customers, count(*) filter (where began >= :since) as new
from (select channel, currency, customer_no, min(paid_at) as began, max(paid_at) as latest
      from sales_order o where paid_at < :until and customer_no <> '' and {_SOLD}
      group by channel, currency, customer_no) c
where latest >= :since group by channel, currency
"""  # noqa: S608  # made of constants of this file
_WAITS = f"""
with wait as (
  select channel, currency, day, lead(day) over (
      partition by customer_no collate "C", channel collate "C", currency collate "C" order by paid_at, id) as back
  from (select channel, currency, customer_no, paid_at, id, (paid_at at time zone 'Asia/Shanghai')::date as day
        from sales_order o where paid_at < :until and customer_no <> '' and {_SOLD}) sold),
seen as (
  select channel, currency, greatest(cast(:first as date) - day, 0) as began, coalesce(back, :last) - day as over,
    (back is not null)::int as ended
  from wait where back is null or back >= :first)
select channel, currency, age, sum(entered)::bigint as entered, sum(ended)::bigint as ended, sum(lost)::bigint as lost
from (select channel, currency, began as age, count(*) as entered, 0 as ended, 0 as lost from seen group by 1, 2, 3
      union all
      select channel, currency, over, 0, sum(ended), sum(1 - ended) from seen group by 1, 2, 3) by_age
group by channel, currency, age order by age
"""  # noqa: S608  # made of constants of this file
"""Every wait for the next order that was under way in the period, by its age in days when it was first seen there and
when it ended there, or the period did. Sorted by bytes, which is faster than by the rules of a language."""

_COSTS = """
select channel, currency, sum(amount)::bigint as cost, count(distinct day) as days
from channel_cost where day >= :first and day <= :last group by channel, currency
"""
_ARCHIVED = """
select count(*) filter (where closed_at >= :since and placed_at < :until) as here, count(*) > 0 as some
from archived_order
"""
_PUT = """
insert into channel_cost (channel, day, source, amount, currency, imported_by, imported_at)
select channel, day, source, amount, currency, :by, :now
from jsonb_to_recordset(cast(:rows as jsonb)) as r(channel text, day date, source text, amount bigint, currency text)
on conflict (channel, day, source) do update set amount = excluded.amount, currency = excluded.currency,
  imported_by = excluded.imported_by, imported_at = excluded.imported_at
"""


async def put_costs(tx: AsyncConnection, costs: Sequence[Cost], *, by: str, now: datetime) -> None:
    """Write costs; those of the same channel, day and source are replaced. No two of these may be the same."""
    for begin in range(0, len(costs), CHUNK):
        part = [{name: getattr(one, name) for name in Cost.__slots__} for one in costs[begin : begin + CHUNK]]
        await run(tx, _PUT, rows=dumps(part), by=by, now=now)


async def known_channels(tx: AsyncConnection) -> frozenset[str]:
    """From where orders have come."""
    return frozenset(row.channel for row in await rows(tx, "select distinct channel from sales_order"))


async def channel_report(tx: AsyncConnection, period: Period, as_of: datetime) -> ChannelReport:
    """The figures of a period and of the one before, both as they stood when they were equally old."""
    earlier = as_of - (period.first - period.before.first)
    now, before = await _figures(tx, period, as_of), await _figures(tx, period.before, earlier)
    [archive] = await rows(tx, _ARCHIVED, since=midnight(period.before.first), until=_end(period))
    keys = now.keys() | before.keys()
    found = [
        Compared(*(of.get(key) or ChannelReturn(channel=key[0], currency=key[1]) for of in (now, before)))
        for key in keys
    ]
    found.sort(key=lambda one: (one.now.currency, -(measure(Of.NET, one.now) or 0), one.now.channel))
    return ChannelReport(
        period=period,
        as_of=as_of,
        before_as_of=earlier,
        channels=found,
        archived=archive.here,
        history_cut=archive.some,
    )


def midnight(day: date) -> datetime:
    """When a day begins in China."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def _end(period: Period) -> datetime:
    return midnight(period.last + timedelta(days=1))


async def _figures(tx: AsyncConnection, period: Period, as_of: datetime) -> dict[tuple[str, str], ChannelReturn]:
    """(channel, currency) -> its figures. A period that is not over ends with `as_of`."""
    until = min(_end(period), as_of)
    since, last = midnight(period.first), min(period.last, as_of.astimezone(SHANGHAI).date())
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for row in await rows(tx, _BROUGHT, since=since, until=until, as_of=as_of):
        found[row.channel, row.currency] |= {name: row._mapping[name] for name in _BROUGHT_NAMES}
    for row in await rows(tx, _CUSTOMERS, since=since, until=until):
        found[row.channel, row.currency] |= {"customers": row.customers, "new_customers": row.new}
    for row in await rows(tx, _COSTS, first=period.first, last=last):
        found[row.channel, row.currency] |= {"cost": row.cost, "cost_days": row.days}
    ages: dict[tuple[str, str], list[AgeCount]] = defaultdict(list)
    for row in await rows(tx, _WAITS, until=until, first=period.first, last=last):
        ages[row.channel, row.currency].append(AgeCount(row.age, row.entered, row.ended, row.lost))
    return {
        key: ChannelReturn(
            channel=key[0], currency=key[1], repurchase=Repurchase(ages.get(key, ())), **found.get(key, {})
        )
        for key in found.keys() | ages.keys()
    }
