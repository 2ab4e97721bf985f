"""The only reader of the clock. Business time can run faster (demo) or stand where it is set (tests, replay).

Business time is what documents say: placed, paid, scanned, due. Machine time is what machines agree on: signature
windows, leases, back-off, rate limits. In production both are the same.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Vendors' local times are China Standard Time unless their sheet says otherwise."""


@dataclass(frozen=True, slots=True)
class Clock:
    """`start` is the business time at machine time `anchor` (unix seconds); `speed` is business seconds per second."""

    start: datetime | None = None
    anchor: float = 0.0
    speed: float = 1.0

    def now(self) -> datetime:
        """Business time, aware UTC."""
        if self.start is None:
            return self.machine_now()
        return self.start + timedelta(seconds=(time.time() - self.anchor) * self.speed)

    def machine_now(self) -> datetime:
        """Machine time, aware UTC."""
        return datetime.fromtimestamp(time.time(), UTC)

    def after(self, machine: timedelta) -> datetime:
        """Business time when `machine` has passed on the wall: for leases and back-off."""
        return self.now() + machine * self.speed


class SetClock(Clock):
    """Business time stands where it was set last: a recorded history has a time of its own for everything."""

    at: datetime

    def __init__(self, at: datetime) -> None:
        super().__init__()
        object.__setattr__(self, "at", at)  # as the frozen parent sets its own

    def now(self) -> datetime:
        return self.at

    def set(self, at: datetime) -> None:
        """Stand here from now on."""
        object.__setattr__(self, "at", at)


def from_local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """`2026-01-02 10:00:00` or `2026/01/02 10:00:00` in the vendor's zone -> aware UTC. Raises ValueError, also for
    the first and last hours of the calendar, which have no UTC.
    """
    parsed = datetime.fromisoformat(text.strip().replace("/", "-"))
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is not a time that a document can have") from None


def to_local(at: datetime, zone: ZoneInfo = SHANGHAI) -> str:
    """Aware time -> `2026-01-02 10:00:00` in the vendor's zone."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
