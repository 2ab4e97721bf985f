"""The whole bench by itself.

python -m bench.whole --orders 1200 --rounds 3 --json FILE
python -m bench.whole --quick
"""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bench.command import run_as_command
from bench.stage import BenchFailed, stage
from bench.whole.figures import failures, figures, tables
from bench.whole.rounds import FULL, QUICK, Size, run_rounds
from deployments.processes import StartFailed


def main(
    *,
    orders: Annotated[int | None, Parameter(help="orders of Ballast and the floor")] = None,
    peers: Annotated[int | None, Parameter(help="orders of DBOS")] = None,
    rounds: Annotated[int | None, Parameter(help="how often each runs")] = None,
    quick: Annotated[bool, Parameter(negative=(), help="few orders: shows that it works, not how fast it is")] = False,
    file: Annotated[Path | None, Parameter(name="--json", help="write the figures to this file")] = None,
) -> int:
    """Ballast's real processes against the floor and DBOS: every call of the real adapters, webhooks included."""
    console, default = Console(), QUICK if quick else FULL
    given = {"orders": orders, "peers": peers, "rounds": rounds}
    if wrong := [name for name, value in given.items() if value is not None and value < 1]:
        console.print(f"--{wrong[0]} must be at least 1", style="red", markup=False)
        return 2
    if file is not None and not file.parent.is_dir():
        console.print(f"--json: there is no folder {file.parent}", style="red", markup=False)
        return 2
    size = Size(orders or default.orders, peers or default.peers, rounds or default.rounds)
    try:
        with stage() as on:
            done = run_rounds(on, size, console.print)
    except (BenchFailed, StartFailed) as failed:
        console.print(str(failed), style="red", markup=False)
        return 1
    if wrong := failures(done):
        for what in wrong:
            console.print(what, style="red", markup=False)
        return 1
    for table in tables(done):
        console.print(table)
    if file is not None:
        file.write_text(json.dumps(figures(done), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    run_as_command(main)
