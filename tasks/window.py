"""The window of a report, as people type it: `7d`, `24h`, `2026-01-01`, `2026-01-01T08:00+08:00`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from ballast.clock import SHANGHAI, from_local
from ballast.domain.report import Window

UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"([0-9]{1,6})\s*([mhdw])", re.ASCII | re.IGNORECASE)
_TIME: Final = re.compile(r"[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}([T ][0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})?)?", re.ASCII)


class NoWindow(ValueError):
    """This is no time, or the window has no length: say it as `7d`, `24h` or `2026-01-01`, the earlier one first."""


def read_window(since: str, until: str, now: datetime) -> Window:
    """[since, until). Both are an age (`30m`, `24h`, `7d`, `4w`) or a date or time, in China unless a zone is given.

    An empty `until` is now. Raises `NoWindow`.
    """
    begins = _moment("since", since, now)
    ends = _moment("until", until, now) if until.strip() else now
    if begins >= ends:
        raise NoWindow(f"the window has no length: it would begin at {begins:%Y-%m-%d %H:%M}Z and end at "
                       f"{ends:%Y-%m-%d %H:%M}Z; say the earlier time with since")  # fmt: skip
    return Window(begins, ends)


def day_before(now: datetime) -> Window:
    """The last whole day in China."""
    today = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window((today - timedelta(days=1)).astimezone(UTC), today.astimezone(UTC))


def read_age(said: str) -> timedelta:
    """`400d`, `60w`, `36h`. Raises `NoWindow`."""
    try:
        if ago := _AGO.fullmatch(said.strip()):
            return timedelta(**{UNITS[ago[2].lower()]: int(ago[1])})
    except OverflowError:
        pass
    raise NoWindow(f"{said!r} is no age: say how long ago, such as 400d or 60w")


def _moment(name: str, said: str, now: datetime) -> datetime:
    text = said.strip()
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{UNITS[ago[2].lower()]: int(ago[1])})
        if _TIME.fullmatch(text):
            return from_local(text)
    except (ValueError, OverflowError):
        pass
    raise NoWindow(f"{name} {said!r} is no time: say an age such as 24h or 7d, or a date such as 2026-01-01")
