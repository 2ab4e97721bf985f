"""What the gates cost, against what they may.

    python -m bench.gates [--quick] [--json FILE]

Price and promotions of orders of 5 lines by a book of 200 rows and 20 promotions, on one core. Then the gates' share of
two steps with an embedded PostgreSQL, by the tasks of production: taking in chunks of 400 orders, with the default risk
rules and with book and promotions too; and handing them to a warehouse that answers after 5 ms, over HTTP. A quarter of
the orders are of customers, numbers and devices that are known.

Intake is measured as Prefect runs it, one flow run for each chunk, with its task and its artifact, against a real
server; and as the bare transaction, which nothing but PostgreSQL slows down: that figure is shown, and has no limit.

Exit code 1 when fewer than 1,000 orders a second are priced, or a share of a step is 15% or more.
"""

import asyncio
import json as json_of
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from ballast.clock import Clock
from ballast.collector import spare_collector
from ballast.db.claims import claim
from ballast.db.engine import run
from ballast.domain.words import Step
from ballast.wiring import House
from bench.command import run_as_command
from bench.gates.intake import CHUNK, WARM, open_house, push
from bench.gates.rules import per_second
from bench.gates.spent import Spent
from bench.gates.warehouse import Warehouse
from bench.stage import Stage, stage
from deployments.processes import child, free_port, modules, wait_until_up
from tasks.orders import take_in
from tasks.wms import hand_to_warehouse

PER_SECOND: Final = 1000
SHARE: Final = 0.15
RULES: Final = {"risk rules": False, "risk rules, prices, promotions": True}
"""What stands at intake, and whether the bench's book is published."""
Figures = dict[str, float]


def measure(
    *,
    quick: Annotated[bool, Parameter(help="few chunks: whether it works, not how fast it is")] = False,
    json: Annotated[Path | None, Parameter(help="write the figures to this file")] = None,
) -> int:
    """Exit code 1 when a limit is missed."""
    with stage() as ready:
        found = _measure(ready, 6 if quick else 30, 1000 if quick else 10_000)
    if json:
        json.write_text(json_of.dumps(found, indent=2) + "\n")
    return _show(found)


def _measure(ready: Stage, chunks: int, orders: int) -> dict[str, Figures]:
    found = {"pricing": per_second(orders, Clock().now())}
    port = free_port()
    command = modules("uvicorn", "bench.gates.warehouse:app", "--port", str(port), "--log-level", "error")
    with child("warehouse", command, env={}, logs=ready.folder) as warehouse:
        wait_until_up(warehouse, url := f"http://127.0.0.1:{port}/")
        for name, book in RULES.items():
            found[f"intake, {name}"] = _flow_runs(ready, chunks, book=book)
            found |= asyncio.run(_bare(ready, name, chunks, url, book=book))
    return found


async def _bare(ready: Stage, name: str, chunks: int, warehouse: str, *, book: bool) -> dict[str, Figures]:
    house = await open_house(ready.url("ballast"), book=book)
    house.roles["wms"] = Warehouse(warehouse, house.engine)
    spare_collector()
    found = {f"intake, {name}: bare transaction": await _rounds("at_intake", chunks, partial(_pushed, house))}
    if book:
        found["ship-out"] = await _rounds("before_shipping", chunks, partial(_locked, house))
    await house.close()
    return found


def _flow_runs(ready: Stage, chunks: int, *, book: bool) -> Figures:
    said, _ = ready.contest("bench.gates.intake", str(chunks), *(["book"] if book else []))
    return _figures(said["steps"], said["within"])


def _figures(steps: Sequence[float], within: Sequence[float]) -> Figures:
    return {
        "step_ms": 1000 * median(steps),
        "gates_ms": 1000 * median(within),
        "share": median(gates_s / step for gates_s, step in zip(within, steps, strict=True)),
    }


async def _rounds(gate: str, chunks: int, ready: Callable[[int], Awaitable[Callable[[], Awaitable[Any]]]]) -> Figures:
    """`ready` prepares a chunk, and gives what is measured."""
    steps, within = [], []
    for turn in range(WARM + chunks):
        work = await ready(turn)
        with Spent(gate) as spent:
            began = time.perf_counter()
            tally = await work()
            took = time.perf_counter() - began
        assert sum(tally.values()) == CHUNK and "held" not in tally, f"{dict(tally)} of {CHUNK} orders"
        if turn >= WARM:
            steps.append(took)
            within.append(spent.seconds)
    return _figures(steps, within)


async def _pushed(house: House, turn: int) -> Callable[[], Awaitable[Any]]:
    await push(house, turn)
    return lambda: take_in.fn(CHUNK)


async def _locked(house: House, _turn: int) -> Callable[[], Awaitable[Any]]:
    """The next orders that were taken in, as if they were paid and locked."""
    now = house.clock.now()
    async with house.transaction() as tx:
        await run(
            tx,
            """
            update sales_order set state = 'STOCK_LOCKED', due_step = 'ship_out', due_at = :now, paid_at = :now,
              locked_at = :now, warehouse = 'CK001'
            where id in (select id from sales_order where state = 'PENDING_PAYMENT' order by id limit :most)""",
            now=now,
            most=CHUNK,
        )
        chunk = await claim(tx, Step.SHIP_OUT, owner="bench", most=CHUNK, now=now, until=now + timedelta(minutes=10))
    return lambda: hand_to_warehouse.fn(chunk)


def _show(found: dict[str, Figures]) -> int:
    table, missed = Table(title="What the gates cost"), False
    for column in ("what", "figure", "limit", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, rate in found["pricing"].items():
        bad = rate < PER_SECOND
        missed |= bad
        table.add_row(f"{what}, orders/s on one core", f"{rate:,.0f}", f"{PER_SECOND:,}", "missed" if bad else "ok")
    for what, figures in found.items():
        if "share" in figures:
            step, bare = figures["share"], what.endswith("bare transaction")
            bad = step >= SHARE and not bare
            missed |= bad
            said = f"{step:.1%} ({figures['gates_ms']:.0f} of {figures['step_ms']:.0f} ms)"
            table.add_row(what, said, "" if bare else f"{SHARE:.0%}", "" if bare else "missed" if bad else "ok")
    Console().print(table)
    return int(missed)


if __name__ == "__main__":
    run_as_command(measure)
