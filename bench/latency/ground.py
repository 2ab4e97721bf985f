"""Ballast as it runs at a seller's: web process, serve process with listener and worker, every deployment applied."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import httpx

from bench.cost import Meter
from bench.latency.orders import lock_orders
from bench.stage import BenchFailed, Stage
from deployments.processes import Child, child, free_port, modules, wait_until_up
from deployments.rehearsal.world import Credentials, as_env


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What runs, and how to reach it."""

    hooks: str
    secrets: Mapping[str, str]
    outside: str
    database_url: str
    meter: Meter
    children: tuple[Child, ...]

    def seen(self) -> dict[str, Any]:
        """What the world outside has seen: see `outside.Outside`."""
        return dict(httpx.get(f"{self.outside}/seen/", timeout=60, trust_env=False).json())

    def check(self) -> None:
        """Raises `StartFailed` when a process has ended."""
        for one in self.children:
            one.check()


@contextmanager
def ground(stage: Stage, orders: int) -> Iterator[Ground]:
    """Lock so many orders, then start everything on this stage."""
    url, credentials = stage.env["BALLAST_DATABASE_URL"], Credentials.make()
    asyncio.run(lock_orders(url, orders, datetime.now(UTC)))
    logs, web_port, serve_port, outside_port = stage.folder / "logs", free_port(), free_port(), free_port()
    outside_url, web_url = f"http://127.0.0.1:{outside_port}", f"http://127.0.0.1:{web_port}"
    systems = {name: part for name, part in credentials.ours(outside_url).items() if name not in ("dingtalk", "wecom")}
    env = {
        **stage.env,
        **as_env(systems),
        "BALLAST_WEB_PORT": str(web_port),
        "BALLAST_WEB_URL": web_url,
        "BALLAST_SERVE_PORT": str(serve_port),
        "BALLAST_PREFECT_HOOK_KEY": token_hex(24),
    }
    answers = modules("uvicorn", "bench.latency.outside:app", "--port", str(outside_port), "--log-level", "error")
    with ExitStack() as stack:
        outside = stack.enter_context(child("outside", [*answers, "--no-access-log"], env={}, logs=logs))
        _apply(env)
        web = stack.enter_context(child("web", modules("web"), env=env, logs=logs))
        serve = stack.enter_context(child("serve", modules("deployments.serve"), env=env, logs=logs))
        wait_until_up(outside, f"{outside_url}/seen/")
        wait_until_up(web, f"{web_url}/ready")
        wait_until_up(serve, f"http://127.0.0.1:{serve_port}/ready")
        time.sleep(1)
        children = (outside, web, serve)
        yield Ground(
            hooks=f"{web_url}/hooks",
            secrets=credentials.world["qimen"],
            outside=outside_url,
            database_url=url,
            meter=Meter({one.name: one.process.pid for one in children}),
            children=children,
        )


def _apply(env: Mapping[str, str]) -> None:
    """Put the deployments on the server, so that their sweeps run."""
    ended = subprocess.run(  # our own module
        [sys.executable, "-m", "deployments.apply"],
        env={**os.environ, **env},
        capture_output=True,
        timeout=120,
        check=False,
    )
    if ended.returncode:
        raise BenchFailed(f"the deployments could not be applied:\n{ended.stderr.decode()[-2000:]}")
