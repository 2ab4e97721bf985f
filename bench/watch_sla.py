"""What watching the SLA clocks costs: it has to follow the number of breaches, not the number of open orders.

    python -m bench.watch_sla --orders 10000 100000 1000000 --json FILE

For each size an embedded PostgreSQL is filled with open orders in transit. Measured are a look that finds nothing, and
sweeps that find 100 and 1,000 breaches (read, kept, alerts raised, next threshold set). Then, with the size named by
`--latency`, breaches fall due at random times while the books are looked at once a second, as the listener does:
how long after its due time each was seen.
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from ballast.clock import Clock
from ballast.db.claims import due_now
from ballast.db.embedded import embedded_server
from ballast.db.engine import make_engine, rows, run
from ballast.db.upgrade import create_database, upgrade
from ballast.settings import Settings
from ballast.wiring import House
from bench.command import run_as_command
from tasks.sla import Watched, read_some

ROUNDS = 5
LATE = (100, 1000)

FILL = (
    """
    insert into customer (customer_no, name, first_order_at)
    select 'C' || n, 'x', cast(:now as timestamptz) from generate_series(1, 5000) n""",
    """
    insert into sales_order (order_no, channel, state, version, attempts, progress, placed_at, paid_at, locked_at,
      outbound_at, picked_up_at, currency, total, freight, discount, customer_no, receiver, warehouse, recorded_at,
      due_step, due_at, sla_due_at)
    select 'SO' || lpad(cast(n as text), 9, '0'), 'wechat', 'IN_TRANSIT', 5, 0, '', at, at + interval '1 minute',
      at + interval '2 minutes', at + interval '3 minutes', at + interval '4 minutes', 'CNY', 100, 0, 0,
      'C' || n % 5000 + 1, '{"province": "浙江"}', 'CK001', at, 'track_transit',
      cast(:now as timestamptz) + interval '1 day', at + interval '4 minutes' + interval '48 hours'
    from generate_series(1, cast(:orders as int)) n,
      lateral (select cast(:now as timestamptz) - interval '1 hour' * (n % 24) as at) times""",
    """
    insert into parcel (order_id, waybill, carrier, shipped_at, picked_up_at, said, trouble_evidence)
    select id, 'YT' || id, 'YTO', outbound_at, picked_up_at, '204', '' from sales_order""",
)
"""Orders of the last day, all in time: their clocks turn yellow tomorrow or the day after."""

MAKE_LATE = """
update sales_order set picked_up_at = cast(:due as timestamptz) - interval '48 hours', sla_due_at = :due
where id in (select id from sales_order where id > :after order by id limit :count)
"""


def measure(
    orders: Annotated[list[int], Parameter(consume_multiple=True)] = [10_000, 100_000, 1_000_000],  # noqa: B006  # never changed
    *,
    latency: Annotated[int, Parameter(help="open orders while breaches fall due")] = 100_000,
    seconds: Annotated[int, Parameter(help="for how long they do")] = 120,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Exit code 1 when a sweep takes a second or more, or p99 of the time to see a breach a minute or more."""
    found = asyncio.run(_measure(orders, latency, seconds))
    if json:
        json.write_text(_dump(found))
    _show(found)
    slowest = max(size[f"sweep_{count}_s"] for size in found["sizes"] for count in LATE)
    return 0 if slowest < 1 and found["latency"]["p99_s"] < 60 else 1


def _dump(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=2) + "\n"


async def _measure(orders: Sequence[int], latency: int, seconds: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "pg") as server,
    ):
        sizes = []
        for count in orders:
            house = await _filled(server.url("ballast"), count)
            sizes.append(await _sizes(house, count))
            await house.close()
        house = await _filled(server.url("ballast"), latency)
        seen = await _latency(house, seconds)
        await house.close()
    return {"sizes": sizes, "latency": {"orders": latency, **seen}}


