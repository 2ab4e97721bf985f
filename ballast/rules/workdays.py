"""China's statutory calendar: which days are worked. The package ships its years; others are Monday to Friday."""

from datetime import date, datetime
from functools import cache

import chinese_calendar


@cache
def is_workday(day: date) -> bool:
    """Whether it is worked on this day, make-up days included."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:  # its word for a year that is not published yet, or long ago
        return day.weekday() < 5


def unknown_years(now: datetime) -> list[int]:
    """Which of this year and the next the calendar does not know; in December the next one is needed."""
    years = {now.year, (now.year + 1) if now.month == 12 else now.year}
    return sorted(year for year in years if not _knows(year))


def _knows(year: int) -> bool:
    try:
        chinese_calendar.is_workday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True
