"""Channel return: costs out of a file into the books, and the figures of a period."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from prefect import task

from adapters.files.channel_costs import CostFile, CostMapping
from adapters.files.rejects import RejectsFile
from adapters.files.rows import Problem
from ballast.clock import SHANGHAI
from ballast.db.channels import channel_report, known_channels, put_costs
from ballast.domain.channels import ChannelReport, Cost, Period
from ballast.wiring import House, house
from tasks.policy import ALONE
from tasks.window import NoWindow

CHUNK: Final = 1000
MOST_REASONS: Final = 20
"""Refusals that are told; the rejects file has them all."""
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})", re.ASCII)


@dataclass(slots=True)
class CostsImported:
    """What an import of costs did. unknown: channels from which no order has come yet."""

    file: str
    imported: int = 0
    rejected: int = 0
    unknown: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    rejects: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"rejects": str(self.rejects) if self.rejects else None}


async def import_costs(
    here: House, file: Path, mapping: CostMapping | None, *, rejects: Path, by: str
) -> CostsImported:
    """Every row that can be read, in one transaction; the others into the rejects file.

    A row takes the place of an earlier one of the same channel, day and source. Raises `FileError`.
    """
    source, done, now = CostFile.open(file, mapping), CostsImported(file.name), here.clock.now()
    seen: set[str] = set()
    with RejectsFile(rejects) as left_out:
        async with here.transaction() as tx:
            good = _good(source.costs(now.astimezone(SHANGHAI).date()), left_out, done)
            while chunk := list(islice(good, CHUNK)):
                await put_costs(tx, chunk, by=by, now=now)
                done.imported += len(chunk)
                seen.update(one.channel for one in chunk)
            done.unknown = sorted(seen - await known_channels(tx))
        done.rejects = rejects if left_out.count else None
    return done


def _good(found: Iterator[Cost | Problem], left_out: RejectsFile, done: CostsImported) -> Iterator[Cost]:
    """The costs; what is wrong with the other rows is written down."""
    for one in found:
        if isinstance(one, Cost):
            yield one
            continue
        reason = left_out.add(one)
        done.rejected += 1
        if len(done.reasons) < MOST_REASONS:
            done.reasons.append(reason)


def read_period(first: str, last: str, month: str, now: datetime) -> Period:
    """Days in China as people type them; with nothing said the last whole month. Raises `NoWindow`."""
    today = now.astimezone(SHANGHAI).date()
    if month.strip():
        if first.strip() or last.strip():
            raise NoWindow("say a month, or from and to, not both")
        return _month(month.strip())
    if not first.strip() and not last.strip():
        return _month(f"{today.replace(day=1) - timedelta(days=1):%Y-%m}")
    begins = _day("from", first)
    ends = _day("to", last) if last.strip() else today
    if begins > ends:
        raise NoWindow(f"the period would begin on {begins} and end on {ends}: say the earlier day with from")
    if begins > today:
        raise NoWindow(f"the period would begin on {begins}, which has not come yet")
    return Period(begins, ends)


def week_before(now: datetime) -> Period:
    """The last whole week, Monday to Sunday, in China."""
    today = now.astimezone(SHANGHAI).date()
    last = today - timedelta(days=today.weekday() + 1)
    return Period(last - timedelta(days=6), last)


def thirty_days(now: datetime) -> Period:
    """Up to today, in China."""
    today = now.astimezone(SHANGHAI).date()
    return Period(today - timedelta(days=29), today)


def _month(said: str) -> Period:
    found = _MONTH.fullmatch(said)
    try:
        if found is not None:
            begins = date(int(found[1]), int(found[2]), 1)
            return Period(begins, (begins + timedelta(days=31)).replace(day=1) - timedelta(days=1))
    except (ValueError, OverflowError):
        pass
    raise NoWindow(f"{said!r} is no month: say it as 2026-01")


def _day(name: str, said: str) -> date:
    try:
        day = date.fromisoformat(said.strip().replace("/", "-"))
    except ValueError:
        day = date.min
    if not 1990 <= day.year < 2200:
        raise NoWindow(f"{name} {said!r} is no day: say it as 2026-01-31")
    return day


@task(name="collect channel return", tags=["report"], **ALONE)
async def collect_channels(period: Period) -> ChannelReport:
    """The figures of a period and of the one before, as they are known now."""
    here = await house()
    async with here.transaction() as tx:
        return await channel_report(tx, period, here.clock.now())
