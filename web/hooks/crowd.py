"""Who may send how much to the hooks. Vendors come in bursts and sign; strangers do not sign, and get little."""

from datetime import datetime, timedelta
from typing import Final

from ballast.settings import LimitSettings
from web.bounds import Buckets, per_minute
from web.hooks.refusals import Refusal

UNPROVEN: Final = frozenset({401, 408, 413, 415})
"""Statuses of requests whose signature was wrong, or was never looked at."""

TRUST: Final = timedelta(hours=1)


class Crowd:
    """What is remembered of senders: how much they sent, how much of it was not signed, who signed well lately.

    Who signed well within the hour is not shut out for forgeries. They may be a stranger's: behind a proxy that does
    not say for whom it speaks, the whole world has one address.
    """

    def __init__(self, limits: LimitSettings) -> None:
        self._most = limits.senders
        self._volume = Buckets(limits.hooks_per_second, limits.hooks_burst, limits.senders)
        self._forgeries = per_minute(limits.forgeries_per_minute, limits.senders)
        self._proved_at: dict[str, datetime] = {}

    def admit(self, source: str, sender: str, now: datetime) -> None:
        """Before anything is read. Raises `Refusal` 429."""
        forgeries, volume = self._forgeries.of(sender), self._volume.of(f"{source} {sender}")
        if not (forgeries.has(now) or self._is_proven(sender, now)):
            raise Refusal(429, "too many requests that were not signed as agreed", retry_after=forgeries.pause)
        if not volume.take(now):
            raise Refusal(429, "too many requests, send it again later", retry_after=volume.pause)

    def note_refusal(self, sender: str, status: int, now: datetime) -> None:
        """It was refused with this status."""
        if status in UNPROVEN:
            self._forgeries.of(sender).take(now)

    def note_proof(self, sender: str, now: datetime) -> None:
        """Its signature was right."""
        self._proved_at.pop(sender, None)
        self._proved_at[sender] = now
        if len(self._proved_at) > self._most:
            del self._proved_at[next(iter(self._proved_at))]

    def _is_proven(self, sender: str, now: datetime) -> bool:
        proved_at = self._proved_at.get(sender)
        return proved_at is not None and now - proved_at <= TRUST
