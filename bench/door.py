"""How fast a shop hears what can be promised, while the ERP's figures come in.

    python -m bench.door --rate 200 --seconds 60 --json FILE
    python -m bench.door --quick

One embedded PostgreSQL with 50,000 articles in 10 warehouses, limits and 20,000 reservations; the web process of
production; beside it a process that takes the ERP's figures of all levels, over and over, in pages of 2,000, each with
new figures for a tenth of its levels. `POST /orders/check` is asked on a fixed schedule, three lines at a time, whether
the last one was answered or not; latency counts from when a question should have been sent.

Four rounds: questions without the sync, with it, with it and every question a reservation, and, with it, orders that
are pushed at a quarter of the rate. Exit code 1 when an answer was missing, or the p99 of the second is above 50 ms.
"""

import asyncio
import json as json_of
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from adapters.storefronts.direct.webhook import sign
from ballast.db.embedded import embedded_server
from ballast.db.engine import make_engine, rows, run
from ballast.db.stock import take_figures
from ballast.db.upgrade import create_database, upgrade
from ballast.ports import StockFigure
from bench.command import run_as_command
from bench.cost import Meter
from deployments.processes import child, free_port, modules, wait_until_up

KEY: Final = "key-of-the-bench"
BOUND: Final = 0.050
LINES: Final = 3
PAGE: Final = 2_000
WARM_UP: Final = 5.0
TIMEOUT: Final = ClientTimeout(total=10)

LEVELS: Final = """
insert into stock_level (sku, warehouse, on_hand, locked, short, available, figure_at, rose_at)
select 'SKU-' || lpad(cast(s as text), 6, '0'), 'CK' || lpad(cast(w as text), 3, '0'), 1000, 0, 0, 1000, now(), now()
from generate_series(1, cast(:articles as int)) s, generate_series(1, cast(:warehouses as int)) w
"""
LIMITS: Final = """
insert into stock_limit (sku, warehouse, safety_line, safety_reserve, changed_by, changed_at)
select 'SKU-' || lpad(cast(s as text), 6, '0'), '', 20, 5, 'bench', now()
from generate_series(1, cast(:articles as int), 5) s
"""
RESERVATIONS: Final = """
insert into stock_reservation (order_no, sku, warehouse, quantity, made_at, expires_at)
select 'OLD-' || n, 'SKU-' || lpad(cast(n % :articles + 1 as text), 6, '0'), 'CK001', 1, now(),
  now() + make_interval(mins => n % 60 - 30)
from generate_series(1, 20000) n
"""


@dataclass(slots=True)
class Heard:
    """What was answered: seconds from when it should have been asked, and how many were not answered with 200."""

    took: list[float] = field(default_factory=list)
    failed: int = 0

    def at(self, share: float) -> float:
        """The latency that this share of the answers stayed below."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


def measure(
    *,
    rate: int = 200,
    seconds: float = 60.0,
    articles: int = 50_000,
    warehouses: int = 10,
    quick: bool = False,
    json: Annotated[Path | None, Parameter(help="write the figures here")] = None,
) -> int:
    """Measure `POST /orders/check`, and the door that orders are pushed through."""
    console = Console()
    if quick:
        seconds, articles, warehouses = 5.0, 2_000, 3
    with _ground(articles, warehouses) as (url, database, meter):

        def measured(make: Callable[..., Request], *, share: float = 1.0, lasts: float = seconds) -> Heard:
            return asyncio.run(_send(url, rate * share, lasts, articles, make))

        measured(_question, lasts=WARM_UP)
        with meter.measure() as spent:
            rounds = {"questions": measured(_question)}
        with _syncing(database) as taken:
            rounds["the same while syncing"] = measured(_question)
            rounds["reservations while syncing"] = measured(_reservation)
            rounds["orders pushed while syncing"] = measured(_order, share=0.25)
        figures = {name: _figures(heard) for name, heard in rounds.items()}
    asked = len(rounds["questions"].took)
    said = {
        "rate": rate, "seconds": seconds, "levels": articles * warehouses, "figures_per_second": taken(),
        "rounds": figures, "cpu_ms_per_question": {n: round(c.cpu_s / asked * 1000, 2) for n, c in spent.items()},
    }  # fmt: skip
    _show(said, console)
    if json is not None:
        json.write_text(json_of.dumps(said, indent=2) + "\n")
    late = rounds["the same while syncing"].at(0.99) > BOUND and not quick
    return 1 if late or any(heard.failed for heard in rounds.values()) else 0


@contextmanager
def _ground(articles: int, warehouses: int) -> Iterator[tuple[str, str, Meter]]:
    """(URL of the web process, that of its database, what they spend), on loopback and in a folder that is removed."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ballast-bench-", ignore_cleanup_errors=True))
        )
        server = stack.enter_context(embedded_server(folder / "pg"))
        database = server.url("ballast")
        asyncio.run(_fill(server.url("postgres"), database, articles, warehouses))
        port = free_port()
        env = {
            "BALLAST_DATABASE_URL": database,
            "BALLAST_HOME": str(folder),
            "BALLAST_QUOTE_KEY": KEY,
            "BALLAST_DIRECT__SECRET": KEY,
        }
        web = stack.enter_context(child("web", modules("web", "--port", str(port)), env=env, logs=folder / "logs"))
        url = f"http://127.0.0.1:{port}"
        wait_until_up(web, f"{url}/health")
        yield url, database, Meter({"web": web.process.pid, "postgres": server.server.get_postmaster_info().pid})


async def _fill(server: str, database: str, articles: int, warehouses: int) -> None:
    await create_database(server, "ballast")
    await upgrade(database)
    engine = make_engine(database, pool=1)
    async with engine.begin() as tx:
        await run(tx, LEVELS, articles=articles, warehouses=warehouses)
        await run(tx, LIMITS, articles=articles)
        await run(tx, RESERVATIONS, articles=articles)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await run(connection, "analyze")
    await engine.dispose()


