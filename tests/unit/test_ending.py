"""A process that begins to end is gone in time, even when something in it never lets go and nobody told it to."""

import subprocess
import sys

STUCK = """
import asyncio
from deployments import stopping

stopping.AT_MOST = 0.5

async def never_lets_go():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def work(ending):
    stuck = asyncio.create_task(never_lets_go())
    await asyncio.sleep(0)
    {begin}
    stuck.cancel()
    await stuck

stopping.run_until_told(work)
"""


def run(begin: str) -> int:
    done = subprocess.run([sys.executable, "-c", STUCK.format(begin=begin)], timeout=60, check=False)
    return done.returncode


def test_what_ends_by_itself_leaves_whoever_does_not_let_go() -> None:
    assert run("ending.begin()") == 1


def test_told_by_a_signal_it_leaves_too() -> None:
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGTERM)") == 1
