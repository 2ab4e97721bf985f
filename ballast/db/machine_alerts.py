"""Alerts about the machinery itself, which Prefect tells again and again: one rings as long as it is open."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.alerts import end_alerts, raise_alerts
from ballast.db.engine import rows

SLOT: Final = timedelta(minutes=10)
QUIET: Final = timedelta(hours=24)
"""What is still open after this rings anew when it is told again: whoever looked after it may have forgotten it."""


async def raise_once(
    tx: AsyncConnection, subject: str, alert: Mapping[str, Any], *, now: datetime, machine_now: datetime
) -> bool:
    """Raise an alert about `subject` (`worker-gone:ballast`) unless one of the last day is open; whether it is new.

    `now` is business time, `machine_now` the machine's, which the keys are made of. The same subject told twice at the
    same moment waits here: whoever comes second finds the first one's, also if its own clock is a little behind.
    """
    await rows(tx, "select pg_advisory_xact_lock(hashtextextended(:subject, 0))", subject=subject)
    keys = keys_of(subject, machine_now)
    known = [*keys_of(subject, machine_now + SLOT)[:1], *keys]
    if await rows(tx, "select 1 from alert where key = any(cast(:keys as text[])) and ended_at is null", keys=known):
        return False
    return bool(await raise_alerts(tx, [{**alert, "key": keys[0]}], now))


async def end_about(tx: AsyncConnection, subject: str, now: datetime) -> int:
    """The cause is over: its open alerts end, however old they are; how many did."""
    found = await rows(
        tx,
        "select key from alert where starts_with(key, :begins) and ended_at is null",
        begins=f"prefect:{subject}:",
    )
    await end_alerts(tx, now, keys=[row.key for row in found])
    return len(found)


def keys_of(subject: str, machine_now: datetime) -> list[str]:
    """Keys that an alert about the subject may have had within the last day; the first is the one of now."""
    slot = int(machine_now.timestamp() // SLOT.total_seconds())
    return [f"prefect:{subject}:{slot - back}" for back in range(int(QUIET / SLOT) + 1)]
