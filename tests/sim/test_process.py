"""`python -m sim CONFIG.json` as a process: one line on stdout, a clean end."""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

from tests.sim.settings import make_settings

ROOT = Path(__file__).parents[2]
ORPHAN = "import subprocess, sys; subprocess.Popen([sys.executable, '-m', 'sim', sys.argv[1]]); input()"


async def start(*command: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    return process, f"http://127.0.0.1:{line['port']}/world/progress"


async def test_serves_and_ends_on_a_signal(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(make_settings()))
    process, url = await start("-m", "sim", str(config))
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (await answer.json())["placed"] == 0
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_ends_with_its_parent(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(make_settings()))
    parent, url = await start("-c", ORPHAN, str(config))
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url):
                    await asyncio.sleep(0.1)
            except aiohttp.ClientError:
                break
