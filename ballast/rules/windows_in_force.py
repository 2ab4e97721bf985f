"""The return windows that are in force: those of `rules/returns.yaml`, read again when it changes. A mistake leaves the
old in force."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ballast.domain.return_window import ReturnWindows
from ballast.rules.current import LOOK_EVERY, stamp_of
from ballast.rules.entries import RulesError
from ballast.rules.returns import read_return_rules


@dataclass(slots=True)
class WindowsInForce:
    """`current` is cheap: callers ask whenever they need it. `problem`: why the file was not taken.

    As long as there has been no usable file, every article has the window of the settings.
    """

    file: Path
    problem: RulesError | None = None
    _windows: ReturnWindows = field(default_factory=ReturnWindows)
    _default: timedelta | None = None
    _looked_at: float = field(default=float("-inf"))
    _stamp: tuple[int, int] | None = None

    def current(self) -> tuple[timedelta | None, ReturnWindows]:
        """The file's default, None where the setting counts; and what categories have instead."""
        if time.monotonic() - self._looked_at > LOOK_EVERY:
            self._looked_at = time.monotonic()
            self._look()
        return self._default, self._windows

    def _look(self) -> None:
        stamp = stamp_of(self.file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            rules = read_return_rules(self.file)
            self._default, self._windows, self.problem = rules.window, rules.windows, None
        except RulesError as problem:
            self.problem = problem
