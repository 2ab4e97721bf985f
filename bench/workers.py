"""What more workers bring: one, two and four `deployments.serve` on one database and one simulated world, in turns.

    python -m bench.workers --orders 1000 --workers 1 2 4 --json FILE

Everything else runs once, as `ballast up` runs it. For each measurement so many workers are started; orders are placed
as fast as the world places them, and go from payment to sign-off; every call takes 20 to 40 ms. Orders a second are
counted from the first order placed until nine of ten are signed for: the last ones wait for couriers. The systems
themselves count how many calls are under way at once and how many come in a second. Checked at the end, for every order
of every measurement: known, at rest, as the world has it, nothing done twice; and the systems' counts within the
settings. What fails is named, and there is no table.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.engine import make_engine, rows
from ballast.settings import LimitedPart, Settings, settings
from bench.command import run_as_command
from deployments.processes import Child, StartFailed, child, free_port, modules, wait_until_up
from deployments.rehearsal.stage import Stage, rehearsal
from deployments.rehearsal.verdict import judge
from deployments.rehearsal.watching import count_runs, look, what_is_shown

SPEED = 86_400.0
"""Business seconds per second: nobody waits for the courier."""
PLACED_PER_SECOND = 400.0
LATENCY_MS = (20, 40)
COUNTED = 0.9
"""The part of the orders whose signature ends the measurement."""
PATIENCE = {"unpaid": "P900D", "warehouse_quiet": "P900D", "courier_quiet": "P900D", "early_news": "P900D"}
NO_CLOCKS = """
through: [dingtalk]
clocks: []
ladders:
  info: [{after: 0m, to: everybody}]
  warning: [{after: 0m, to: everybody}]
  urgent: [{after: 0m, to: everybody}]
roles: {everybody: somebody}
people: {somebody: {name: somebody}}
"""
"""A day passes in a second: every limit would be broken at once."""
STUCK = 240.0
"""Seconds after which a measurement is given up."""
LIMITED = ("kingdee", "qimen", "kdniao", "wechat", "wechatpay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measurement. `calls`: what each system counted."""

    round: int
    workers: int
    orders_per_second: float
    seconds: float
    worker_cpu_seconds: float
    flow_runs: int
    calls: Mapping[str, Mapping[str, int]]


class CheckFailed(Exception):
    """A figure that would be no figure: what went wrong stands in it."""


def measure(
    *,
    orders: Annotated[int, Parameter(help="orders of one measurement")] = 1000,
    workers: Annotated[list[int], Parameter(help="how many at once", consume_multiple=True)] = [1, 2, 4],  # noqa: B006  # cyclopts reads it, nobody changes it
    rounds: Annotated[int, Parameter(help="how often each")] = 3,
    per_second: Annotated[float, Parameter(help="calls a second that each system allows; 0: any number")] = 0,
    file: Annotated[Path | None, Parameter(name="--json", help="write the figures to this file")] = None,
) -> int:
    """Measure one worker against several, in turns."""
    console = Console()
    if orders < 1 or rounds < 1 or not workers or min(workers) < 1 or per_second < 0:
        console.print(
            "[red]--orders, --rounds and each of --workers have to be 1 or more, --per-second 0 or more[/red]"
        )
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="ballast-workers-", ignore_cleanup_errors=True) as folder:
            found = _on_stage(Path(folder), orders, workers, rounds, per_second, console)
    except (CheckFailed, StartFailed) as failure:
        console.print(f"[red]{failure}[/red]")
        return 1
    figures = _figures(orders, found)
    _show(figures, console)
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _on_stage(
    home: Path, orders: int, workers: Sequence[int], rounds: int, per_second: float, console: Console
) -> list[Measured]:
    """Every measurement, alternating, and the checks at the end."""
    turns = [(number, count) for number in range(1, rounds + 1) for count in _in_turn(workers, number)]
    config = settings().model_copy(update={"home": home})
    with rehearsal(
        config, console, home=home, orders=orders * len(turns), seed=1, speed=SPEED, patience=PATIENCE, serves=0
    ) as stage:
        stage.outside.post("faults", system="*", latency_ms=LATENCY_MS)
        found: list[Measured] = []
        for number, count in turns:
            placed = orders * len(found)
            found.append(_measure(stage, number, count, placed, orders, per_second))
            console.print(f"round {number}, {count} worker(s): {found[-1].orders_per_second} orders/s")
        asyncio.run(_check(stage, orders * len(turns)))
        for one in found:
            _check_limits(settings(), one, per_second)
    return found


