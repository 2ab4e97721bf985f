"""One contest: start a contestant's processes in a fresh world, place all orders at once, wait for the last one's end.

Long-lived processes are measured, not their start: a few orders go all the way first. Seconds are those from the first
of the others placed to the last one signed with every message told (shop, ERP, courier). What the world itself takes of
one order is taken off: it would pass in any case, and make the ratio better than it is.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.engine import make_engine, rows
from bench.cost import Meter
from bench.stage import BenchFailed, Stage
from bench.whole.checks import COUNT, complaints
from bench.whole.outside import Outside, outside
from deployments.processes import Child, child, free_port, modules, wait_until_up

WARM_UP: Final = 20
"""Orders that go all the way before anything is measured: imports, connections, tokens, the first run of each flow."""

WORLDS_OWN: Final = 0.7 + 1.0 + 0.25
"""Seconds until a customer pays (0.2 to 1.2), in the warehouse, and until the courier pushes what it gathers.

See `sim.script` (`hurried`) and `sim.systems.kdniao.news`.
"""

LOOK_EVERY: Final = 0.25  # more often would be felt: the floor gives the database little else to do
QUIET: Final = 60.0
"""Seconds without any progress after which a contestant has failed."""

SETTLED_WITHIN: Final = 30.0

PER_SECOND: Final = 100_000.0
"""At once: the world writes them as fast as it can."""

_ENDED: Final = """
select (select count(*) from sales_order where state = 'SIGNED') as ended,
  (select count(*) from outbox where done_at is null) as unsent,
  (select count(*) from inbox where state <> 'done') as unread,
  (select coalesce(max(id), 0) from outbox) as told
"""
_ENDED_DBOS: Final = """
select count(*) filter (where status = 'SUCCESS') as ended, 0 as unsent, 0 as unread, count(*) as told
from dbos.workflow_status
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """`processes`: name -> module and words, `{port}` is where webhooks come in. `database`: where its ends stand."""

    name: str
    processes: Mapping[str, tuple[str, ...]]
    database: str
    ended: str
    numbers: str
    before: tuple[str, ...] = ()  # a module that is run to its end first


