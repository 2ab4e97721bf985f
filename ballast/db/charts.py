"""What charts show, counted by SQL: rows stay in the database however many there are."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import SHANGHAI
from ballast.db.channels import midnight
from ballast.db.engine import dumps, rows, run
from ballast.db.promises import read_promises
from ballast.domain.channels import Period

BINS: Final = 30
KEPT: Final = timedelta(days=400)
"""How long the levels of past days are kept."""

_WAYS = """
  select o.channel, w.way, extract(epoch from w.took)::float8 as took
  from sales_order o cross join lateral (values
    ('paid_outbound', o.outbound_at - o.paid_at), ('placed_signed', o.signed_at - o.placed_at)) w(way, took)
  where o.paid_at >= :since and o.paid_at < :until and w.took >= interval '0'
"""
_MARKS = f"""
select channel, way, count(*) as orders,
  percentile_cont(array[0.5, 0.9, 0.95]) within group (order by took) as marks,
  percentile_cont(0.98) within group (order by took) as most
from ({_WAYS}) ways group by channel, way order by count(*) desc, channel
"""  # noqa: S608  # made of constants of this file
_BINS = f"""
select channel, way, least(cast(:bins as int), width_bucket(took, 0,
    case way when 'paid_outbound' then cast(:outbound as float8) else cast(:signed as float8) end,
    cast(:bins as int))) as bin, count(*) as orders
from ({_WAYS}) ways group by channel, way, bin
"""  # noqa: S608  # made of constants of this file
_HOLDS = """
select (held_at at time zone 'Asia/Shanghai')::date as day, reason, count(*) as count,
  count(*) filter (where released_at is null) as open
from hold where held_at >= :since and held_at < :until group by 1, 2
"""
_NOTE = """
insert into stock_daily (sku, warehouse, day, on_hand, to_promise, safety_line)
select sku, warehouse, :day, on_hand, to_promise, safety_line
from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text, on_hand bigint, to_promise bigint,
  safety_line bigint)
on conflict (sku, warehouse, day) do update set on_hand = excluded.on_hand, to_promise = excluded.to_promise,
  safety_line = excluded.safety_line
"""
_LEVELS = """
with last as (
  select distinct on (sku, warehouse) sku, warehouse, to_promise, safety_line from stock_daily
  where day >= :first and day <= :last order by sku, warehouse, day desc),
chosen as (
  select sku, warehouse, to_promise::float8 / greatest(safety_line, 1) as part from last
  where cardinality(cast(:skus as text[])) = 0 or sku = any(cast(:skus as text[]))
  order by part, sku, warehouse limit :most)
select d.sku, d.warehouse, d.day, d.on_hand, d.to_promise, d.safety_line
from stock_daily d join chosen c using (sku, warehouse) where d.day >= :first and d.day <= :last
order by c.part, d.sku, d.warehouse, d.day
"""


@dataclass(frozen=True, slots=True)
class WayTimes:
    """One way of the orders of one channel, seconds.

    `counts` are of `BINS` equal bins up to the way's end; the last one holds all that took longer than the 98th
    percentile of the slowest channel. `marks` are the 50th, 90th and 95th percentile.
    """

    channel: str
    counts: tuple[int, ...]
    marks: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """Orders that were paid in the period. way -> where its axis ends (seconds), and the channels, the largest first.

    A time that lies before its beginning, as the systems tell it, measures nothing and is left out.
    """

    channels: Sequence[str]
    ends: dict[str, float]
    ways: dict[str, dict[str, WayTimes]]


@dataclass(frozen=True, slots=True)
class HeldOn:
    """Holds of one reason that began on one day in China, and how many of them go on."""

    day: date
    reason: str
    count: int
    open: int


@dataclass(frozen=True, slots=True)
class Level:
    """A SKU in a warehouse at the time of a day when it was noted last, pieces."""

    sku: str
    warehouse: str
    day: date
    on_hand: int
    to_promise: int
    safety_line: int | None


async def read_lead_times(tx: AsyncConnection, period: Period) -> LeadTimes:
    """Two statements: the percentiles first, for they say how wide the bins are."""
    bounds = _bounds(period)
    marks = await rows(tx, _MARKS, **bounds)
    ends: dict[str, float] = defaultdict(float)
    for row in marks:
        ends[row.way] = max(ends[row.way], row.most * BINS / (BINS - 1), 1.0)
    signed, outbound = (ends.get(way, 1.0) for way in ("placed_signed", "paid_outbound"))
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * BINS)
    for row in await rows(tx, _BINS, **bounds, signed=signed, outbound=outbound, bins=BINS):
        counts[row.way, row.channel][row.bin - 1] = row.orders
    ways: dict[str, dict[str, WayTimes]] = defaultdict(dict)
    for row in marks:
        p50, p90, p95 = row.marks
        ways[row.way][row.channel] = WayTimes(row.channel, tuple(counts[row.way, row.channel]), (p50, p90, p95))
    return LeadTimes(list(dict.fromkeys(row.channel for row in marks)), ends, ways)


async def read_holds(tx: AsyncConnection, period: Period) -> list[HeldOn]:
    """At most one row per day and reason."""
    return [HeldOn(**row._mapping) for row in await rows(tx, _HOLDS, **_bounds(period))]


async def note_stock(tx: AsyncConnection, now: datetime) -> int:
    """Write down today's levels of every SKU that has a safety line of its own; again on the same day replaces them.

    What is older than `KEPT` goes. Returns how many levels were noted.
    """
    skus = [row.sku for row in await rows(tx, "select distinct sku from stock_limit where safety_line is not null")]
    found = [one for one in await read_promises(tx, skus, now=now) if one.safety_line is not None]
    today = now.astimezone(SHANGHAI).date()
    levels = [
        {name: getattr(one, name) for name in ("sku", "warehouse", "on_hand", "to_promise", "safety_line")}
        for one in found
    ]
    if levels:
        await run(tx, _NOTE, rows=dumps(levels), day=today)
    await run(tx, "delete from stock_daily where day < :before", before=today - KEPT)
    return len(levels)


async def read_levels(tx: AsyncConnection, period: Period, *, skus: Sequence[str] = (), most: int) -> list[list[Level]]:
    """The days of up to `most` SKUs in a warehouse: those named, else those that are deepest below their line, or next
    to it."""
    found: dict[tuple[str, str], list[Level]] = defaultdict(list)
    for row in await rows(tx, _LEVELS, first=period.first, last=period.last, skus=list(skus), most=most):
        found[row.sku, row.warehouse].append(Level(**row._mapping))
    return list(found.values())


def _bounds(period: Period) -> dict[str, datetime]:
    return {"since": midnight(period.first), "until": midnight(period.last + timedelta(days=1))}