def _in_turn(workers: Sequence[int], number: int) -> list[int]:
    """Another begins each round: the world and the tables grow, and the later ones would bear it."""
    first = (number - 1) % len(workers)
    return [*workers[first:], *workers[:first]]


def _measure(stage: Stage, number: int, count: int, placed: int, orders: int, per_second: float) -> Measured:
    with ExitStack() as stack:
        running = [stack.enter_context(_worker(stage, name, per_second)) for name in range(1, count + 1)]
        for one in running:
            wait_until_up(one, f"http://127.0.0.1:{one.env['BALLAST_SERVE_PORT']}/ready", seconds=120)
        cpu = sum(map(_cpu_seconds, running))
        stage.outside.post("calls")
        began, since = time.time(), datetime.now(UTC)
        stage.outside.post("start", orders=orders, per_second=PLACED_PER_SECOND, keep_stock=True)
        signed = asyncio.run(_until_at_rest(stage, placed + orders, running))
        cpu = sum(map(_cpu_seconds, running)) - cpu
        calls = {name: counts for name, counts in stage.outside.get("calls").items() if name in LIMITED}
        flow_runs = count_runs(stage.house, "flow_runs", since)
        for one in running:
            one.tell()
    signed = sorted(at for at in signed if at > began)
    if len(signed) < COUNTED * orders:
        raise CheckFailed(f"{len(signed)} of {orders} orders were signed for")
    seconds = signed[int(COUNTED * orders) - 1] - began
    return Measured(
        round=number,
        workers=count,
        orders_per_second=round(COUNTED * orders / seconds, 1),
        seconds=round(seconds, 1),
        worker_cpu_seconds=round(cpu, 1),
        flow_runs=flow_runs,
        calls=calls,
    )


def _worker(stage: Stage, number: int, per_second: float) -> Any:
    """A worker as it runs in production, with a port that says when it is ready."""
    policy = Path(stage.house.env["BALLAST_HOME"]) / "no-clocks.yaml"
    policy.write_text(NO_CLOCKS)
    env = {
        **stage.house.env,
        "BALLAST_SERVE_PORT": str(free_port()),
        "BALLAST_SLA_POLICY": str(policy),
        **{f"BALLAST_{name.upper()}__CALLS_PER_SECOND": str(per_second) for name in LIMITED},
    }
    logs = Path(stage.house.env["BALLAST_HOME"]) / "logs"
    return child(f"worker-{number}", modules("deployments.serve"), env=env, logs=logs)


async def _until_at_rest(stage: Stage, orders: int, running: Sequence[Child]) -> list[float]:
    """Wait until every order placed so far is at rest; when each was signed for, in Unix seconds."""
    engine, give_up = make_engine(stage.house.database_url, pool=1), time.monotonic() + STUCK
    try:
        while time.monotonic() < give_up:
            for one in (*running, stage.outside.running):
                one.check()
            async with engine.connect() as tx:
                seen = await look(tx)
            told = stage.outside.get("progress")
            if seen.at_rest(orders) and told["at_rest"] >= orders and not told["webhooks_pending"]:
                return await _signatures(stage, engine)
            await asyncio.sleep(0.5)
    finally:
        await engine.dispose()
    states = {str(state): count for state, count in seen.counts.items() if count}
    raise CheckFailed(f"not at rest after {STUCK:g} s: {states}, {seen.unread} unread, {seen.unsent} unsent")


async def _signatures(stage: Stage, engine: AsyncEngine) -> list[float]:
    async with engine.connect() as tx:
        found = await rows(tx, "select recorded_at from order_event where to_state = 'SIGNED' and moved")
    return [stage.outside.machine_seconds(row.recorded_at) for row in found]


