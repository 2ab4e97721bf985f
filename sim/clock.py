"""Two clocks: business time (inside documents, may run fast or be set) and real time (signatures, retries)."""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
MINUTE = 60.0
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class WorldClock:
    """Business time = start + (real time - anchor) * speed; all three in seconds since the epoch."""

    start: float
    speed: float
    anchor: float

    def now(self) -> float:
        return self.business_at(time.time())

    def business_at(self, real: float) -> float:
        return self.start + (real - self.anchor) * self.speed

    def real_at(self, business: float) -> float:
        return self.anchor + (business - self.start) / self.speed

    def real_delay(self, business: float) -> float:
        """Real seconds from now until that business time (negative when it has passed)."""
        return self.real_at(business) - time.time()


@dataclass(slots=True)
class SetClock:
    """Business time stands where it was set last: for a recorded history, which has a time of its own for every act."""

    start: float
    at: float
    speed: float = 0.0

    def now(self) -> float:
        return self.at

    def business_at(self, _real: float) -> float:
        return self.at

    def real_delay(self, business: float) -> float:
        """Nothing to wait for, or nobody knows how long."""
        return 0.0 if business <= self.at else math.inf


def read_instant(text: str) -> float:
    """Seconds since the epoch of an ISO time; one without a zone is refused because its meaning is unknown."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return moment.timestamp()


def local_text(instant: float) -> str:
    """`2026-01-02 10:00:00`, Asia/Shanghai without a zone, as QiMen, Kdniao and Kingdee write it."""
    return datetime.fromtimestamp(instant, SHANGHAI).isoformat(sep=" ")[:19]


def read_local(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).timestamp()


def zoned_text(instant: float) -> str:
    """`2026-01-02T10:00:00+08:00`, as WeChat Pay and the shop backend write it."""
    return datetime.fromtimestamp(int(instant), SHANGHAI).isoformat()


def utc_text(instant: float | None) -> str | None:
    return None if instant is None else datetime.fromtimestamp(instant, UTC).isoformat()
