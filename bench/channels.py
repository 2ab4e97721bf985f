"""How long the channel table takes over very many orders, and how much memory.

    python -m bench.channels --orders 1000000

A database of one embedded PostgreSQL is filled by SQL with orders of two years in three channels, with refunds, returns
and costs; then the report of a month and of the whole time is made, each three times. Exit code 1 above a minute.
"""

import asyncio
import resource
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from ballast.db.channels import channel_report
from ballast.db.embedded import embedded_server
from ballast.db.engine import make_engine, run
from ballast.db.upgrade import create_database, upgrade
from ballast.domain.channels import Period
from bench.command import run_as_command

MOST: Final = 60.0
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
PERIODS: Final = (Period(date(2025, 11, 1), date(2025, 11, 30)), Period(date(2025, 1, 1), date(2025, 12, 31)))
SLICE: Final = 250_000

ORDERS: Final = """
insert into sales_order (id, order_no, channel, state, version, attempts, progress, placed_at, paid_at, locked_at,
  outbound_at, picked_up_at, signed_at, closed_at, currency, total, freight, discount, customer_no, openid, receiver,
  warehouse, recorded_at)
select n, 'SO' || lpad(cast(n as text), 9, '0'), (array['douyin', 'wechat', 'pos'])[1 + hash % 3], 'CLOSED', 7, 0,
  'PACKAGE', at, at + interval '10 minutes', at, at, at, at + interval '60 hours', at + interval '9 days', 'CNY',
  2000 + hash % 30000, 0, 0, 'P' || hash % greatest(cast(:count as bigint) / 4, 1), 'o' || n,
  '{"name": "王小明", "mobile": "13912345678", "province": "江苏省", "city": "苏州市", "address": "建设路1号"}',
  'CK001', at
from generate_series(cast(:low as bigint), cast(:high as bigint)) n, lateral (select abs(hashint8(n)::bigint) as hash,
  cast(:now as timestamptz) - interval '730 days' + interval '729 days' * n / cast(:count as bigint) as at) drawn
"""
REST: Final = (
    """insert into payment (order_id, provider, transaction_id, amount, currency, merchant, state, method, paid_at,
      recorded_at)
    select id, 'wechatpay', cast(4200000000000000000000000000 + id as text), total, 'CNY', 'm',
      case when id % 200 = 0 then 'surplus' else 'counted' end, '', paid_at, paid_at from sales_order""",
    """insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at,
      done_at)
    select 'R' || id, id, 'wechatpay', cast(4200000000000000000000000000 + id as text), total, 'CNY', '', 'done',
      paid_at, paid_at + interval '5 days' from sales_order where id % 20 = 0""",
    """insert into return_case (order_id, return_no, why, asked_by, asked_at, state)
    select id, 'RT-' || id, '', 'li', paid_at + interval '4 days', 'approved' from sales_order where id % 15 = 0""",
    """insert into channel_cost (channel, day, source, amount, currency, imported_by, imported_at)
    select channel, day, 'ads', 100000, 'CNY', 'li', now()
    from unnest(array['douyin', 'wechat', 'pos']) channel,
      generate_series(date '2024-01-01', date '2025-12-31', interval '1 day') day""",
    "analyze",
)


def channels(*, orders: Annotated[int, Parameter(help="how many are in the books")] = 1_000_000) -> int:
    """Fill, make the reports, say how long it took."""
    return asyncio.run(_run(orders, Console()))


async def _run(orders: int, console: Console) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "pg") as server,
    ):
        url = server.url("ballast")
        await create_database(server.url("postgres"), "ballast")
        await upgrade(url)
        began = time.perf_counter()
        await _fill(url, orders)
        console.print(f"{orders:,} orders in {time.perf_counter() - began:.0f} s")
        return await _measure(url, console)


async def _fill(url: str, orders: int) -> None:
    engine = make_engine(url, pool=1)
    for low in range(1, orders + 1, SLICE):
        async with engine.begin() as tx:
            await run(tx, ORDERS, low=low, high=min(low + SLICE - 1, orders), now=NOW, count=orders)
    for sql in REST:
        async with engine.begin() as tx:
            await run(tx, sql)
    await engine.dispose()


async def _measure(url: str, console: Console) -> int:
    engine, longest = make_engine(url, pool=1), 0.0
    for period in PERIODS:
        for _ in range(3):
            began = time.perf_counter()
            async with engine.begin() as tx:
                found = await channel_report(tx, period, NOW)
            took = time.perf_counter() - began
            longest = max(longest, took)
            counted = sum(one.now.orders + one.before.orders for one in found.channels)
            console.print(f"{period.first} to {period.last}: {took:.1f} s, {counted:,} orders in both periods")
    await engine.dispose()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"the longest took {longest:.1f} s of {MOST:.0f}; this process had {memory:.0f} MB at most")
    return 0 if longest <= MOST else 1


if __name__ == "__main__":
    run_as_command(channels)
