"""How much one source may send."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class TokenBucket:
    """`per_second` requests in the long run, `burst` at once. Starts full."""

    per_second: float
    burst: float
    _tokens: float | None = None
    _filled_at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Whether one more may pass. A clock that is set back gives nothing and takes nothing."""
        passed = (now - self._filled_at).total_seconds() if self._filled_at else 0.0
        tokens = self.burst if self._tokens is None else self._tokens
        tokens = min(self.burst, tokens + max(passed, 0.0) * self.per_second)
        self._filled_at = now
        self._tokens = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1