CONTESTANTS: Final = {
    one.name: one
    for one in (
        Contestant(
            name="floor",
            processes={"floor": ("bench.whole.floor", "{port}")},
            database="ballast",
            ended=_ENDED,
            numbers="select order_no from sales_order where state = 'SIGNED'",
        ),
        Contestant(
            name="ballast",
            processes={"web": ("web", "--port", "{port}"), "serve": ("deployments.serve",)},
            database="ballast",
            ended=_ENDED,
            numbers="select order_no from sales_order where state = 'SIGNED'",
            before=("bench.whole.deploying",),
        ),
        Contestant(
            name="dbos",
            processes={"dbos": ("bench.whole.durable", "{port}")},
            database="dbos",
            ended=_ENDED_DBOS,
            numbers="select workflow_uuid from dbos.workflow_status where status = 'SUCCESS'",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one contest ended. `costs`: process -> CPU seconds and peak memory. `rows`: table -> rows, of who has any."""

    contestant: str
    orders: int
    seconds: float
    costs: Mapping[str, Mapping[str, float]]
    complaints: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def orders_per_second(self) -> float:
        return self.orders / self.seconds

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "orders_per_second": self.orders_per_second}


def contest(
    stage: Stage, name: str, orders: int, *, during: Callable[[Mapping[str, int]], None] | None = None
) -> Result:
    """Run one. `during`: called with name -> pid when everything is warm, before the measuring: for profiles.

    Raises `BenchFailed` when it does not get to its end.
    """
    who, port = CONTESTANTS[name], free_port()
    with ExitStack() as stack:
        out = stack.enter_context(outside(stage, orders=orders + WARM_UP, port=port))
        env = out.env | _hook_key(port)
        _run_before(who, env)
        started = {
            process: stack.enter_context(
                child(
                    process, modules(*(word.format(port=port) for word in words)), env=env, logs=stage.folder / "logs"
                )
            )
            for process, words in who.processes.items()
        }
        wait_until_up(next(iter(started.values())), f"http://127.0.0.1:{port}/ready")
        pids = {process: one.process.pid for process, one in started.items()} | {"world": out.world.running.process.pid}
        race = Race(out, started, who, orders, Meter({**stage.meter.roots, **pids}))
        return asyncio.run(race.run(stage.url(who.database), lambda: during(pids) if during else None))


def _hook_key(port: int) -> dict[str, str]:
    """Prefect's automations are part of the house, as `ballast up` has them."""
    return {
        "BALLAST_PREFECT_HOOK_KEY": "whole-bench-key-0123456789",
        "BALLAST_PREFECT_HOOK_URL": f"http://127.0.0.1:{port}/hooks/prefect",
    }


def _run_before(who: Contestant, env: Mapping[str, str]) -> None:
    if not who.before:
        return
    words = [sys.executable, "-m", *who.before]
    done = subprocess.run(words, env={**os.environ, **env}, capture_output=True, timeout=120, check=False)  # noqa: S603  # ours
    if done.returncode:
        raise BenchFailed(f"{' '.join(who.before)} failed:\n{done.stderr.decode()[-3000:]}")


@dataclass(frozen=True, slots=True)
class Race:
    """Everything is up: order, wait, look."""

    out: Outside
    started: Mapping[str, Child]
    who: Contestant
    orders: int
    meter: Meter

    async def run(self, url: str, warm: Callable[[], object]) -> Result:
        """`url`: of the database in which the contestant's ends stand. `warm` is called before the measuring."""
        engine = make_engine(url, pool=1)
        try:
            await self._to_the_end(engine, WARM_UP, before=0)
            await self._settle(engine)
            warm()
            with self.meter.measure() as spent:
                whole = await self._to_the_end(engine, self.orders, before=WARM_UP)
            await self._settle(engine)
            async with engine.connect() as tx:
                numbers = [row[0] for row in await rows(tx, self.who.numbers)]
                counts = dict((await rows(tx, COUNT))[0]._mapping) if self.who.database == "ballast" else {}
        finally:
            await engine.dispose()
        truth, effects = list(self.out.world.truth()), self.out.world.get("effects")
        return Result(
            contestant=self.who.name,
            orders=self.orders,
            seconds=max(whole - WORLDS_OWN, LOOK_EVERY),  # a single order may be luckier than the mean
            costs={process: asdict(cost) for process, cost in spent.items()},
            complaints=tuple(complaints(self.orders + WARM_UP, numbers, truth, effects)),
            rows=counts,
        )

    async def _to_the_end(self, engine: AsyncEngine, orders: int, *, before: int) -> float:
        """Seconds from the first of these orders placed until the last one's end; `before` were at theirs already."""
        began = changed = time.monotonic()
        self.out.world.post("start", orders=orders, per_second=PER_SECOND, keep_stock=True)
        seen: tuple[int, ...] = ()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for one in self.started.values():
                one.check()
            row, now = await self._look(engine), time.monotonic()
            if row.ended >= before + orders and not row.unsent:
                return now - began
            if tuple(row) != seen:
                seen, changed = tuple(row), now
            if now - changed > QUIET:
                logs = "\n".join(one.log.read_text(errors="replace")[-1500:] for one in self.started.values())
                raise BenchFailed(f"{self.who.name} stands still: {dict(row._mapping)} of {before + orders}\n{logs}")

    async def _settle(self, engine: AsyncEngine) -> None:
        """Let the customers confirm and the last messages be read."""
        until = time.monotonic() + SETTLED_WITHIN
        while time.monotonic() < until:
            progress, row = self.out.world.get("progress"), await self._look(engine)
            if progress["at_rest"] == progress["placed"] and not progress["webhooks_pending"] and not row.unread:
                return
            await asyncio.sleep(LOOK_EVERY)
        raise BenchFailed(f"{self.who.name}: the world has not come to rest: {progress}, {dict(row._mapping)}")

    async def _look(self, engine: AsyncEngine) -> Any:
        async with engine.connect() as tx:
            return (await rows(tx, self.who.ended))[0]
