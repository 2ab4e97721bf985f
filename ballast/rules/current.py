"""The policy that is in force: what was published, else the file, read again when it changes. A mistake in either
leaves the old in force."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from ballast.domain.sla import Policy
from ballast.rules.entries import RulesError, read_bytes
from ballast.rules.sla import policy_of

ROOT: Final = Path(__file__).parents[2]
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the file."""


def find_rules(file: Path) -> Path:
    """A relative name means this folder, or the one that Ballast came in."""
    return file if file.is_absolute() or file.exists() else ROOT / file


def stamp_of(file: Path) -> tuple[int, int]:
    """What changes when a file does."""
    try:
        found = file.stat()
    except OSError:
        return (0, 0)  # reading it says why
    return found.st_mtime_ns, found.st_size


@dataclass(frozen=True, slots=True)
class Written:
    """A policy and the text that it was read from."""

    policy: Policy
    text: str


@dataclass(slots=True)
class PolicyInForce:
    """`current` is cheap: callers ask whenever they need it. `problem`: why a change was not taken.

    `wanted`: the published version that the database names, 0: none, the file counts. Who has the database says so.
    """

    file: Path
    now: Callable[[], datetime]
    problem: RulesError | None = None
    wanted: int = 0
    _policy: Policy | None = None
    _text: str = ""
    _looked_at: float = field(default=0.0)
    _asked_at: float = field(default=float("-inf"))
    _stamp: tuple[int, int] = (0, 0)

    def current(self) -> Policy:
        """Raises `RulesError` only as long as there has been no usable policy at all."""
        if self._policy is None:
            self._stamp = stamp_of(self.file)
            self._use(self._read_file())
            self._looked_at = time.monotonic()
        elif not self.wanted and time.monotonic() - self._looked_at > LOOK_EVERY:
            self._looked_at = time.monotonic()
            self._look()
        assert self._policy is not None
        return self._policy

    @property
    def text(self) -> str:
        """What `current` was read from."""
        self.current()
        return self._text

    def read(self, text: str) -> Written:
        """A policy that is not from the file. Raises `RulesError` with every mistake and its line."""
        return Written(policy_of(text.encode(), Path("sla"), self.now()), text)

    def take(self, version: int, written: Written | None, problem: str) -> None:
        """That version was published. `written`: the policy that counts now; None: none of them can be used, and what
        was in force stays."""
        if written is not None and (not problem or self._policy is None or not self.wanted):
            self._use(written)
        self.wanted, self.problem = version, RulesError([problem]) if problem else None

    def asks(self) -> bool:
        """Whether it is time to ask the database again; true once."""
        now = time.monotonic()
        if now - self._asked_at <= LOOK_EVERY:
            return False
        self._asked_at = now
        return True

    def follow_file(self) -> None:
        """Nothing is published any more: the file counts."""
        self.wanted, self._stamp, self._looked_at = 0, (0, 0), 0.0

    def _use(self, written: Written) -> None:
        self._policy, self._text = written.policy, written.text

    def _look(self) -> None:
        stamp = stamp_of(self.file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._use(self._read_file())
            self.problem = None
        except RulesError as problem:
            self.problem = problem

    def _read_file(self) -> Written:
        raw = read_bytes(self.file)
        return Written(policy_of(raw, self.file, self.now()), raw.decode("utf-8-sig"))
