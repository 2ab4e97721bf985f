"""The pulls of `bench.stock`, in a process of their own: timed one by one, or again and again while shops ask.

Prints one JSON object: seconds of each pull by kind, and the most memory that the process took.
"""

import asyncio
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

import httpx
import orjson

from ballast.collector import spare_collector
from ballast.db import stock_troubles
from ballast.db.engine import make_engine, rows, run
from ballast.settings import settings
from ballast.wiring import House, database_url
from bench.command import run_as_command
from tasks.stock_view import Pulled, pull

WITH_LINE = 2000


def pulls(*, erp: str, rounds: int = 5, seconds: int = 0) -> int:
    """`seconds`: for so long pulls and sweeps take turns without a pause; else `rounds` of each are timed."""
    took = asyncio.run(_pulls(erp, rounds, seconds))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(orjson.dumps({"seconds": took, "most_mb": most}).decode() + "\n")
    return 0


async def _pulls(erp: str, rounds: int, seconds: int) -> dict[str, list[float]]:
    config = settings()
    here = House(config, config.make_clock(), make_engine(database_url(config)))
    spare_collector()
    took: defaultdict[str, list[float]] = defaultdict(list)
    async with httpx.AsyncClient(base_url=erp, trust_env=False, timeout=60) as control:

        async def one(name: str, work: Callable[[], Awaitable[object]], share: float = 0.0) -> None:
            if share:
                await control.post("/change", params={"share": share})
            began = time.perf_counter()
            said = await work()
            took[name].append(time.perf_counter() - began)
            assert not (isinstance(said, Pulled) and said.failed), said

        if seconds:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                await one("pull, 1% changed", lambda: pull(here), 0.01)
                await one("sweep, 1% changed", lambda: pull(here, sweep=True), 0.01)
        else:
            await one("first sweep", lambda: pull(here))
            await _analyze(here)
            for _ in range(rounds):
                await one("pull, 1% changed", lambda: pull(here), 0.01)
                await one("pull, nothing changed", lambda: pull(here), 1e-9)
                await one("sweep, 1% changed", lambda: pull(here, sweep=True), 0.01)
            await _lines(here, one, rounds)
    await here.close()
    return took


async def _lines(here: House, one: Callable[..., Awaitable[None]], rounds: int) -> None:
    async def look() -> None:
        async with here.transaction() as tx:
            await stock_troubles.note_lines(tx, here.clock.now())

    for name, sql in (
        (f"lines of {WITH_LINE} SKUs", _SOME.format(most=WITH_LINE)),
        ("one line for everything", _WIDE),
    ):
        async with here.transaction() as tx:
            await run(tx, sql, now=here.clock.now())
        await look()  # those that are below it now ring
        for _ in range(rounds):
            await one(name, look)
    async with here.transaction() as tx:
        await rows(tx, "delete from stock_limit where sku = '' returning 1")
    await look()


_SOME = """
insert into stock_limit (sku, warehouse, safety_line, changed_by, changed_at)
select distinct sku, '', 5, 'bench', cast(:now as timestamptz) from stock_level
where sku in (select distinct sku from stock_level order by sku limit {most})
"""
_WIDE = """
insert into stock_limit (sku, warehouse, safety_line, changed_by, changed_at)
values ('', '', 5, 'bench', cast(:now as timestamptz))
"""


async def _analyze(here: House) -> None:
    """As autovacuum does within a minute."""
    async with here.engine.connect() as connection:
        quiet = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await run(quiet, "analyze stock_level")


if __name__ == "__main__":
    run_as_command(pulls)
