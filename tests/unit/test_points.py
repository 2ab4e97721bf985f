"""Crash points: off unless this very process was started with one, and then at that place only."""

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL

import pytest

from ballast.points import VARIABLE, Crash, Point, read_crash

PROGRAM = """
from ballast.points import Point, reached
for number in range(3):
    reached("shop.shipped", Point.WRITTEN)
    reached("shop.shipped", Point.CALLED)
    print(number, flush=True)
"""


def passing(crash_at: str | None) -> "subprocess.CompletedProcess[str]":
    """A process that passes two points three times."""
    env = {name: value for name, value in os.environ.items() if name != VARIABLE}
    env |= {VARIABLE: crash_at} if crash_at is not None else {}
    command = [sys.executable, "-c", PROGRAM]
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("crash_at", [None, "", "shop.shipped/moved", "shop.received/called", "shop.shipped/called:4"])
def test_a_process_that_was_not_told_to_die_there_goes_on(crash_at: str | None) -> None:
    passed = passing(crash_at)
    assert (passed.returncode, passed.stdout) == (0, "0\n1\n2\n")


@pytest.mark.parametrize(("crash_at", "printed"), [("shop.shipped/called", ""), ("shop.shipped/called:3", "0\n1\n")])
def test_it_dies_at_that_pass_without_another_word(crash_at: str, printed: str) -> None:
    passed = passing(crash_at)
    assert (passed.returncode, passed.stdout, passed.stderr) == (-SIGKILL, printed, "")


@pytest.mark.parametrize("text", ["lock_stock", "lock_stock/later", "lock_stock/moved:0", "/moved", "a/moved:1:2"])
def test_what_is_no_crash_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no crash point"):
        read_crash(text)


def test_every_point_can_be_named() -> None:
    assert [read_crash(f"lock_stock/{point}:2") for point in Point] == [Crash("lock_stock", p, 2) for p in Point]
    assert read_crash("") is None