async def _filled(url: str, count: int) -> House:
    await create_database(url, "ballast", fresh=True)
    await upgrade(url)
    house = House(Settings(_env_file=None), Clock(), make_engine(url))
    async with house.transaction() as tx:
        for sql in FILL:
            await run(
                tx, sql, **{k: v for k, v in {"now": house.clock.now(), "orders": count}.items() if f":{k}" in sql}
            )
    async with house.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("vacuum analyze"))
    return house


async def _sizes(house: House, count: int) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "orders": count,
        "idle_ms": 1000 * median([await _timed(house, 0) for _ in range(ROUNDS)]),
    }
    after = 0
    for late in LATE:
        times = []
        for _ in range(ROUNDS):
            async with house.transaction() as tx:
                await run(tx, MAKE_LATE, due=house.clock.now() - timedelta(seconds=1), after=after, count=late)
            after += late
            times.append(await _timed(house, late))
        figures[f"sweep_{late}_s"] = median(times)
    return figures


async def _timed(house: House, expected: int) -> float:
    """Seconds of one look and, when it finds something, one sweep."""
    began, watched = time.perf_counter(), Watched()
    async with house.transaction() as tx:
        due = "sla" in await due_now(tx, house.clock.now())
    while due and await read_some(house, watched):
        pass
    assert len(watched.fresh) == expected, f"{len(watched.fresh)} of {expected} breaches were seen"
    return time.perf_counter() - began


async def _latency(house: House, seconds: int) -> dict[str, float]:
    """Breaches fall due at random; once a second somebody looks."""
    began, rng, count = house.clock.now(), random.Random(1), 20 * seconds  # noqa: S311  # no secret
    dues = [began + timedelta(seconds=5 + rng.random() * (seconds - 10)) for _ in range(count)]
    async with house.transaction() as tx:
        await run(
            tx,
            """
            update sales_order o set picked_up_at = d.due - interval '48 hours', sla_due_at = d.due
            from unnest(cast(:dues as timestamptz[])) with ordinality d(due, n) where o.id = d.n""",
            dues=dues,
        )
    while (house.clock.now() - began).total_seconds() < seconds:
        async with house.transaction() as tx:
            due = "sla" in await due_now(tx, house.clock.now())
        while due and await read_some(house, Watched()):
            pass
        await asyncio.sleep(1)
    async with house.transaction() as tx:
        found = (
            await rows(
                tx,
                """
                select count(*) as seen, percentile_cont(0.5) within group (order by late) as p50,
                  percentile_cont(0.99) within group (order by late) as p99, max(late) as worst
                from (select extract(epoch from seen_at - due_at) as late from sla_breach) l""",
            )
        )[0]
    assert found.seen == count, f"{found.seen} of {count} breaches were seen"
    return {"breaches": count, "p50_s": float(found.p50), "p99_s": float(found.p99), "max_s": float(found.worst)}


def _show(found: dict[str, Any]) -> None:
    console, first = Console(), found["sizes"][0]
    table = Table(title=f"Watching SLA clocks ({datetime.now(UTC):%Y-%m-%d})")
    for column in ("open orders", "nothing due", *(f"{count} breaches" for count in LATE), "ratio to the first"):
        table.add_column(column, justify="right")
    for size in found["sizes"]:
        ratio = size[f"sweep_{LATE[-1]}_s"] / first[f"sweep_{LATE[-1]}_s"]
        sweeps = (f"{size[f'sweep_{count}_s']:.3f} s" for count in LATE)
        table.add_row(f"{size['orders']:,}", f"{size['idle_ms']:.1f} ms", *sweeps, f"{ratio:.2f}")
    console.print(table)
    seen = found["latency"]
    console.print(
        f"{seen['breaches']} breaches among {seen['orders']:,} open orders: seen after p50 {seen['p50_s']:.2f} s, "
        f"p99 {seen['p99_s']:.2f} s, at most {seen['max_s']:.2f} s"
    )


if __name__ == "__main__":
    run_as_command(measure)
