"""What every contestant needs and none is measured for: database, Prefect server, a server that answers at once.

Everything is on loopback, in a temporary folder that is removed, and ends with the context.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ballast.db.embedded import embedded_server
from bench.cost import Cost, Meter
from deployments.machine import prefect_env, server_env
from deployments.processes import Child, child, free_port, modules, wait_until_up

LONGEST = 1200.0
"""Seconds that one contestant may take."""


class BenchFailed(Exception):
    """A contestant did not do what it was to do: there is nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is running. `env` is what a contestant's process is told of it."""

    folder: Path
    answers_url: str
    env: Mapping[str, str]
    meter: Meter

    def url(self, database: str) -> str:
        """SQLAlchemy URL of a database of this stage."""
        return self.env["BALLAST_DATABASE_URL"].replace("/ballast?", f"/{database}?")

    def seen(self) -> dict[str, int]:
        """What the answering server saw since `forget`: {"calls": .., "effects": different ones}."""
        return dict(httpx.get(f"{self.answers_url}/seen", timeout=60, trust_env=False).json())

    def forget(self) -> None:
        httpx.get(f"{self.answers_url}/forget", timeout=60, trust_env=False).raise_for_status()

    def contest(self, module: str, *words: str) -> tuple[dict[str, Any], dict[str, Cost]]:
        """Run `python -m MODULE WORDS` to its end: the figures of its last line, and what every process spent.

        Raises `BenchFailed` with its last words when it fails.
        """
        log = self.folder / f"{module}.log"
        with log.open("w") as errors, self.meter.measure() as spent:
            ended = subprocess.run(  # noqa: S603  # our own modules
                [sys.executable, "-m", module, *words],
                env={**os.environ, **self.env},
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=LONGEST,
                check=False,
            )
        said = ended.stdout.decode().strip().splitlines()
        if ended.returncode or not said:
            raise BenchFailed(f"{module} ended with code {ended.returncode}:\n{log.read_text()[-3000:]}")
        figures: dict[str, Any] = json.loads(said[-1])
        return figures, {"contestant": Cost(figures["cpu_s"], figures["peak_mb"]), **spent}


@contextmanager
def stage() -> Iterator[Stage]:
    """Start database, Prefect server and answering server."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ballast-bench-", ignore_cleanup_errors=True))
        )
        logs = folder / "logs"
        postgres = stack.enter_context(embedded_server(folder / "pg"))
        _create(postgres.url("postgres"))
        port = free_port()
        api = f"http://127.0.0.1:{port}/api"
        env = {
            **prefect_env(api, folder),
            "BALLAST_DATABASE_URL": postgres.url("ballast"),
            "BALLAST_HOME": str(folder),
            "PREFECT_LOGGING_LEVEL": "ERROR",
        }
        server = stack.enter_context(
            child(
                "prefect",
                modules("deployments.prefect_server", str(port)),
                env={**env, **server_env(postgres.url("prefect"), port)},
                logs=logs,
            )
        )
        answering, answers_url = _answering(stack, logs)
        wait_until_up(server, f"{api}/health", seconds=120)
        meter = Meter(
            {
                "postgres": postgres.server.get_postmaster_info().pid,
                "prefect": server.process.pid,
                "servers": answering.process.pid,
            }
        )
        yield Stage(folder=folder, answers_url=answers_url, env={**env, "BENCH_ANSWERS": answers_url}, meter=meter)


def _answering(stack: ExitStack, logs: Path) -> tuple[Child, str]:
    port = free_port()
    command = modules("uvicorn", "bench.engine.answers:app", "--port", str(port), "--log-level", "error")
    running = stack.enter_context(child("answers", [*command, "--no-access-log"], env={}, logs=logs))
    url = f"http://127.0.0.1:{port}"
    wait_until_up(running, f"{url}/seen")
    return running, url


def _create(url: str) -> None:
    """Empty databases, those of the peers too."""
    import asyncio

    from ballast.db.upgrade import create_database

    async def create() -> None:
        for name in ("ballast", "prefect", "dbos"):
            await create_database(url, name)

    asyncio.run(create())
