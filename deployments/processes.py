"""Child processes of one machine: started with their log file, watched, and stopped by whom started them."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class StartFailed(Exception):
    """A process did not come up: read the named log file, mend the cause, start again."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child process."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def check(self) -> None:
        """Raise `StartFailed` with the end of the log when the process has ended."""
        if (code := self.process.poll()) is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise StartFailed(f"{self.name} ended with code {code}; {self.log} says:\n{tail}")


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Nobody else runs a machine with this folder while the context is open. Raises `StartFailed` if somebody does."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartFailed(
                f"Ballast runs with {home} already: end it first, or set BALLAST_HOME to another folder"
            ) from None
        yield


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(name: str, command: Sequence[str], *, env: Mapping[str, str], logs: Path) -> Iterator[Child]:
    """Run `python -m ...` (or any command) as a child until the context ends; it ends with us even if we are killed."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  # our own modules
            list(command),
            env={**os.environ, **env},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            start_new_session=True,
        )
    try:
        yield Child(name, process, log)
    finally:
        _stop(process)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=12)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=5)


def wait_until_up(running: Child, url: str, *, seconds: float = 60.0) -> None:
    """Wait until `url` answers 200. Raises `StartFailed` when the process ends or the time is over."""
    deadline = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        running.check()
        try:
            with opener.open(url, timeout=2) as reply:  # loopback
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise StartFailed(f"{running.name} did not answer at {url} within {seconds:.0f} s; see {running.log}")


def modules(*words: str) -> list[str]:
    """`python -m WORDS` with this interpreter."""
    return [sys.executable, "-m", *words]
