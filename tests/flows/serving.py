"""`python -m deployments.serve` as a process of its own, with the books and the world of a test."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, SecretStr

from deployments.processes import free_port
from tests.contracts.outside import ROOT, World, settings_for

PATIENCE = 60.0


def environment(url: str, world: World, **more: str) -> dict[str, str]:
    """Everything a process needs to know of the books and the world, as `.env` would say it."""
    outside = settings_for(world)
    found = {name: value for name, value in os.environ.items() if not name.startswith("BALLAST_")}
    for part in outside.__slots__:
        found |= dict(_spelt(f"BALLAST_{part}__", getattr(outside, part)))
    return {**found, "PYTHONPATH": str(ROOT), "BALLAST_DATABASE_URL": url, **more}


def _spelt(prefix: str, part: BaseModel) -> list[tuple[str, str]]:
    spelt = []
    for name, value in part.model_dump(exclude_defaults=True).items():
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        spelt.append((f"{prefix}{name}".upper(), plain if isinstance(plain, str) else json.dumps(plain)))
    return spelt


@dataclass(frozen=True, slots=True)
class Serving:
    """A serve process and its health port."""

    process: asyncio.subprocess.Process
    port: int
    log: Path

    async def ask(self, path: str) -> httpx.Response | None:
        """What the health port answers; None when nobody does."""
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                return await http.get(f"http://127.0.0.1:{self.port}{path}")
            except httpx.TransportError:
                return None

    async def ready(self) -> bool:
        answer = await self.ask("/ready")
        return answer is not None and answer.status_code == 200

    async def stop(self, seconds: float = 20.0) -> float:
        """SIGTERM; the seconds until it ended."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), seconds)
        assert self.process.returncode is not None, f"still there {seconds:g} s after SIGTERM\n{self.said()}"
        return loop.time() - began

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@asynccontextmanager
async def serving(url: str, world: World, **more: str) -> AsyncIterator[Serving]:
    """A serve process that is ready. It is killed at the end if it still runs."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "serve.log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "deployments.serve", cwd=folder, stdout=out, stderr=out,
                env=environment(url, world, BALLAST_SERVE_PORT=str(port), **more),
            )  # fmt: skip
        one = Serving(process, port, log)
        try:
            await until(one.ready, PATIENCE, one.said)
            yield one
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 30.0, said: Callable[[], str] = str) -> None:
    """Wait until something is true; what the process said is shown when it never is."""
    for _ in range(int(seconds / 0.1)):
        if await true():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"it did not come true within {seconds:g} s\n{said()}")