def _cpu_seconds(one: Child) -> float:
    """What a process has used so far (Linux only, else 0)."""
    with suppress(OSError):
        fields = Path(f"/proc/{one.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


async def _check(stage: Stage, orders: int) -> None:
    """Every order, by the world's own truth; nothing done twice, and no claim shared."""
    engine = make_engine(stage.house.database_url, pool=1)
    try:
        shown = await what_is_shown(engine)
    finally:
        await engine.dispose()
    verdict = judge(shown, stage.outside.truth(), stage.outside.get("effects"))
    if not verdict.clean or len(shown) != orders:
        wrong = {name: count for name, count in verdict.counts.items() if count}
        raise CheckFailed(f"{len(shown)} of {orders} orders are known; {wrong or 'nothing else is wrong'}")


def _check_limits(config: Settings, one: Measured, per_second: float) -> None:
    for name, counts in one.calls.items():
        allowed = _allowed(config, name)
        if counts["most_at_once"] > allowed:
            raise CheckFailed(
                f"{one.workers} worker(s): {counts['most_at_once']} calls at once of {name}, not {allowed}"
            )
        if per_second and counts["most_in_a_second"] > max(1.0, per_second):
            raise CheckFailed(f"{one.workers} worker(s): {counts['most_in_a_second']} calls of {name} in a second")


def _allowed(config: Settings, name: str) -> int:
    part: LimitedPart | None = getattr(config, name)
    field = Settings.model_fields[name].annotation
    if part is not None:
        return part.max_calls
    kind = next(one for one in getattr(field, "__args__", ()) if issubclass(one, LimitedPart))
    return int(kind.model_fields["max_calls"].default)


def _figures(orders: int, found: Sequence[Measured]) -> dict[str, Any]:
    """Medians over the rounds, ratios of each round to its own measurement of the smallest number of workers."""
    least = min(one.workers for one in found)
    alone = {one.round: one.orders_per_second for one in found if one.workers == least}
    summed = []
    for count in sorted({one.workers for one in found}):
        mine = [one for one in found if one.workers == count]
        ratios = [one.orders_per_second / alone[one.round] for one in mine]
        summed.append(
            {
                "workers": count,
                "orders_per_second": median(one.orders_per_second for one in mine),
                "ratio": round(median(ratios), 2),
                "ratio_min": round(min(ratios), 2),
                "ratio_max": round(max(ratios), 2),
                "cpu_ms_per_order": round(median(one.worker_cpu_seconds for one in mine) / orders * 1000, 1),
                "flow_runs": median(one.flow_runs for one in mine),
                "duplicates": 0,  # checked: else there were no figures
                "calls": {name: _highest(mine, name) for name in LIMITED},
            }
        )
    return {"orders": orders, "cores": os.cpu_count(), "workers": summed, "measured": [asdict(one) for one in found]}


def _highest(found: Sequence[Measured], name: str) -> dict[str, int]:
    counted = [one.calls[name] for one in found if name in one.calls]
    return {what: max((one[what] for one in counted), default=0) for what in ("most_at_once", "most_in_a_second")}


def _show(figures: Mapping[str, Any], console: Console) -> None:
    table = Table(title=f"{figures['orders']} orders a measurement, {figures['cores']} cores")
    for column in ("workers", "orders/s", "ratio (min - max)", "CPU ms/order", "runs", "duplicates"):
        table.add_column(column, justify="right")
    for one in figures["workers"]:
        ratio = f"{one['ratio']} ({one['ratio_min']} - {one['ratio_max']})"
        row = (one["workers"], one["orders_per_second"], ratio, one["cpu_ms_per_order"], one["flow_runs"])
        table.add_row(*map(str, (*row, one["duplicates"])))
    console.print(table)
    calls = Table(title="Most calls at once · in any second, as each system counted them")
    calls.add_column("system")
    for one in figures["workers"]:
        calls.add_column(f"{one['workers']} worker(s)", justify="right")
    for name in LIMITED:
        counted = [one["calls"][name] for one in figures["workers"]]
        calls.add_row(name, *(f"{count['most_at_once']} · {count['most_in_a_second']}" for count in counted))
    console.print(calls)


if __name__ == "__main__":
    run_as_command(measure)
