"""The policy that is in force: read again when its file changes. One with a mistake leaves the old in force."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from ballast.domain.sla import Policy
from ballast.rules.entries import RulesError
from ballast.rules.sla import read_policy

ROOT: Final = Path(__file__).parents[2]
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the file."""


def find_rules(file: Path) -> Path:
    """A relative name means this folder, or the one that Ballast came in."""
    return file if file.is_absolute() or file.exists() else ROOT / file


@dataclass(slots=True)
class PolicyInForce:
    """`current` is cheap: callers ask whenever they need it. `problem`: why a change of the file was not taken."""

    file: Path
    now: Callable[[], datetime]
    problem: RulesError | None = None
    _policy: Policy | None = None
    _looked_at: float = field(default=0.0)
    _stamp: tuple[int, int] = (0, 0)

    def current(self) -> Policy:
        """Raises `RulesError` only as long as there has been no usable file at all."""
        if self._policy is None:
            self._stamp = self._read_stamp()
            self._policy = read_policy(self.file, self.now())
            self._looked_at = time.monotonic()
        elif time.monotonic() - self._looked_at > LOOK_EVERY:
            self._looked_at = time.monotonic()
            self._look()
        return self._policy

    def _look(self) -> None:
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._policy, self.problem = read_policy(self.file, self.now()), None
        except RulesError as problem:
            self.problem = problem

    def _read_stamp(self) -> tuple[int, int]:
        try:
            found = self.file.stat()
        except OSError:
            return (0, 0)  # reading it says why
        return found.st_mtime_ns, found.st_size
