"""Whether work gets slower as finished orders pile up: it must not, whatever their number.

    python -m bench.growth --orders 10000 1000000 5000000 --json FILE

For each size a database of one embedded PostgreSQL is filled with finished orders (`bench.finished`). Then, in rounds
that alternate between the sizes, 1,000 paid orders are locked in chunks of 100 as `lock-stock` does it: claim, load,
ledger, effects, moves, by the task of production, with an ERP in memory and without HTTP and Prefect. Measured are the
claim, the whole chunk, the listener's look (`due_now`) and the reading of 100 messages about these orders. Every
statement that went to the server is then explained at the smallest and at the largest size: one that reads more pages
there than here is named.

Last, orders as wide as in life (those of `bench.memory`) are weighed by table, put into the archive, and weighed again.

Exit code 1 when a claim, a look or a chunk at the largest size takes more than 1.3 times what it takes at the smallest,
or a statement reads more than 1.3 times the pages.
"""

import asyncio
import json as json_of
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.clock import Clock
from ballast.db import archive, inbox
from ballast.db.claims import claim, due_now
from ballast.db.embedded import EmbeddedServer, embedded_server
from ballast.db.engine import make_engine, rows, run
from ballast.db.outbox import claim_messages
from ballast.db.upgrade import create_database, upgrade
from ballast.domain.words import Event, Step, System
from ballast.ports import News, Order, Receipt
from ballast.settings import Settings
from ballast.wiring import House, use_house
from bench.command import run_as_command
from bench.finished import fill, set_up
from bench.memory import FILL as LIFE
from bench.memory import PAST, PLENTY
from tasks.erp import reserve_stock
from tasks.inbox import Books, Read, open_books

CHUNK: Final = 100
CHUNKS: Final = 10
LOOKS: Final = 20
BOUND: Final = 1.3
TREE: Final = 1000
"""Pages that a statement about 100 rows may touch more, whatever the ratio: its indexes are a level or two deeper."""

PAID = """
insert into sales_order (order_no, channel, state, version, due_step, due_at, attempts, progress, placed_at, paid_at,
  currency, total, freight, discount, customer_no, receiver, warehouse, recorded_at)
select 'NEW' || :round || '-' || lpad(cast(n as text), 6, '0'), 'wechat', 'PENDING_PAYMENT', 2, 'lock_stock', :now, 0,
  '', :now, :now, 'CNY', 2000, 0, 0, 'P' || lpad(cast(n % 50000 as text), 6, '0'),
  '{"name": "王小明", "mobile": "13912345678", "province": "江苏省", "city": "苏州市", "district": "", "address": "1"}',
  '', :now
from generate_series(1, cast(:orders as int)) n
"""
AROUND = (
    """insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
    select id, 1, 'SKU-' || lpad(cast(id % 60 + 1 as text), 3, '0'), '自攻螺钉', 2, 1000, 2000, 0
    from sales_order where due_step = 'lock_stock'""",
    """insert into payment (order_id, provider, transaction_id, amount, currency, merchant, state, method, paid_at,
      recorded_at)
    select id, 'wechatpay', 'N' || order_no, 2000, 'CNY', '1900000001', 'counted', '', paid_at, paid_at
    from sales_order where due_step = 'lock_stock'""",
    """insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at,
      text)
    select id, 'placed', 'NOTED', 'PENDING_PAYMENT', 'PENDING_PAYMENT', false, 'direct', placed_at, placed_at, 'placed'
    from sales_order where due_step = 'lock_stock'""",
    """insert into inbox (source, event_id, topic, order_no, payload, state, received_at, note)
    select 'qimen', order_no, 'news', order_no, '{"_topic": "x"}', 'new', placed_at, ''
    from sales_order where due_step = 'lock_stock'""",
)


class MemoryErp:
    """Takes every reservation at once."""

    async def reserve(self, order: Order, *, look_first: bool = False) -> Receipt:
        return Receipt(reference=f"XSDD-{order.order_no}")

    async def close(self) -> None:
        pass


@dataclass(slots=True)
class Size:
    """One database and what was measured in it, milliseconds."""

    orders: int
    house: House
    gigabytes: float
    took: dict[str, list[float]] = field(default_factory=dict)
    pages: dict[str, float] = field(default_factory=dict)

    def note(self, what: str, began: float) -> None:
        self.took.setdefault(what, []).append((time.perf_counter() - began) * 1000)

    def middle(self, what: str) -> float:
        return median(self.took[what])


