"""The stock view at 50,000 SKUs in 10 warehouses: pulls, sweeps, and shops that ask meanwhile.

    python -m bench.stock --json FILE

An embedded PostgreSQL, an ERP that answers ExecuteBillQuery over HTTP (`bench.stock_outside`, 50 ms a call), the web
process and the process that pulls (`bench.stock_pulls`) run beside the one that asks. `GET /stock` is asked at a fixed
rate for one SKU at a time, `POST /orders/check` for three lines, then so that they are reserved; each once while
nothing else happens and once while pulls and sweeps take turns without a pause. A request's time counts from when it
was due, not from when it could be sent.
"""

import asyncio
import json as json_of
import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import aiohttp
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from ballast.db.embedded import embedded_server
from ballast.db.upgrade import create_database, upgrade
from ballast.domain.figures import percentile
from bench.command import run_as_command
from bench.stock_outside import CHANGED, sku
from deployments.processes import child, free_port, modules, wait_until_up

KEY = "key-of-the-bench"
CHANCE = random.Random(1)  # noqa: S311  # which SKU is asked for
LIMITS = {"pull, 1% changed": 5.0, "first sweep": 60.0, "sweep, 1% changed": 60.0}
"""Seconds."""
SLOWEST_ANSWER = 0.050
"""Seconds, p99, while pulls run."""


