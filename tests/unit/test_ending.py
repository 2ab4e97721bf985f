"""A process that begins to end is gone in time, even when something in it never lets go and nobody told it to."""

import subprocess
import sys

import pytest

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


HELD_UP = """
import atexit, ctypes, signal, threading
from deployments import stopping

stopping.AT_MOST = 1.0

async def work(ending):
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    await ending.begun.wait()
    {at_last}

stopping.run_until_told(work)
print("in order", flush=True)
"""


def run(script: str) -> tuple[int, str]:
    """Exit code, and what was said."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        timeout=60,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("begin", ["ending.begin()", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"])
def test_it_leaves_whoever_does_not_let_go_and_says_where_it_hung(begin: str) -> None:
    code, said = run(STUCK.format(begin=begin))
    assert code == 1 and "Timeout (0:00:00.5" in said and "run_until_told" in said


def test_a_signal_that_another_thread_caught_is_heeded() -> None:
    """The kernel may give it to any thread; the one that waits for all others would never hear of it."""
    assert run(HELD_UP.format(at_last="")) == (0, "in order\n")


def test_a_process_that_hangs_in_its_very_end_is_gone_in_time() -> None:
    """A thread of a library that keeps the interpreter for itself: no other thread of Python could end it."""
    code, said = run(HELD_UP.format(at_last="atexit.register(ctypes.PyDLL(None).pause)"))
    assert code == 1 and said.startswith("in order") and "Timeout (0:00:01" in said
