"""`python -m web` as a process: it starts, says what is missing, and stops when told to."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from tests.contracts.outside import ROOT


def environment(**settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BALLAST_")}
    return {**clean, "PYTHONPATH": str(ROOT), **{f"BALLAST_{name}": value for name, value in settings.items()}}


async def start(cwd: Path, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web", *arguments, cwd=cwd, env=environment(**settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def wait_until_up(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(30):
        while True:
            try:
                answer = await http.get(f"http://127.0.0.1:{port}/health")
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            assert answer.json() == {"status": "ok"} and "server" not in answer.headers
            return


async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, database_url: str) -> None:
    port = free_port()
    process = await start(tmp_path, "--port", str(port), DATABASE_URL=database_url, DIRECT__SECRET="s3cret-value")
    await wait_until_up(port)
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"http://127.0.0.1:{port}/ready")).status_code == 200
        forged = await http.post(f"http://127.0.0.1:{port}/hooks/direct?sign=QUERYSECRET", content=b"BODYSECRET")
        assert forged.status_code == 401
    process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0, err.decode()
    assert out == b"" and b"hook direct: 1 refused with 401" in err
    assert b"SECRET" not in err and b"s3cret" not in err and b"Traceback" not in err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, b"BALLAST_DATABASE_URL is not set"),
        ({"DATABASE_URL": "postgresql://x/y", "QIMEN__URL": "http://x"}, b"BALLAST_QIMEN__SECRET"),
        ({"DATABASE_URL": "postgresql://x/y", "DIRECT__SECRET": " "}, b"BALLAST_DIRECT__SECRET is empty"),
    ],
)
async def test_missing_settings_are_named(tmp_path: Path, settings: dict[str, str], words: bytes) -> None:
    process = await start(tmp_path, **settings)
    try:
        _, err = await asyncio.wait_for(process.communicate(), 30)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 1, err.decode()
    assert b"web does not start" in err and words in err and b"Traceback" not in err, err.decode()
