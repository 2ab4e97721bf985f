"""What every contestant of the whole bench stands in: an empty database with stock in it, and a world that waits.

The world is the simulators' without faults, every order goes well, and nobody lets anybody wait for more than a second
(the warehouse). Its clock is the machine's.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.erp.kingdee.client import Kingdee
from ballast.clock import Clock
from ballast.db.engine import make_engine
from ballast.db.stock import take_figures
from ballast.db.upgrade import create_database, upgrade
from ballast.settings import KingdeeSettings
from bench.stage import Stage
from deployments.rehearsal.world import START, Credentials, World, as_env, world

SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The world of one contest, and what a contestant's processes are told of it (settings of Ballast)."""

    world: World
    env: dict[str, str]


@contextmanager
def outside(stage: Stage, *, orders: int, port: int) -> Iterator[Outside]:
    """A fresh world and a fresh database. Nobody has ordered yet. Webhooks go to `port` of loopback."""
    credentials = Credentials.make()
    hooks = f"http://127.0.0.1:{port}/hooks"
    home = Path(stage.folder) / "world"
    with world(credentials, seed=SEED, speed=1.0, hooks=hooks, home=home, prompt=True) as running:
        running.post("start", orders=0, stock_for=orders)
        clock = Clock(start=START, anchor=running.anchor, speed=1.0)
        ours = credentials.ours(running.url)
        asyncio.run(_fill(stage, clock, KingdeeSettings(**ours["kingdee"])))
        env = {
            **stage.env,
            **as_env(ours),
            "BALLAST_CLOCK__START": START.isoformat(),
            "BALLAST_CLOCK__ANCHOR": str(running.anchor),
            "BALLAST_CONSOLE_KEY": credentials.world["direct"]["secret"],
            "BALLAST_WEB_PORT": str(port),
            "BALLAST_WEB_URL": f"http://127.0.0.1:{port}",
            "BENCH_DBOS_URL": stage.url("dbos"),
        }
        yield Outside(world=running, env=env)


async def _fill(stage: Stage, clock: Clock, settings: KingdeeSettings) -> None:
    """Empty databases for all; the ledger starts with the ERP's figures."""
    url = stage.url("ballast")
    for name in ("ballast", "dbos"):
        await create_database(url, name, fresh=True)
    await upgrade(url)
    engine, erp = make_engine(url, pool=1), Kingdee(settings, clock)
    try:
        figures = (await erp.stock()).figures
        async with engine.begin() as tx:
            await take_figures(tx, figures, asked_at=clock.now())
    finally:
        await erp.close()
        await engine.dispose()