def measure(
    *,
    skus: int = 50_000,
    warehouses: int = 10,
    rate: Annotated[int, Parameter(help="GET /stock a second")] = 200,
    seconds: Annotated[int, Parameter(help="for how long shops ask")] = 20,
    rounds: int = 5,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Exit code 1 when a limit is missed."""
    with tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as folder:
        found = _measure(Path(folder), skus, warehouses, rate, seconds, rounds)
    if json:
        json.write_text(json_of.dumps(found, indent=2) + "\n")
    return _show(found)


def _measure(folder: Path, skus: int, warehouses: int, rate: int, seconds: int, rounds: int) -> dict[str, Any]:
    with embedded_server(folder / "pg") as server:
        url = server.url("ballast")
        asyncio.run(create_database(url, "ballast"))
        asyncio.run(upgrade(url))
        with _outside(folder, skus, warehouses) as erp, _web(folder, env := _env(url, erp)) as door:
            load = os.getloadavg()[0]
            alone = _pulls(env, "--erp", erp, "--rounds", str(rounds))
            asked = {ask.__name__: asyncio.run(_ask(door, ask, skus, rate, seconds)) for ask in QUESTIONS}
            command = modules("bench.stock_pulls", "--erp", erp, "--seconds", str(seconds * len(QUESTIONS)))
            with subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.PIPE) as pulling:  # noqa: S603
                time.sleep(3)  # it reads its settings and opens its connections
                busy = {ask.__name__: asyncio.run(_ask(door, ask, skus, rate, seconds - 3)) for ask in QUESTIONS}
                said = json_of.loads(pulling.communicate()[0])
    return {
        "skus": skus, "warehouses": warehouses, "load_before": load, "pulls": alone, "asked": asked,
        "asked_while_pulling": busy, "pulls_while_asked": said,
    }  # fmt: skip


@contextmanager
def _outside(folder: Path, skus: int, warehouses: int) -> Iterator[str]:
    port = free_port()
    command = modules("bench.stock_outside", str(port), "--skus", str(skus), "--warehouses", str(warehouses))
    with child("erp", command, env={}, logs=folder) as erp:
        deadline = time.monotonic() + 60
        while not _listens(port):
            erp.check()
            assert time.monotonic() < deadline, "the ERP of the bench does not start"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _web(folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    with child("web", modules("web", "--port", str(port)), env=env, logs=folder) as web:
        url = f"http://127.0.0.1:{port}"
        wait_until_up(web, f"{url}/ready")
        yield url


def _env(url: str, erp: str) -> dict[str, str]:
    return {
        "BALLAST_DATABASE_URL": url,
        "BALLAST_STOCK_KEY": KEY,
        "BALLAST_QUOTE_KEY": KEY,
        "BALLAST_KINGDEE__SERVER_URL": f"{erp}/k3cloud/",
        "BALLAST_KINGDEE__ACCT_ID": "65a0000000000a",
        "BALLAST_KINGDEE__USER_NAME": "integration",
        "BALLAST_KINGDEE__APP_ID": "200001_QWJjRGVmR2hpSmtsTW5vUHFyc1R1dld4",
        "BALLAST_KINGDEE__APP_SECRET": "0123456789abcdef0123456789abcdef",
        "BALLAST_KINGDEE__STOCK_CHANGED_FIELD": CHANGED,
    }


def _pulls(env: Mapping[str, str], *words: str) -> dict[str, Any]:
    command = modules("bench.stock_pulls", *words)
    done = subprocess.run(command, env={**os.environ, **env}, stdout=subprocess.PIPE, check=True)  # noqa: S603
    return dict(json_of.loads(done.stdout))


async def get_stock(shop: aiohttp.ClientSession, skus: int) -> bytes:
    """One SKU in all warehouses."""
    async with shop.get("/stock", params={"sku": sku(CHANCE.randrange(skus))}) as answer:
        said = await answer.read()
    assert answer.status == 200 and b'"warehouses":[{' in said, said[:200]
    return said


async def check_order(shop: aiohttp.ClientSession, skus: int) -> bytes:
    """Three lines that can be had."""
    lines = [{"sku": sku(CHANCE.randrange(skus)), "quantity": 1} for _ in range(3)]
    async with shop.post("/orders/check", json={"lines": lines}) as answer:
        said = await answer.read()
    assert answer.status == 200, said[:200]
    return said


async def reserve_order(shop: aiohttp.ClientSession, skus: int) -> bytes:
    """The same, and its pieces are kept for it."""
    lines = [{"sku": sku(CHANCE.randrange(skus)), "quantity": 1} for _ in range(3)]
    wish = {"lines": lines, "reserve": True, "order_no": f"B{next(NUMBERS)}"}
    async with shop.post("/orders/check", json=wish) as answer:
        said = await answer.read()
    assert answer.status == 200, said[:200]
    return said


NUMBERS = count(1)
QUESTIONS = (get_stock, check_order, reserve_order)
NAMES = {
    "get_stock": "GET /stock",
    "check_order": "POST /orders/check",
    "reserve_order": "POST /orders/check, reserved",
}


async def _ask(
    door: str, ask: Callable[[aiohttp.ClientSession, int], Awaitable[bytes]], skus: int, rate: int, seconds: int
) -> dict[str, float]:
    """Ask at a steady rate, however long the answers take."""
    took: list[float] = []
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(door, headers=headers, connector=aiohttp.TCPConnector(limit=200)) as shop:

        async def one(due: float) -> None:
            await ask(shop, skus)
            took.append(time.perf_counter() - due)

        for _ in range(20):  # connections, and the plan of the query
            await one(time.perf_counter())
        took.clear()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(rate * seconds):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(due))
    return {
        "requests": len(took),
        **{f"p{share}_ms": 1000 * (percentile(took, share / 100) or 0) for share in (50, 95, 99)},
        "most_ms": 1000 * max(took),
    }


def _show(found: Mapping[str, Any]) -> int:
    console, missed = Console(), False
    table = Table(
        title=f"{found['skus']} SKUs x {found['warehouses']} warehouses, load {found['load_before']:.1f} before"
    )
    for name in ("what", "median", "most", "limit"):
        table.add_column(name)
    for name, took in found["pulls"]["seconds"].items():
        limit = LIMITS.get(name)
        missed |= limit is not None and max(took) > limit
        table.add_row(name, f"{median(took):.2f} s", f"{max(took):.2f} s", f"{limit:.0f} s" if limit else "")
    for when in ("asked", "asked_while_pulling"):
        for name, said in found[when].items():
            p99 = f"p99 {said['p99_ms']:.1f} ms"
            table.add_row(f"{NAMES[name]}, {when}", f"{said['p50_ms']:.1f} ms", p99, "p99 50 ms")
    missed |= any(said["p99_ms"] > 1000 * SLOWEST_ANSWER for said in found["asked_while_pulling"].values())
    console.print(table)
    console.print(f"memory of the process that pulls: at most {found['pulls']['most_mb']:.0f} MB")
    return 1 if missed else 0


if __name__ == "__main__":
    run_as_command(measure)
