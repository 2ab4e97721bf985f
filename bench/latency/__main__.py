"""How long until the customer can follow the parcel.

    python -m bench.latency --rates 10 50 100 --seconds 120 --burst 5000 --json FILE

A warehouse's signed webhook goes to a real web process; listener, flows and adapters of a real serve process tell the
shop, while the sweeps of all deployments run. The outside answers at once. Exit code 1 when an event was lost or told
twice.
"""

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bench.command import run_as_command
from bench.latency.measure import measure
from bench.stage import BenchFailed, stage
from deployments.processes import StartFailed

QUICK: dict[str, Any] = {"rates": [20], "seconds": 5.0, "burst": 200}
"""Shows that it works, not how fast it is."""


def latency(
    *,
    rates: Annotated[
        list[int] | None, Parameter(help="events a second, one after the other", consume_multiple=True)
    ] = None,
    seconds: Annotated[float, Parameter(help="how long each rate lasts")] = 120.0,
    burst: Annotated[int, Parameter(help="events at once, in the end; 0: none")] = 5000,
    quick: Annotated[bool, Parameter(help="few events, within a minute")] = False,
    file: Annotated[Path | None, Parameter(name="--json", help="write the figures to this file")] = None,
) -> int:
    """Measure the way from a warehouse's webhook to the shop."""
    sizes: dict[str, Any] = QUICK if quick else {"rates": rates or [10, 50, 100], "seconds": seconds, "burst": burst}
    console = Console()
    if min(sizes["rates"]) <= 0 or sizes["seconds"] <= 0 or sizes["burst"] < 0:
        console.print("rates and seconds are more than 0, a burst is not less")
        return 1
    try:
        with stage() as on:
            figures = measure(on, **sizes)
    except (BenchFailed, StartFailed) as failure:
        console.print(f"no figures: {failure}", markup=False)
        return 1
    show(console, figures)
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def show(console: Console, figures: dict[str, Any]) -> None:
    """The figures as a table."""
    table = Table(title="From the warehouse's webhook to the shop, seconds")
    for column in ("events", "p50", "p95", "p99", "max", "lost", "refused", "acknowledged p99", "all told after"):
        table.add_column(column, justify="right")
    rows = {f"{rate}/s, {one['count']}": one for rate, one in figures["rates"].items()}
    if burst := figures["burst"]:
        speed = f"{burst['drained_per_second']}/s to the shop, {burst['steps_per_second']} steps/s"
        rows[f"{burst['count']} at once, {speed}"] = burst
    for name, one in rows.items():
        names = ("p50", "p95", "p99", "max", "lost", "refused", "answered_p99", "all_told_s")
        table.add_row(name, *(str(one[key]) for key in names))
    console.print(table)
    for name, one in rows.items():
        spent = ", ".join(f"{who} {cost['cpu_s']} s {cost['peak_mb']:.0f} MB" for who, cost in one["cost"].items())
        hops = ", ".join(f"{hop} {seconds}" for hop, seconds in one["hops"].items())
        console.print(f"{name}: {hops}", markup=False)
        console.print(f"{name}: CPU and memory of {spent}", markup=False)


if __name__ == "__main__":
    run_as_command(latency)
