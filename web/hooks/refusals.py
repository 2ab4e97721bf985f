"""Refusing a request: the answer's status and reason, and one line in the log for many refusals."""

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

log = logging.getLogger(__name__)

PAUSE: Final = timedelta(seconds=10)
LONGEST: Final = 300

ADVICE: Final[dict[int, str]] = {
    400: "the vendor's message differs from its sheet; compare it with the adapter's README",
    401: "if these are genuine, compare our secrets with the vendor's console, and this machine's clock with the time",
    408: "the sender is too slow",
    409: "the shop was told which lines, and what could be promised; see docs/door.md",
    413: "the vendor will have to send less at once",
    415: "the sender must not compress its requests",
    429: "somebody sends far more than the vendor would, or guesses; behind a proxy see docs/production.md",
    503: "the vendor will send it again; see `ballast doctor`",
}


class Refusal(Exception):
    """The request is not taken. `why` is told to the sender; it holds no secret and nothing of a signature.

    `retry_after`: seconds after which it may come again. `told`: what a JSON answer says beside the reason.
    """

    def __init__(
        self, status: int, why: str, *, retry_after: int | None = None, told: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(why)
        self.status, self.retry_after, self.told = status, retry_after, told
        self.why = "".join(c if c.isprintable() else "?" for c in why[:LONGEST])


class RefusalLog:
    """At most one line per source and status in ten seconds, with the count since the last. Bodies are never shown."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._told_at: dict[tuple[str, int], datetime] = {}

    def note(self, source: str, refusal: Refusal, now: datetime) -> None:
        """Count one refusal; tell when the last line is old enough."""
        key = (source, refusal.status)
        self._counts[key] += 1
        told_at = self._told_at.get(key)
        if told_at is None or abs(now - told_at) >= PAUSE:
            self._told_at[key] = now
            self._tell(key, refusal.why)

    def close(self) -> None:
        """Tell what was counted and not yet told."""
        for key in list(self._counts):
            self._tell(key, "at the end")

    def _tell(self, key: tuple[str, int], why: str) -> None:
        source, status = key
        count = self._counts.pop(key)
        log.warning("hook %s: %d refused with %d, nothing stored: %s (%s)",
                    source, count, status, why, ADVICE.get(status, "see web/README.md"))  # fmt: skip
