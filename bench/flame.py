"""Where the time of a step goes: a flame graph of Ballast's process in the engine bench.

    python -m bench.flame --seconds 12 FILE.svg

Only what holds the interpreter is sampled, 200 times a second, by py-spy, from the first call on: not the start.
"""

import asyncio
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from bench.command import run_as_command
from bench.engine.orders import place_orders
from bench.stage import Stage, stage

PER_SECOND: Final = 400
"""Orders placed for each second of recording: more than are carried."""
STARTS_WITHIN: Final = 60.0
TITLE: Final = re.compile(r'(<text id="title"[^>]*>).*?(</text>)')


def flame(file: Path, *, seconds: Annotated[int, Parameter(help="how long to look")] = 12) -> int:
    """Record some seconds of the engine bench into an SVG that a browser shows."""
    recorder = Path(sys.executable).with_name("py-spy")
    if not recorder.is_file():
        Console().print("py-spy is not there: `make bench-quick` installs what the benches need")
        return 1
    with stage() as on:
        orders = PER_SECOND * seconds
        asyncio.run(place_orders(on.url("ballast"), orders, datetime.now(UTC)))
        command = [sys.executable, "-m", "bench.engine.ballast", str(orders)]
        running = subprocess.Popen(command, env={**os.environ, **on.env}, stdout=subprocess.DEVNULL)  # noqa: S603  # our own
        try:
            _wait_for_calls(on)
            options = ["--gil", "--function", "--rate", "200", "--duration", str(seconds), "--pid", str(running.pid)]
            subprocess.run([str(recorder), "record", *options, "--output", str(file)], check=True)  # noqa: S603  # py-spy
        finally:
            running.terminate()
            running.wait()
    file.write_text(TITLE.sub(r"\1Ballast in the engine bench: what holds the interpreter\2", file.read_text()))
    return 0


def _wait_for_calls(on: Stage) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while not on.seen()["calls"] and time.monotonic() < until:
        time.sleep(0.05)


if __name__ == "__main__":
    run_as_command(flame)
