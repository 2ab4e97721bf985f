"""Times that tests speak of."""

from datetime import UTC, datetime, timedelta

from ballast.clock import Clock

NOON = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
"""Twelve o'clock in Shanghai on an ordinary Wednesday: when every test begins unless it says otherwise."""


class SettableClock(Clock):
    """Business time stands still until a test moves it."""

    at: datetime

    def __init__(self, at: datetime = NOON) -> None:
        super().__init__()
        object.__setattr__(self, "at", at)  # as the frozen parent sets its own

    def now(self) -> datetime:
        return self.at

    def set(self, at: datetime) -> None:
        """Stand here from now on."""
        object.__setattr__(self, "at", at)

    def pass_by(self, **span: float) -> datetime:
        """Let some time pass: `pass_by(hours=2)`; the time it is then."""
        self.set(self.at + timedelta(**span))
        return self.at
