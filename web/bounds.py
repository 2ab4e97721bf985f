"""How much one sender may ask: token buckets, one per key, for as many keys as are worth remembering."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from starlette.requests import Request

LONGEST_NAME: Final = 45
ONE_NETWORK: Final = 64  # bits: whoever has one IPv6 address has all that begin like it


@dataclass(slots=True)
class TokenBucket:
    """`per_second` requests in the long run, `burst` at once. Starts full."""

    per_second: float
    burst: float
    _tokens: float | None = None
    _filled_at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Whether one more may pass. A clock that is set back gives nothing and takes nothing."""
        if not self.has(now):
            return False
        assert self._tokens is not None
        self._tokens -= 1
        return True

    def has(self, now: datetime) -> bool:
        """Whether one more would pass."""
        passed = (now - self._filled_at).total_seconds() if self._filled_at else 0.0
        tokens = self.burst if self._tokens is None else self._tokens
        self._filled_at = now
        self._tokens = min(self.burst, tokens + max(passed, 0.0) * self.per_second)
        return self._tokens >= 1

    @property
    def pause(self) -> int:
        """Whole seconds until one more will pass, at least one."""
        return max(1, ceil((1 - (self._tokens or 0.0)) / self.per_second))


class Buckets:
    """A bucket per key. Beyond `most` keys the one that was silent longest is forgotten, and its bucket full again."""

    def __init__(self, per_second: float, burst: float, most: int) -> None:
        self._per_second, self._burst, self._most = per_second, burst, most
        self._kept: dict[str, TokenBucket] = {}

    def of(self, key: str) -> TokenBucket:
        """The bucket of this key, which now is the one that spoke last."""
        bucket = self._kept.pop(key, None) or TokenBucket(self._per_second, self._burst)
        self._kept[key] = bucket
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return bucket

    def __len__(self) -> int:
        return len(self._kept)


def per_minute(count: int, most: int) -> Buckets:
    """Buckets of `count` in a minute, all of them at once if need be."""
    return Buckets(count / 60, count, most)


def brings_body(request: Request) -> bool:
    """Whether a body follows, of any length: who only asks sends none."""
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def sender_of(request: Request) -> str:
    """Who asks: an IPv4 address or an IPv6 network. Behind a trusted proxy, what its X-Forwarded-For says."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:LONGEST_NAME]
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{int(address) >> (128 - ONE_NETWORK):x}/{ONE_NETWORK}"
    return str(address)
