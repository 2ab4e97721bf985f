"""Statements into the books: read by the provider's own format or by a mapping, kept once, matched line by line."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from prefect import task

from adapters.errors import OutsideError
from adapters.files.errors import check_size
from adapters.files.rejects import RejectsFile
from adapters.files.rows import Problem
from adapters.files.statement import MOST_BYTES, read_statement, read_statement_mapping
from adapters.payments.wechatpay.bill import read_bill
from ballast.clock import SHANGHAI
from ballast.db.alerts import raise_alerts
from ballast.db.booking import Unheard, book, unheard
from ballast.db.statements import Item, StatementHead, add_statement, items, match, one_statement
from ballast.domain.statements import OPEN, Verdict
from ballast.domain.words import System
from ballast.ports.statements import Bills, Statement, StatementRefused
from ballast.wiring import House, house
from tasks.alarms import hold_alerts, refund_alerts, surplus_alerts
from tasks.policy import ALONE

OWN_FORMATS: Final = {System.WECHATPAY.value: read_bill}
"""Providers whose own file is read without a mapping."""
MOST: Final = 100_000
"""Lines that are shown or written of one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """A file of a provider as it was read. `problems`: rows that were left out."""

    name: str
    digest: str
    statement: Statement
    days: tuple[date, date]
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to. `known`: the file was here already. `items`: what people have to see to."""

    head: StatementHead
    known: bool
    items: Sequence[Item]

    @property
    def open(self) -> list[Item]:
        return [item for item in self.items if item.verdict in (*OPEN, Verdict.MISSING)]


def read_file(path: Path, provider: str, mapping: Path | None) -> ReadFile:
    """Read a file, by a mapping or in the provider's own format. Raises `FileError`, `MappingError`,
    `StatementRefused`."""
    check_size(path, MOST_BYTES, "a statement")
    return read_bytes(path.name, path.read_bytes(), provider, mapping)


def read_bytes(name: str, raw: bytes, provider: str, mapping: Path | None = None, day: date | None = None) -> ReadFile:
    """The same of what was downloaded. `day`: of a statement that may have no line."""
    problems: Sequence[Problem] = ()
    if mapping is not None:
        given = read_statement_mapping(mapping)
        if provider and provider != given.provider:
            raise StatementRefused(f"--provider says {provider}, {mapping.name} says {given.provider}: leave one out")
        read, problems = read_statement(name, raw, given)
    elif own := OWN_FORMATS.get(provider):
        read = own(raw)
    else:
        known = ", ".join(OWN_FORMATS)
        raise StatementRefused(
            f"{provider or 'this file'}: say how it is to be read, with --provider ({known}) or with --map FILE"
        )
    days = sorted({line.at.astimezone(SHANGHAI).date() for line in read.lines} | ({day} if day else set()))
    if not days:
        raise StatementRefused(f"{name} has no line that could be read: nothing was imported")
    digest = hashlib.sha256(raw).hexdigest()
    return ReadFile(name=name, digest=digest, statement=read, days=(days[0], days[-1]), problems=problems)


class _NotKept(Exception):
    """Ends a transaction that was only to look; carries what was found."""

    def __init__(self, found: Imported) -> None:
        super().__init__()
        self.found = found


async def import_statement(here: House, read: ReadFile, *, by: str, dry_run: bool = False) -> Imported:
    """Write it and match it; with `dry_run` the same, and nothing stays."""
    try:
        async with here.transaction() as tx:
            kept = await add_statement(
                tx, read.statement, file=read.name, digest=read.digest, days=read.days, refused=len(read.problems),
                by=by, now=here.clock.now(),
            )  # fmt: skip
            if kept.known:
                await match(tx, [kept.id])
            head = await one_statement(tx, kept.id)
            open_ones = await items(tx, [head], only_open=True, most=MOST)
            await raise_alerts(tx, _unheard_alerts(kept.id, await unheard(tx, kept.id)), here.clock.now())
            found = Imported(head=head, known=kept.known, items=open_ones)
            if dry_run:
                raise _NotKept(found)
    except _NotKept as looked:
        return looked.found
    return found


def _unheard_alerts(statement_id: int, found: Sequence[Unheard]) -> list[dict[str, Any]]:
    """Money that was taken from a customer, and of which no notice came: he will ring when we do not."""
    return [
        {
            "key": f"unheard:{one.provider}:{one.transaction_id.lower()}",
            "level": "urgent",
            "order_id": one.order_id,
            "title": f"{one.order_no}: charged by {one.provider}'s statement, and not in our books",
            "text": f"{one.amount}, {one.transaction_id}: book it with `ballast finance statement book {statement_id} "
            f"{one.line_no}`; what is too much goes back",
        }
        for one in found
    ]


async def book_lines(here: House, statement_id: int, lines: Sequence[int], *, by: str) -> list[str]:
    """Book charges that no notice told of; a sentence for each. People hear of what is too much, as at a notice."""
    async with here.transaction() as tx:
        now = here.clock.now()
        booked = await book(tx, statement_id, list(lines), by=by, now=now, waits=here.waits)
        cases = [*{one.case.id: one.case for one in booked}.values()]
        await raise_alerts(tx, hold_alerts(cases) + surplus_alerts(cases) + refund_alerts(cases), now)
    return [one.text for one in booked]


def write_rejects(path: Path, problems: Sequence[Problem]) -> None:
    """The rows that were left out, for the person who mends them. No file when there are none."""
    with RejectsFile(path) as rejects:
        for problem in problems:
            rejects.add(problem)


@task(name="fetch statement", tags=["payment"], **ALONE)
async def fetch_day(day: date) -> str:
    """Have the day's statement here, if the provider gives one; a sentence. A day is closed without it, too: what it
    lacks is fetched by the next run of that day."""
    here = await house()
    if here.settings.wechatpay is None:
        return "no provider of which statements can be fetched"
    try:
        read = await fetch_statement(here, day)
        found = await import_statement(here, read, by="close-day") if read is not None else None
    except (OutsideError, StatementRefused) as no:
        return f"no statement of {day}: {no}"
    if found is None:
        return f"no statement of {day}: nothing happened on it"
    return f"statement {found.head.id}: {found.head.lines} lines, {len(found.open)} open"


async def fetch_statement(here: House, day: date) -> ReadFile | None:
    """A day's statement from the provider itself; None when nothing happened on it. Raises `OutsideError`."""
    client = here.payment
    if not isinstance(client, Bills):
        raise StatementRefused(f"{client.system} gives no statements: download one, then import it")
    raw = await client.bill(day.isoformat())
    return read_bytes(f"{client.system}-{day}.csv", raw, client.system.value, day=day) if raw else None
