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
from dataclasses import dataclass, field
from pathlib import Path


class StartFailed(Exception):
    """A process did not come up: read the named log file, mend the cause, start again."""


BRIEF = 10.0
"""A process that ends within so many seconds of its start ended early."""

EARLY_ENDS = 5
"""After so many early ends in a row a process is not started again: something is wrong with it, not with the day."""


@dataclass(slots=True)
class Child:
    """A child process: running, ended, or stopped for a while. `revive` starts again what nobody stopped."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    wanted: bool = True
    starts: int = 0
    early_ends: int = 0
    next_start: float = 0.0  # time.monotonic() before which it is not started again
    process: "subprocess.Popen[bytes]" = field(init=False)
    started_at: float = field(init=False)

    def start(self) -> None:
        """Run the command; what it says is added to its log."""
        with self.log.open("ab" if self.starts else "wb") as out:
            self.process = subprocess.Popen(  # noqa: S603  # our own modules
                list(self.command),
                env={**os.environ, **self.env},
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
                start_new_session=True,
            )
        self.wanted, self.started_at, self.next_start = True, time.monotonic(), 0.0
        self.starts += 1

    def check(self) -> None:
        """Raise `StartFailed` with the end of the log when the process has ended."""
        if (code := self.process.poll()) is not None:
            raise StartFailed(f"{self.name} ended with code {code}; {self.log} says:\n{self._last_words()}")

    def revive(self) -> str:
        """Start the process again if it has ended by itself; what happened, or nothing.

        The pause before a start doubles while it ends early. Raises `StartFailed` when it does so again and again.
        """
        code = self.process.poll()
        if code is None or not self.wanted:
            return ""
        if not self.next_start:
            self._plan_start(code)
        if time.monotonic() < self.next_start:
            return ""
        self.start()
        return f"{self.name} ended with code {code} and was started again (log: {self.log.name})"

    def _plan_start(self, code: int) -> None:
        self.early_ends = self.early_ends + 1 if time.monotonic() - self.started_at < BRIEF else 0
        if self.early_ends > EARLY_ENDS:
            raise StartFailed(f"{self.name} ends again and again (code {code}); {self.log}:\n{self._last_words()}")
        self.next_start = time.monotonic() + (2**self.early_ends - 1) / 2

    def kill(self) -> bool:
        """SIGKILL, from outside, at any moment; whether there was a process to kill."""
        if self.process.poll() is not None:
            return False
        self.process.kill()
        self.process.wait(timeout=5)
        self.early_ends = 0
        return True

    def tell(self) -> None:
        """Ask it to end, once, and do not wait for it: a second SIGTERM would cut off what the first has begun."""
        if self.wanted and self.process.poll() is None:
            self.process.terminate()
        self.wanted = False

    def stop(self) -> None:
        """End it for a while; `start` begins anew."""
        self.tell()
        try:
            self.process.wait(timeout=12)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=5)

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


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
    running = Child(name, command, env, logs / f"{name}.log")
    running.start()
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def ending_together(children: Sequence[Child]) -> Iterator[None]:
    """When the context ends, all are told before the first is waited for."""
    try:
        yield
    finally:
        for one in children:
            one.tell()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


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
