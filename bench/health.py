"""What scoring the health of all customers costs, beside many orders.

    python -m bench.health --customers 100000 --orders 1000000 --json FILE

An embedded PostgreSQL is filled by SQL: orders of 400 days, so that not half of them lie in the window; of these 8 %
were late, 4 % held, a quarter of that damaged, 2 % came back; a ticket for every 25th order. Measured are the first
scoring, which keeps a row of everybody, the same the next day, which keeps what changed, one customer alone, and the
list of the worst. The plan of the scoring is looked at, too: whether it walks through orders one by one.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from ballast.clock import Clock, SetClock
from ballast.db.embedded import embedded_server
from ballast.db.engine import make_engine, rows, run
from ballast.db.health import Window, look_at, worst_customers
from ballast.db.health_formula import EVERYBODY
from ballast.db.upgrade import create_database, upgrade
from ballast.settings import Settings
from ballast.wiring import House
from bench.command import run_as_command
from tasks.health import Scoring, open_window, score_now

LIMIT = 60.0
"""Seconds that a scoring of everybody may take."""

FILL = (
    """
    insert into customer (customer_no, name, first_order_at, owner)
    select 'C' || n, 'x', cast(:now as timestamptz), 'manager' from generate_series(1, cast(:customers as int)) n""",
    """
    insert into sales_order (order_no, channel, state, version, attempts, progress, placed_at, paid_at, currency, total,
      freight, discount, customer_no, receiver, warehouse, recorded_at)
    select 'SO' || lpad(cast(n as text), 9, '0'), 'wechat', 'SIGNED', 5, 0, '', at, at, 'CNY',
      1000 + n * 7919 % 100000, 0, 0, 'C' || 1 + n * 31 % :customers, '{"province": "浙江"}', 'CK001', at
    from generate_series(1, cast(:orders as bigint)) n,
      lateral (select cast(:now as timestamptz) - interval '400 days' * n / cast(:orders as int) as at) times""",
    """
    insert into order_origin (order_id, placed_at, customer_no) select id, placed_at, customer_no from sales_order""",
    """
    insert into parcel (order_id, waybill, carrier, shipped_at, said, trouble_evidence)
    select id, 'YT' || id, 'YTO', placed_at, '301', '' from sales_order""",
    """
    insert into sla_breach (order_id, clock, level, started_at, due_at, seen_at, channel, courier)
    select id, 'in_transit', case id % 3 when 0 then 'red' else 'yellow' end, placed_at, placed_at, placed_at, '', ''
    from sales_order where id % 100 < 8""",
    """
    insert into hold (order_id, reason, evidence, held_from, held_at, released_at, note)
    select id, case id % 4 when 0 then 'COURIER_DAMAGED' else 'STOCK_SHORT' end, '', 'IN_TRANSIT', placed_at,
      placed_at + interval '6 hours', '' from sales_order where id % 101 < 4""",
    """
    insert into return_case (return_no, order_id, why, asked_by, asked_at, state, exchange)
    select 'RT-' || id, id, (array['外箱破损', '七天无理由', '错发', '?'])[1 + id % 4], 'x', placed_at, 'approved', '{}'
    from sales_order where id % 103 < 2""",
    """
    insert into ticket (source, ticket_no, customer_no, order_no, kind, severity, opened_at, text, recorded_at)
    select 'desk', 'T' || id, customer_no, case when id % 3 > 0 then order_no end,
      (array['complaint', 'question'])[1 + id % 2], 'normal', placed_at + interval '3 days', '', placed_at
    from sales_order where id % 50 = 0 or id % 50 = 25""",
)


def measure(
    *,
    customers: int = 100_000,
    orders: int = 1_000_000,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Exit code 1 when scoring everybody takes a minute or more, or walks through orders one by one."""
    found = asyncio.run(_measure(customers, orders))
    if json:
        json.write_text(_dump(found))
    _show(found)
    return 0 if max(found["first_s"], found["next_day_s"]) < LIMIT and not found["loops_over_orders"] else 1


def _dump(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=2) + "\n"


async def _measure(customers: int, orders: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "pg") as server,
    ):
        clock = SetClock(Clock().now())
        house = await _filled(server.url("ballast"), clock, customers, orders)
        try:
            return {"customers": customers, "orders": orders, **await _figures(house, clock)}
        finally:
            await house.close()


async def _filled(url: str, clock: SetClock, customers: int, orders: int) -> House:
    await create_database(url, "ballast", fresh=True)
    await upgrade(url)
    house = House(Settings(_env_file=None), clock, make_engine(url))
    known = {"now": clock.now(), "orders": orders, "customers": customers}
    for sql in FILL:
        async with house.transaction() as tx:
            await tx.execute(text("set local session_replication_role = replica"))  # the rows fit by their making
            await run(tx, sql, **{name: value for name, value in known.items() if f":{name}" in sql})
    async with house.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("vacuum analyze"))
    return house


async def _figures(house: House, clock: SetClock) -> dict[str, Any]:
    figures: dict[str, Any] = {}

    async def timed(name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        began = time.perf_counter()
        done = await work()
        figures[f"{name}_s"] = time.perf_counter() - began
        return done

    first: Scoring = await timed("first", lambda: score_now(house))
    clock.set(clock.now() + timedelta(days=1))
    following: Scoring = await timed("next_day", lambda: score_now(house))
    async with house.transaction() as tx:
        window = await open_window(house, tx)
        await timed("one_customer", lambda: look_at(tx, window, ["C1"]))
        await timed("worst", lambda: worst_customers(tx, most=20))
        plan = await _plan(tx, window)
        [size] = await rows(tx, "select pg_total_relation_size('customer_health') as bytes")
    figures |= {
        "scored": first.scored.scored,
        "low": first.scored.low,
        "no_data": first.scored.no_data,
        "alerts": first.alerts,
        "changed_next_day": following.scored.changed,
        "history_mb": size.bytes / 2**20,
        "loops_over_orders": sorted(_loops(plan)),
    }
    return figures


async def _plan(tx: Any, window: Window) -> dict[str, Any]:
    asked = f"explain (format json) {EVERYBODY} select count(score) from fresh"  # noqa: S608  # a constant of ours
    [row] = await rows(tx, asked, **window.asked())
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def _loops(plan: dict[str, Any]) -> Iterator[str]:
    """Nested loops whose inner side reads orders, or what belongs to orders."""
    inner = plan.get("Plans", [])
    if plan["Node Type"] == "Nested Loop" and {*_read(inner[-1])} & {"sales_order", "recent", "hold", "sla_breach"}:
        yield f"{plan['Node Type']} over {', '.join(sorted({*_read(inner[-1])}))}"
    for part in inner:
        yield from _loops(part)


def _read(plan: dict[str, Any]) -> Iterator[str]:
    name = plan.get("Relation Name") or plan.get("CTE Name")
    if name:
        yield name
    for part in plan.get("Plans", []):
        yield from _read(part)


def _show(found: dict[str, Any]) -> None:
    table = Table(title=f"Health of {found['customers']:,} customers, {found['orders']:,} orders")
    for column in ("figure", "value"):
        table.add_column(column)
    for name, value in found.items():
        table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else str(value))
    Console().print(table)


if __name__ == "__main__":
    run_as_command(measure)
