"""The status map from file to force: checked, previewed, published; parked messages are read again."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.dictionary import known, own_entries
from adapters.errors import UnknownCode
from adapters.files.status_map import MapFile
from ballast.db import codes_heard, inbox, status_map
from ballast.db.case import Case
from ballast.db.status_map import Current, PublicationRefused, Version
from ballast.domain.findings import Finding, Level
from ballast.domain.status_check import (
    Checked,
    Row,
    Seen,
    check_against_books,
    check_rows,
    merge_seen,
    rows_of,
)
from ballast.domain.status_map import Change, Dictionary, Entry, Key, Kind, beyond, changes, overlaid
from ballast.wiring import House, hooks, house
from tasks.inbox import Books, Read, act, open_books, read_letter
from tasks.policy import ALONE

MOST_LETTERS = 5000
"""Parked messages that a check or preview reads; it says how many more there are."""
MOST_ORDERS = 200
"""Orders that a preview lists; it counts all of them."""
BATCH = 500
NEW_ROW = "this row"


@dataclass(frozen=True, slots=True)
class OrderThen:
    """What the parked messages of one order would do to it."""

    order_no: str
    now: str
    then: str
    messages: int


@dataclass(slots=True)
class Preview:
    """What publishing would do. `readable`: parked messages that say something then; `still`: those that do not.

    `looked_at`: of `parked`, the oldest up to `MOST_LETTERS`.
    """

    changes: list[Change]
    said: dict[tuple[str, str, str], int] = field(default_factory=dict)  # code -> orders whose last word it is
    parked: int = 0
    looked_at: int = 0
    readable: int = 0
    waiting: int = 0
    still: Counter[str] = field(default_factory=Counter)
    orders: list[OrderThen] = field(default_factory=list)

    @property
    def moved(self) -> int:
        """Orders that would stand elsewhere."""
        return sum(one.now != one.then for one in self.orders)

    @property
    def last_words(self) -> int:
        """Orders whose last word would mean something else. Nothing is done to them."""
        return sum(self.said_by(change) for change in self.changes if change.kind is not Kind.NOTED)

    def said_by(self, change: Change) -> int:
        entry = change.entry
        return self.said.get((str(entry.system), entry.field, entry.code), 0)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; at most `MOST_ORDERS` orders."""
        return {
            "changes": [
                {"kind": str(one.kind), "system": str(one.entry.system), "field": one.entry.field,
                 "code": one.entry.code, "before": one.before.meant if one.before else None,
                 "after": one.after.meant if one.after else None, "orders": self.said_by(one)}
                for one in self.changes
            ],
            "last_words": self.last_words, "parked": self.parked, "looked_at": self.looked_at,
            "readable": self.readable, "waiting": self.waiting,
            "still_parked": dict(self.still), "orders": len(self.orders), "orders_moved": self.moved,
            "each": [{"order_no": o.order_no, "now": o.now, "then": o.then, "messages": o.messages}
                     for o in self.orders[:MOST_ORDERS]],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Published:
    """What was published, and how many parked messages are read again because of it."""

    version: Version
    changes: list[Change]
    replayed: int


def in_force(current: Current) -> dict[Key, Entry]:
    """The whole dictionary: the adapters' own tables, and over them what people added."""
    return overlaid(own_entries(), current.added)


def systems_of(changed: Sequence[Change]) -> list[str]:
    """Systems of which a code means something else: another note is none."""
    return sorted({str(change.entry.system) for change in changed if change.kind is not Kind.NOTED})


# -- checking ------------------------------------------------------------------------------------------------------


def check_file(file: MapFile, current: Current | None = None) -> Checked:
    """The rows of a file by themselves, against each other, the adapters and what is in force."""
    before = in_force(current) if current is not None else None
    checked = check_rows(file.rows, known(before), columns=file.columns)
    checked.findings = file.findings + checked.findings
    return checked


def check_in_force(current: Current) -> Checked:
    """The same of what is in force."""
    return check_rows(rows_of(in_force(current).values()), known())


def check_new_row(row: Row, current: Current) -> Checked:
    """One row to be added to what is in force: `entries` is the whole dictionary with it, findings are about it."""
    key = (row.system.strip().lower(), row.field.strip(), row.code)
    others = [e for e in in_force(current).values() if (str(e.system), e.field, e.code) != key]
    checked = check_rows([*rows_of(others), row], known())
    checked.findings = [one for one in checked.findings if one.place == row.place]
    return checked


def check_version(file: MapFile, current: Current) -> list[Finding]:
    """Whether the file was made from what is in force."""
    if file.version == current.version.version:
        return []
    made = "does not say which version it was made from" if file.version is None else f"made from {file.version}"
    what = f"{made}, in force is {current.version}: publishing it needs --over {current.version.version}"
    return [Finding(Level.WARNING, "older version", what, file.file)]


async def check_books(here: House, tx: AsyncConnection, entries: Dictionary) -> list[Finding]:
    """Codes that were heard and are in no row; rows that are no order's last word."""
    heard = await codes_heard.last_words(tx) + await codes_heard.told_codes(tx)
    sources = sorted({str(system) for system, _, _ in entries})
    letters = await inbox.parked_news(tx, sources, MOST_LETTERS)
    doors = hooks(here.settings)
    unknown = Counter(
        (str(read.problem.system), read.problem.field, read.problem.code)
        for letter in letters
        if isinstance((read := read_letter(letter, doors, status_map.codes_of(entries.values()))).problem, UnknownCode)
    )
    heard += [Seen(*code, parked=count) for code, count in unknown.items()]
    found = check_against_books(entries, merge_seen(heard))
    closed = Counter(letter.source for letter in letters if letter.source not in doors)
    return found + [
        Finding(
            Level.WARNING, "not read", f"{count} parked message(s) of {source} were not read: its settings are not here"
        )
        for source, count in sorted(closed.items())
    ]


# -- preview -------------------------------------------------------------------------------------------------------


async def preview(here: House, tx: AsyncConnection, before: Dictionary, after: Dictionary) -> Preview:
    """What publishing `after` would do, worked out by the same code that would do it. Nothing is locked or written."""
    seen = Preview(changes(before, after))
    systems = systems_of(seen.changes)
    changed = [one.entry for one in seen.changes if one.kind is not Kind.NOTED]
    seen.said = await codes_heard.orders_that_said(tx, changed)
    if not systems:
        return seen
    seen.parked = await inbox.count_parked(tx, systems)
    letters = await inbox.parked_news(tx, systems, MOST_LETTERS)
    seen.looked_at = len(letters)
    doors, codes = hooks(here.settings), status_map.codes_of(after.values())
    reads = [read_letter(letter, doors, codes) for letter in letters]
    await _play(here, tx, reads, seen)
    return seen


async def _play(here: House, tx: AsyncConnection, reads: Sequence[Read], seen: Preview) -> None:
    """Let the messages act in memory, in batches as the inbox takes them."""
    books, was, acted = Books(), dict[str, str](), Counter[str]()
    for first in range(0, len(reads), BATCH):
        batch = reads[first : first + BATCH]
        known_orders = set(books.cases)
        await open_books(here, tx, batch, books, lock=False)
        was |= {number: _standing(case) for number, case in books.cases.items() if number not in known_orders}
        ordered, states = act(batch, books)
        for read, state in zip(ordered, states, strict=True):
            if state["state"] == "parked":
                seen.still[str(state["note"])[:200]] += 1
                continue
            seen.readable += 1
            seen.waiting += state["state"] == "waiting"
            if read.news is not None and state["state"] == "done":
                acted[read.news.order_no] += 1
    seen.orders = [
        OrderThen(number, was[number], _standing(books.cases[number]), count)
        for number, count in sorted(acted.items())
        if number in books.cases
    ]


def _standing(case: Case) -> str:
    """`IN_TRANSIT`, `ON_HOLD COURIER_DAMAGED`."""
    standing = case.standing
    return f"{standing.state} {standing.reason}" if standing.reason else str(standing.state)


# -- publishing ----------------------------------------------------------------------------------------------------


async def publish_map(here: House, entries: Dictionary, *, base: int | None, note: str, by: str) -> Published:
    """Put a checked dictionary into force, then have parked messages of the systems concerned read again.

    `base`: the version that it was made from, None to publish over whatever is in force. Raises `PublicationRefused`
    when a newer version is in force, or nothing would change.
    """
    return await _publish(here, lambda _: entries, base=base, note=note, by=by)


async def publish_row(here: House, row: Row, *, note: str, by: str) -> Published:
    """Publish one more row over whatever is in force. Raises `PublicationRefused` with all that is wrong with it."""

    def with_row(current: Current) -> Dictionary:
        entry = new_entry(row, current)
        return {**in_force(current), entry.key: entry}

    return await _publish(here, with_row, base=None, note=note, by=by)


async def roll_back(here: House, version: int, *, note: str, by: str) -> Published:
    """Publish what an earlier version said as a new one. Raises `PublicationRefused`."""
    async with here.transaction() as tx:
        added = await status_map.added_in(tx, version)
    entries = overlaid(own_entries(), added)
    return await _publish(here, lambda _: entries, base=None, note=f"back to version {version}. {note}".strip(), by=by)


async def _publish(
    here: House, wanted: Callable[[Current], Dictionary], *, base: int | None, note: str, by: str
) -> Published:
    own = own_entries()
    async with here.transaction() as tx:
        await status_map.one_at_a_time(tx)
        before = await status_map.current(tx)
        after = wanted(before)
        changed = changes(in_force(before), after)
        version = await status_map.publish(tx, beyond(own, after), base=base, note=note, by=by, now=here.clock.now())
        if not changed:
            raise PublicationRefused(f"nothing changes: in force is {before.version}, and it says the same")
        mapped = [one.entry for one in changed if one.kind is Kind.ADDED]
        await codes_heard.end_code_alerts(tx, mapped, version.version, here.clock.now())
        replayed = await _replay(tx, changed)
    async with here.transaction() as tx:  # and what was being parked meanwhile: see `inbox._mapped_meanwhile`
        await _replay(tx, changed)
    return Published(version, changed, replayed)


async def _replay(tx: AsyncConnection, changed: Sequence[Change]) -> int:
    return sum([await inbox.replay_parked(tx, system) for system in systems_of(changed)])


def new_entry(row: Row, current: Current) -> Entry:
    """The row as an entry. Raises `PublicationRefused` with all that is wrong with it."""
    checked = check_new_row(row, current)
    if checked.errors:
        raise PublicationRefused("; ".join(f"{one.column or 'row'}: {one.text}" for one in checked.errors))
    return next(reversed(checked.entries.values()))


async def preview_row(here: House, row: Row) -> Preview:
    """What publishing one more row would do. Raises `PublicationRefused` with all that is wrong with it."""
    async with here.transaction() as tx:
        current = await status_map.current(tx)
        entry, before = new_entry(row, current), in_force(current)
        return await preview(here, tx, before, {**before, entry.key: entry})


# -- the form of the Prefect UI ------------------------------------------------------------------------------------


@task(name="preview a code", task_run_name="preview {row.system} {row.field} {row.code}", tags=["status-map"], **ALONE)
async def preview_code(row: Row) -> Preview:
    """What publishing this row would do. Raises `PublicationRefused` with all that is wrong with it."""
    return await preview_row(await house(), row)


@task(name="publish a code", task_run_name="publish {row.system} {row.field} {row.code}", tags=["status-map"], **ALONE)
async def publish_code(row: Row, note: str, by: str) -> Published:
    """Publish this row. Raises `PublicationRefused` with all that is wrong with it."""
    return await publish_row(await house(), row, note=note, by=by)
