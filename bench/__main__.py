"""Ballast against the bare machine and against what people would build instead.

    python -m bench --json bench/results.json      (`make bench`, about 20 minutes)
    python -m bench --quick                        (`make bench-quick`, a few minutes: works it, not how fast is it)

One database, one Prefect server and servers that answer at once, on loopback, in a temporary folder that is removed.
Contestants take turns, so that ratios hold on a noisy machine. A check that fails ends the bench with exit code 1 and
without a table.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.console import Console

from bench.command import run_as_command
from bench.engine.contest import engine_rounds
from bench.latency.__main__ import QUICK as QUICK_LATENCY
from bench.latency.__main__ import show as show_latency
from bench.latency.measure import measure
from bench.rounds import Rounds, ratios, speeds
from bench.showing import show_contest
from bench.stage import BenchFailed, Stage, stage
from bench.whole.figures import failures, figures, tables
from bench.whole.rounds import FULL, QUICK, run_rounds
from deployments.processes import StartFailed

ROUNDS: Final = 3
LATENCY: Final[Mapping[str, Any]] = {"rates": [10, 50, 100], "seconds": 120.0, "burst": 5000}


def bench(
    *,
    quick: Annotated[bool, Parameter(negative=(), help="few orders, one round: shows that it works")] = False,
    file: Annotated[Path | None, Parameter(name="--json", help="write the figures to this file")] = None,
) -> int:
    """Engine, whole way and latency, one after the other; the figures."""
    console = Console()
    try:
        with stage() as on:
            found = _measure(on, console, quick=quick)
    except (BenchFailed, StartFailed) as failure:
        console.print(f"no figures: {failure}", style="red", markup=False)
        return 1
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _measure(on: Stage, console: Console, *, quick: bool) -> dict[str, Any]:
    """Everything is measured and checked before the first table is shown."""
    engine: Rounds = []
    for number, turns in enumerate(engine_rounds(on, rounds=1 if quick else ROUNDS, quick=quick), 1):
        engine = [*engine, turns]
        said = ", ".join(f"{name} {turn.per_second:.1f}" for name, turn in turns.items())
        console.print(f"engine, round {number}: {said} orders/s")
    whole = run_rounds(on, QUICK if quick else FULL, lambda line: console.print(f"whole, {line}", markup=False))
    if wrong := failures(whole):
        raise BenchFailed("; ".join(wrong))
    latency = measure(on, **(QUICK_LATENCY if quick else LATENCY))
    show_contest(console, "Engine: five steps, one small call per order and step", engine)
    for table in tables(whole):
        console.print(table)
    show_latency(console, latency)
    return {**_engine_figures(engine), **figures(whole), **_latency_figures(latency), "checks_passed": True}


def _engine_figures(engine: Rounds) -> dict[str, Any]:
    to = {name: ratios(engine, "ballast", name) for name in engine[0] if name != "ballast"}
    return {
        **{f"engine_to_{name}": round(spread.median, 3) for name, spread in to.items()},
        "engine_orders_per_second": round(speeds(engine, "ballast").median, 1),
        "engine": {
            name: {"orders_per_second": [round(turns[name].per_second, 1) for turns in engine]} for name in engine[0]
        },
    }


def _latency_figures(latency: Mapping[str, Any]) -> dict[str, Any]:
    worst = max(one["p99"] for one in latency["rates"].values())
    return {"webhook_to_shop_p99_s": worst, "latency": dict(latency)}


if __name__ == "__main__":
    run_as_command(bench)
