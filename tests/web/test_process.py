"""`python -m web` as a process: it starts, says what is missing, and stops when told to."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from ballast.wiring import House
from tests.contracts.outside import ROOT, secrets
from tests.db.stage import column
from tests.web import senders


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


async def test_a_message_that_is_being_delivered_is_taken_before_it_ends(tmp_path: Path, a_house: House) -> None:
    port, url = free_port(), a_house.engine.url.render_as_string(hide_password=False)
    process = await start(tmp_path, "--port", str(port), DATABASE_URL=url, DIRECT__SECRET=secrets()["direct"]["secret"])
    await wait_until_up(port)
    pushed = senders.direct_order()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "".join(f"{name}: {value}\r\n" for name, value in pushed.headers.items())
    lines = f"POST /hooks/direct HTTP/1.1\r\nhost: x\r\ncontent-length: {len(pushed.body)}\r\n{head}\r\n"
    writer.write(lines.encode() + pushed.body[:5])
    await writer.drain()
    await asyncio.sleep(0.5)  # the request is under way; nothing tells from outside
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    writer.write(pushed.body[5:])
    answer = await asyncio.wait_for(reader.readline(), 15)
    _, err = await asyncio.wait_for(process.communicate(), 15)
    writer.close()
    assert process.returncode == 0 and b" 200 " in answer, (answer, err)
    assert len(await column(a_house, "select id from inbox")) == 1
