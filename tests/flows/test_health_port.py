"""The small port of the long-lived process: alive is not ready, and what is missing is named."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from types import SimpleNamespace

import httpx
import pytest

from ballast.counters import COUNTED
from ballast.db.engine import make_engine
from deployments.health import LOOKED_WITHIN, health_port
from deployments.processes import free_port
from flows.lock_stock import lock_stock
from tests.flows.serving import environment
from tests.flows.stage import Stage, run
from tests.web.stage import NOWHERE


@pytest.fixture
def port(stage: Stage) -> Iterator[int]:
    """The health port of this process."""
    free = free_port()
    stage.configure(serve_port=free)
    yield free


async def ask(port: int, path: str = "/ready") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        for _ in range(50):
            try:
                return await http.get(f"http://127.0.0.1:{port}{path}")
            except httpx.ConnectError:
                await asyncio.sleep(0.1)
    raise AssertionError("nobody answers")


async def test_alive_is_not_ready_and_what_is_missing_is_named(stage: Stage, port: int) -> None:
    ears = SimpleNamespace(hears=False, looked_at=None)
    async with health_port(stage.house, ears):
        assert (await ask(port, "/health")).json() == {"status": "ok"}
        answer = await ask(port)
        assert answer.status_code == 503
        assert answer.json()["listener"] == "hears no news, looks once a second"
        assert "has not looked" in answer.json()["look"] and answer.json()["database"] == "ok"

        now = asyncio.get_running_loop().time()
        ears.hears, ears.looked_at = True, now
        answer = await ask(port)
        assert answer.status_code == 200 and set(answer.json().values()) == {"ok"}

        ears.looked_at = now - LOOKED_WITHIN - 1
        assert (await ask(port)).status_code == 503
        ears.looked_at, stage.house.stopping = asyncio.get_running_loop().time(), True
        assert (await ask(port)).json()["look"] == "this process is stopping"
        stage.house.stopping = False

        engine, stage.house.engine = stage.house.engine, make_engine(NOWHERE)
        answer = await ask(port)
        assert answer.status_code == 503 and "does not take connections" in answer.json()["database"]
        stage.house.engine = engine


async def test_without_prefect_it_is_not_ready(stage: Stage, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import deployments.health as health

    class Away:
        async def __aenter__(self) -> "Away":
            raise httpx.ConnectError("refused")

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr(health, "get_client", Away)
    ears = SimpleNamespace(hears=True, looked_at=asyncio.get_running_loop().time())
    async with health_port(stage.house, ears):
        answer = await ask(port)
    assert answer.status_code == 503 and answer.json()["prefect"] == "does not answer (ConnectError)"


async def test_a_port_that_is_taken_is_one_sentence(stage: Stage, books_url: str, port: int) -> None:
    ears = SimpleNamespace(hears=True, looked_at=None)
    async with health_port(stage.house, ears):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "deployments.serve", cwd="/tmp",
            env=environment(books_url, stage.world, BALLAST_SERVE_PORT=str(port)), stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1 and f"BALLAST_SERVE_PORT {port} cannot be opened" in said.decode()
    assert b"Traceback" not in said, said.decode()


async def test_who_does_not_read_the_answers_does_not_hold_up_the_end(stage: Stage, port: int) -> None:
    ears = SimpleNamespace(hears=True, looked_at=None)
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(health_port(stage.house, ears))
        await ask(port, "/health")
        with socket.create_connection(("127.0.0.1", port)) as deaf:
            deaf.setblocking(False)
            asks = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" * 100_000
            for _ in range(20):  # until neither side takes any more
                with suppress(BlockingIOError):
                    while asks:
                        asks = asks[deaf.send(asks) :]
                await asyncio.sleep(0.1)
            async with asyncio.timeout(5):
                await opened.aclose()


async def test_it_tells_its_figures_and_those_of_the_books(stage: Stage, port: int) -> None:
    await stage.locked()
    ears = SimpleNamespace(hears=True, looked_at=None)
    async with health_port(stage.house, ears):
        answer = await ask(port, "/metrics")
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert 'ballast_orders{state="STOCK_LOCKED"} 1.0' in lines and "ballast_books_up 1.0" in lines
    assert any(line.startswith('ballast_adapter_calls_total{method="Save",') for line in lines), "made in this process"


async def test_runs_count_what_became_of_their_orders(stage: Stage, port: int) -> None:
    await stage.paid()
    before = COUNTED.get_sample_value("ballast_run_outcomes_total", {"flow": "lock-stock", "outcome": "locked"}) or 0.0
    ran = await run(lock_stock)
    assert ran.name == "lock-stock 1 locked"
    async with health_port(stage.house, SimpleNamespace(hears=True, looked_at=None)):
        lines = (await ask(port, "/metrics")).text.splitlines()
    assert f'ballast_run_outcomes_total{{flow="lock-stock",outcome="locked"}} {before + 1}' in lines
    assert any(line.startswith('ballast_chunks_total{flow="lock-stock",outcome="done"}') for line in lines)
