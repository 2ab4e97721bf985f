"""Two clocks: business time (inside documents, may run fast) and real time (signatures, retries)."""

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