# -- asking --------------------------------------------------------------------------------------------------------


Request = tuple[str, bytes, dict[str, str]]
"""(path, body, headers)."""


def _question(number: int, lines: list[dict[str, Any]]) -> Request:
    return "/orders/check", orjson.dumps({"lines": lines}), {"Authorization": f"Bearer {KEY}"}


def _reservation(number: int, lines: list[dict[str, Any]]) -> Request:
    body = {"lines": lines, "order_no": f"R{number}", "reserve": True}
    return "/orders/check", orjson.dumps(body), {"Authorization": f"Bearer {KEY}"}


def _order(number: int, lines: list[dict[str, Any]]) -> Request:
    """As a shop pushes it."""
    wanted = [
        {**line, "line_no": place, "name": "x", "unit_price": 100, "amount": 100 * line["quantity"]}
        for place, line in enumerate(lines, 1)
    ]
    order = {
        "order_no": f"SO{number}", "channel": "wechat", "placed_at": datetime.now(UTC).isoformat(),
        "total": sum(line["amount"] for line in wanted), "customer": {"no": f"C{number}"}, "lines": wanted,
        "receiver": {"name": "王", "mobile": "13800000000", "province": "上海", "city": "上海市", "address": "1"},
    }  # fmt: skip
    body = orjson.dumps({"event": "order.placed", "event_id": f"E{number}", "order": order})
    timestamp = str(int(time.time()))
    signature = sign(KEY.encode(), timestamp, body)
    return "/hooks/direct", body, {"X-Ballast-Timestamp": timestamp, "X-Ballast-Signature": signature}


async def _send(url: str, rate: float, seconds: float, articles: int, make: Callable[..., Request]) -> Heard:
    heard, loop, chance = Heard(), asyncio.get_running_loop(), random.Random(1)  # noqa: S311  # the same every time
    async with (
        ClientSession(timeout=TIMEOUT, connector=TCPConnector(limit=200), cookie_jar=DummyCookieJar()) as session,
        asyncio.TaskGroup() as group,
    ):
        begin, first = loop.time() + 0.2, time.time_ns() // 1000
        for number in range(round(rate * seconds)):
            due = begin + number / rate
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            lines = [
                {"sku": f"SKU-{chance.randint(1, articles):06}", "quantity": chance.randint(1, 5)} for _ in range(LINES)
            ]
            group.create_task(_send_one(session, url, make(first + number, lines), due, heard))
    return heard


async def _send_one(session: ClientSession, url: str, request: Request, due: float, heard: Heard) -> None:
    path, body, headers = request
    try:
        async with session.post(f"{url}{path}", data=body, headers=headers) as answer:
            good = answer.status == 200 and bool(await answer.read())
    except (ClientError, OSError, TimeoutError):
        good = False
    heard.took.append(asyncio.get_running_loop().time() - due)
    heard.failed += not good


# -- the sync ------------------------------------------------------------------------------------------------------


@contextmanager
def _syncing(database: str) -> Iterator[Any]:
    """Figures come in from a process of its own until the context ends; then: how many in a second."""
    begun, lines, ended = time.monotonic(), list[str](), 1.0
    process = subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-m", "bench.door", "sync", database], stdout=subprocess.PIPE, env=os.environ, text=True
    )
    try:
        yield lambda: round(sum(map(int, lines)) / ended)
    finally:
        ended = time.monotonic() - begun
        process.terminate()
        lines += (process.communicate()[0] or "").split()


async def sync(database: str) -> None:
    """Take figures of every level in pages, each a transaction, until somebody ends the process."""
    engine, chance = make_engine(database, pool=1), random.Random(2)  # noqa: S311
    after = ("", "")
    while True:
        async with engine.begin() as tx:
            page = await rows(
                tx,
                """select sku, warehouse, on_hand from stock_level where (sku, warehouse) > (:sku, :warehouse)
                order by sku, warehouse limit :page""",
                sku=after[0], warehouse=after[1], page=PAGE,
            )  # fmt: skip
            figures = [
                StockFigure(sku=r.sku, warehouse=r.warehouse, on_hand=pieces, available=pieces, locked=0)
                for r in page
                for pieces in [900 + chance.randint(0, 200) if chance.random() < 0.1 else r.on_hand]
            ]
            await take_figures(tx, figures, asked_at=datetime.now(UTC) + timedelta(milliseconds=1))
        after = (page[-1].sku, page[-1].warehouse) if len(page) == PAGE else ("", "")
        sys.stdout.write(f"{len(page)}\n")
        sys.stdout.flush()


# -- telling -------------------------------------------------------------------------------------------------------


def _figures(heard: Heard) -> dict[str, float]:
    ms = {name: round(heard.at(share) * 1000, 1) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
    return {"asked": len(heard.took), "failed": heard.failed, **ms, "max": round(max(heard.took) * 1000, 1)}


def _show(said: dict[str, Any], console: Console) -> None:
    table = Table("round", "asked", "failed", "p50, ms", "p95, ms", "p99, ms", "max, ms")
    for name, one in said["rounds"].items():
        table.add_row(name, *(str(value) for value in one.values()))
    console.print(table)
    spent = ", ".join(f"{name} {ms} ms" for name, ms in said["cpu_ms_per_question"].items())
    console.print(
        f"{said['rate']} questions a second; {said['levels']} levels, {said['figures_per_second']} figures a second; "
        f"CPU per question: {spent}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["sync"]:
        asyncio.run(sync(sys.argv[2]))
    run_as_command(measure)
