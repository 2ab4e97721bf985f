"""Machines of one host do not get in each other's way, and what ends by itself is started again."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deployments.processes import EARLY_ENDS, Child, StartFailed, alone, child, ending_together, modules

Run = Callable[[str], Child]


def test_a_folder_belongs_to_one_machine_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(StartFailed, match="already"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass  # free again once the first has ended


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a line of Python as a child."""
    with ExitStack() as stack:
        yield lambda code: stack.enter_context(child("one", [sys.executable, "-c", code], env={}, logs=tmp_path))


def revived(one: Child) -> str:
    """What it says once it has started it again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if said := one.revive():
            return said
        time.sleep(0.02)
    raise AssertionError("it was not started again")


SLEEP = "import time; time.sleep(60)"


def test_what_was_killed_is_started_again(run: Run) -> None:
    one = run(SLEEP)
    assert one.revive() == ""  # it lives
    first = one.process.pid
    assert one.kill()
    assert "ended with code -9" in revived(one)
    assert one.process.pid != first and one.process.poll() is None
    assert one.starts == 2


def test_killing_what_has_ended_kills_nothing(run: Run) -> None:
    one = run("pass")
    one.process.wait(timeout=30)
    assert not one.kill()


def test_what_was_stopped_stays_so_until_it_is_started(run: Run) -> None:
    one = run(SLEEP)
    one.stop()
    time.sleep(0.1)
    assert one.revive() == "" and one.process.poll() is not None
    one.start()
    assert one.process.poll() is None


WAITS_FOR_THE_OTHER = """
import os, pathlib, signal, sys, time
told = []
def end(*_):
    if told:
        os._exit(7)
    told.append(True)
    pathlib.Path({mine!r}).touch()
    while not pathlib.Path({other!r}).exists():
        time.sleep(0.02)
    time.sleep(0.5)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path({mine!r} + " is ready").touch()
time.sleep(60)
"""


def test_all_are_told_to_end_once_before_one_is_waited_for(run: Run, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("first", "second")]
    pair = [run(WAITS_FOR_THE_OTHER.format(mine=mine, other=other)) for mine, other in (files, files[::-1])]
    while len(list(tmp_path.glob("* is ready"))) < len(pair):
        time.sleep(0.02)
    with ending_together(pair):
        pass
    for one in pair:
        one.stop()
        assert one.process.returncode == 0 and one.revive() == ""


def test_what_ends_again_and_again_is_told_with_its_last_words(run: Run) -> None:
    one = run("print('no such setting'); raise SystemExit(3)")
    one.early_ends = EARLY_ENDS - 1
    one.process.wait(timeout=30)
    revived(one)
    one.process.wait(timeout=30)
    with pytest.raises(StartFailed, match=r"again and again \(code 3\)(?s:.*)no such setting"):
        one.revive()


def test_the_log_of_the_last_life_is_kept(run: Run) -> None:
    one = run("print('life')")
    one.process.wait(timeout=30)
    revived(one)
    one.process.wait(timeout=30)
    assert one.log.read_text() == "life\nlife\n"


def test_a_prefect_server_that_finds_its_port_taken_does_not_start(tmp_path: Path) -> None:
    """Another machine was quicker: whoever answers there must not be taken for our own."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with child("prefect", modules("deployments.prefect_server", str(port)), env={}, logs=tmp_path) as one:
            assert one.process.wait(timeout=60) == 1
            with pytest.raises(StartFailed, match=f"port {port} cannot be opened .*: start again"):
                one.check()
