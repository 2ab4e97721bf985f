"""Counting time: all hours or working hours, without the pauses. Pure: which days are worked is the caller's to say."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

Span = tuple[datetime, datetime | None]
"""From, and until (exclusive); None: it goes on."""

LONGEST = timedelta(days=366 * 3)
"""How far ahead working hours are looked for: a calendar without a working day must come to an end."""


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """The hours that count, on the days for which `works` says so, in the zone of the seller."""

    opens: time
    closes: time
    zone: tzinfo
    works: Callable[[date], bool]

    def spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working spans from `start` on, in order, as UTC: arithmetic of one zone's wall clock goes wrong in the nights
        on which it is put forward or back.
        """
        day = start.astimezone(self.zone).date()
        for ahead in range(LONGEST.days):
            each = day + timedelta(days=ahead)
            if not self.works(each):
                continue
            opens = datetime.combine(each, self.opens, self.zone).astimezone(UTC)
            closes = datetime.combine(each, self.closes, self.zone).astimezone(UTC)
            if closes > start:
                yield max(opens, start), closes


def reached(
    start: datetime, amount: timedelta, *, pauses: Sequence[Span] = (), hours: WorkingHours | None = None
) -> datetime | None:
    """When so much time has been counted since `start`; None while a pause that goes on stands in the way.

    `hours`: only these count; None: all do. `pauses` may overlap and come in any order.
    """
    left, at = amount, start
    for begins, ends in _counted(start, _merged(pauses), hours):
        at = begins
        if ends is None or ends - begins >= left:
            return begins + left
        left -= ends - begins
        at = ends
    return at if left <= timedelta(0) else None


def _counted(start: datetime, pauses: Sequence[Span], hours: WorkingHours | None) -> Iterator[Span]:
    """Spans that count, in order; only the last may go on for ever."""
    for begins, ends in _between(start, pauses):
        if hours is None:
            yield begins, ends
            continue
        for opens, closes in hours.spans(begins):
            if ends is not None and opens >= ends:
                break
            yield opens, closes if ends is None else min(closes, ends)


def _between(start: datetime, pauses: Sequence[Span]) -> Iterator[Span]:
    """What lies between the pauses, from `start` on."""
    at = start
    for begins, ends in pauses:
        if begins > at:
            yield at, begins
        if ends is None:
            return
        at = max(at, ends)
    yield at, None


def _merged(pauses: Sequence[Span]) -> list[Span]:
    """Sorted, overlapping ones as one."""
    merged: list[Span] = []
    for begins, ends in sorted(pauses, key=lambda span: span[0]):
        if merged and (merged[-1][1] is None or begins <= merged[-1][1]):
            last_begins, last_ends = merged[-1]
            merged[-1] = (last_begins, None if last_ends is None or ends is None else max(last_ends, ends))
        else:
            merged.append((begins, ends))
    return merged