def measure(
    orders: Annotated[list[int], Parameter(consume_multiple=True)] = [10_000, 1_000_000, 5_000_000],  # noqa: B006  # never changed
    *,
    rounds: Annotated[int, Parameter(help="alternating rounds")] = 5,
    life: Annotated[int, Parameter(help="orders as wide as in life that are weighed; 0: none")] = 20_000,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Compare work at the smallest number of finished orders with that at the others."""
    console = Console()
    figures = asyncio.run(_measure(sorted(orders), rounds, life, console))
    if json:
        json.write_text(json_of.dumps(figures, indent=2) + "\n")
    wrong = figures["too_slow"] + figures["grows"]
    for what in wrong:
        console.print(f"[red]{what}[/red]")
    return 1 if wrong else 0


async def _measure(orders: Sequence[int], rounds: int, life: int, console: Console) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ballast-growth-", ignore_cleanup_errors=True))
        server = stack.enter_context(embedded_server(Path(folder) / "pg"))
        await set_up(server, server.url("postgres"))
        sizes = []
        for count in orders:
            began = time.monotonic()
            sizes.append(await _filled(server, count))
            stack.push_async_callback(sizes[-1].house.close)
            console.print(f"{count} finished orders, {sizes[-1].gigabytes:.2f} GB, {time.monotonic() - began:.0f} s")
        for number in range(rounds + 1):  # the first one warms up
            for size in sizes[number % len(sizes) :] + sizes[: number % len(sizes)]:
                await _round(size, number)
            if number == 0:
                for size in sizes:
                    size.took.clear()
        for size in (sizes[0], sizes[-1]):
            size.pages = await _explain(size)
        weights = await _weigh(server, life, console) if life else {}
    return _figures(sizes, weights, console)


async def _filled(server: EmbeddedServer, count: int) -> Size:
    url = server.url(f"growth_{count}")
    await create_database(server.url("postgres"), f"growth_{count}")
    await upgrade(url)
    house = House(Settings(_env_file=None), Clock(), make_engine(url, pool=2))
    house.roles["erp"] = MemoryErp()
    return Size(count, house, await fill(house.engine, count, house.clock.now()))


async def _round(size: Size, number: int) -> None:
    here = size.house
    use_house(here)
    await _place(here, number)
    for _ in range(LOOKS):
        async with here.transaction() as tx:
            began = time.perf_counter()
            await due_now(tx, here.clock.now())
            size.note("look", began)
    await _read(size)
    for _ in range(CHUNKS):
        whole = time.perf_counter()
        async with here.transaction() as tx:
            began = time.perf_counter()
            chunk = await claim(
                tx, Step.LOCK_STOCK, owner=f"bench:{whole}", most=CHUNK, now=here.clock.now(), until=here.lease()
            )
            size.note("claim", began)
        done = await reserve_stock.fn(chunk)
        size.note("chunk", whole)
        if done != {"locked": CHUNK}:
            raise SystemExit(f"a chunk at {size.orders} finished orders came to {dict(done)}")


async def _place(here: House, number: int) -> None:
    now = here.clock.now() - timedelta(seconds=1)
    async with here.transaction() as tx:
        await run(tx, PAID, round=str(number), now=now, orders=CHUNK * CHUNKS)
        for sql in AROUND:
            await run(tx, sql)


async def _read(size: Size) -> None:
    """Take the messages, open the books for them as the inbox does, mark them done; and look for messages to send."""
    here = size.house
    for _ in range(CHUNKS):
        async with here.transaction() as tx:
            began = time.perf_counter()
            letters = await inbox.take(tx, "news", CHUNK)
            await open_books(here, tx, [Read(letter, _news(letter)) for letter in letters], Books())
            done = [{"id": letter.id, "state": "done", "note": ""} for letter in letters]
            await inbox.settle(tx, done, here.clock.now())
            size.note("inbox", began)
            began = time.perf_counter()
            await claim_messages(tx, owner="bench", most=CHUNK, now=here.clock.now(), until=here.lease())
            size.note("outbox", began)


def _news(letter: inbox.Letter) -> News:
    number = letter.message.order_no
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return News(
        system=System.QIMEN, order_no=number, happened_at=at, field="status", said="PACKAGE",
        event=Event.WAREHOUSE_PROGRESS,
    )  # fmt: skip


# -- statements --------------------------------------------------------------------------------------------------


EXPLAINED: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_format": "json",
    "client_min_messages": "log",
}
"""The server tells the plan of every statement as it was executed, also where it used a prepared one."""


async def _explain(size: Size) -> dict[str, float]:
    """Statement -> pages that it touched, of everything that more rounds ask the server; the most that it ever did."""
    engine, pages = size.house.engine, dict[str, float]()
    async with engine.begin() as tx:
        for name, value in EXPLAINED.items():
            await tx.execute(text(f"alter database growth_{size.orders} set {name} = '{value}'"))
    await engine.dispose()  # the next connections are told

    def told(_connection: Any, message: Any) -> None:
        _, found, plan = str(message.message).partition("plan:")
        if found:
            said = json_of.loads(plan)
            name = " ".join(said["Query Text"].split())[:110]
            if not any(sql.split()[:9] == said["Query Text"].split()[:9] for sql in (PAID, *AROUND)):
                touched = said["Plan"].get("Shared Hit Blocks", 0) + said["Plan"].get("Shared Read Blocks", 0)
                pages[name] = max(pages.get(name, 0), touched)

    def listen(connection: Any, _record: Any) -> None:
        connection.driver_connection.add_log_listener(told)

    event.listen(engine.sync_engine, "connect", listen)
    await _round(size, 900)
    return pages


# -- weights -----------------------------------------------------------------------------------------------------


async def _weigh(server: EmbeddedServer, count: int, console: Console) -> dict[str, Any]:
    """Bytes of one order by table as it is in life, in the archive, and what the tables keep after it."""
    now = datetime.fromisoformat("2026-01-05T02:00:00+00:00")
    url = server.url("growth_life")
    await create_database(server.url("postgres"), "growth_life")
    await upgrade(url)
    engine = make_engine(url, pool=1)
    empty = await _sizes(engine)
    async with engine.begin() as tx:
        for statement in (PAST, *LIFE):
            await run(tx, statement, orders=count, start=now, plenty=PLENTY)
    await _rewrite(engine)
    full, finished = await _sizes(engine), await _finished(engine)
    began, put_away, size = time.perf_counter(), 0, 0
    place: archive.Place | None = archive.Place()
    while place is not None:
        async with engine.begin() as tx:
            chunk = await archive.archive_chunk(tx, before=now, after=place, now=now)
        put_away, size, place = put_away + len(chunk.archived), size + chunk.size, chunk.end
    took = time.perf_counter() - began
    await _rewrite(engine)
    after = await _sizes(engine)
    await engine.dispose()
    tables = {name: round((bytes_ - empty.get(name, 0)) / count) for name, bytes_ in full.items()}
    console.print(f"{put_away} of {finished} closed orders archived in {took:.1f} s, {size / put_away:.0f} bytes each")
    return {
        "orders": count,
        "bytes_per_order": {name: size for name, size in sorted(tables.items(), key=lambda t: -t[1]) if size},
        "bytes_per_order_in_all": sum(tables.values()),
        "archived": put_away,
        "archived_per_second": round(put_away / took),
        "document_bytes": round(size / put_away),
        "archive_bytes_per_order": round((after["archived_order"] - empty["archived_order"]) / put_away),
    }


async def _rewrite(engine: AsyncEngine) -> None:
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("vacuum full analyze"))


async def _sizes(engine: AsyncEngine) -> dict[str, int]:
    """Table -> bytes with its indexes."""
    async with engine.connect() as tx:
        found = await rows(
            tx, "select relname, pg_total_relation_size(oid) as size from pg_class where relkind = 'r' "
            "and relnamespace = 'public'::regnamespace"
        )  # fmt: skip
    return {row.relname: row.size for row in found}


async def _finished(engine: AsyncEngine) -> int:
    async with engine.connect() as tx:
        return int((await rows(tx, "select count(*) from sales_order where state = 'CLOSED'"))[0][0])


# -- telling -----------------------------------------------------------------------------------------------------


def _figures(sizes: Sequence[Size], weights: Mapping[str, Any], console: Console) -> dict[str, Any]:
    first, last = sizes[0], sizes[-1]
    what = list(first.took)
    table = Table("finished orders", "GB", *(f"{name}, ms" for name in what), "orders/s")
    for size in sizes:
        cells = (f"{size.middle(name):.2f} ({size.middle(name) / first.middle(name):.2f} x)" for name in what)
        table.add_row(str(size.orders), f"{size.gigabytes:.2f}", *cells, f"{CHUNK / size.middle('chunk') * 1000:.0f}")
    console.print(table)
    ratios = {name: round(last.middle(name) / first.middle(name), 3) for name in what}
    grows = {
        name: (first.pages[name], pages)
        for name, pages in last.pages.items()
        if name in first.pages and pages > first.pages[name] * BOUND and pages > first.pages[name] + TREE
    }
    for name, size in weights.get("bytes_per_order", {}).items():
        console.print(f"{name}: {size} bytes per order")
    if weights:
        console.print(
            f"in all {weights['bytes_per_order_in_all']} bytes per order, {weights['archive_bytes_per_order']} in the "
            f"archive, {weights['archived_per_second']} orders/s put away"
        )
    return {
        "sizes": [
            {"orders": s.orders, "gigabytes": round(s.gigabytes, 2)} | {f"{n}_ms": round(s.middle(n), 3) for n in what}
            for s in sizes
        ],
        "ratios": ratios,
        "statements": {name: [first.pages.get(name), pages] for name, pages in last.pages.items()},
        "too_slow": [f"{n} takes {r} x as long" for n, r in ratios.items() if r > BOUND],
        "grows": [f"reads {was:.0f} pages, then {now:.0f}: {name}" for name, (was, now) in grows.items()],
        "weights": dict(weights),
    }


if __name__ == "__main__":
    run_as_command(measure)
