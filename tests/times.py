"""Times that tests speak of."""

from datetime import UTC, datetime, timedelta

from ballast.clock import SetClock

NOON = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
"""Twelve o'clock in Shanghai on an ordinary Wednesday: when every test begins unless it says otherwise."""


class SettableClock(SetClock):
    """Business time stands still until a test moves it."""

    def __init__(self, at: datetime = NOON) -> None:
        super().__init__(at)

    def pass_by(self, **span: float) -> datetime:
        """Let some time pass: `pass_by(hours=2)`; the time it is then."""
        self.set(self.at + timedelta(**span))
        return self.at
