"""The status map in the database: what people added to the adapters' own tables, published version by version."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import to_local
from ballast.db.engine import dumps, rows, run
from ballast.domain.status_map import Entry, dictionary_of
from ballast.domain.words import Event, HoldReason, System
from ballast.ports import Codes, Meaning

AS_FOUND = "as it was before it was published in versions"


class PublicationRefused(Exception):
    """It was not published: the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """One publication. `rows` is how many rows people had added or overridden then. 0: nothing was ever published."""

    version: int
    by: str = ""
    at: datetime | None = None
    note: str = ""
    rows: int = 0

    def __str__(self) -> str:
        if self.at is None:
            return "version 0, the adapters' own tables"
        note = f": {self.note}" if self.note else ""
        return f"version {self.version}, published by {self.by} at {to_local(self.at)}{note}"


@dataclass(frozen=True, slots=True)
class Current:
    """What people added, as it is in force, and since which publication."""

    version: Version
    added: tuple[Entry, ...] = ()


async def added_codes(tx: AsyncConnection) -> dict[str, Codes]:
    """System -> (field, code) -> meaning."""
    added: dict[str, dict[tuple[str, str], Meaning]] = {}
    for row in await rows(tx, "select system, field, code, event, reason from status_map"):
        reason = HoldReason(row.reason) if row.reason else None
        added.setdefault(row.system, {})[row.field, row.code] = Meaning(Event(row.event), reason)
    return dict(added)


def codes_of(entries: Iterable[Entry]) -> dict[str, Codes]:
    """Entries as `added_codes` would give them."""
    added: dict[str, dict[tuple[str, str], Meaning]] = {}
    for entry in entries:
        added.setdefault(entry.system.value, {})[entry.field, entry.code] = Meaning(*entry.meaning)
    return dict(added)


async def current(tx: AsyncConnection) -> Current:
    """The map in force, in two statements."""
    newest = await versions(tx, most=1)
    found = await rows(tx, "select system, field, code, event, reason, note from status_map order by 1, 2, 3")
    return Current(newest[0] if newest else Version(0), tuple(_entry(row._mapping) for row in found))


async def versions(tx: AsyncConnection, *, most: int = 200) -> list[Version]:
    """The publications, the newest first."""
    found = await rows(
        tx,
        """select version, published_by, published_at, note, jsonb_array_length(rows) as rows
        from status_map_version order by version desc limit :most""",
        most=most,
    )
    return [Version(row.version, row.published_by, row.published_at, row.note, row.rows) for row in found]


async def added_in(tx: AsyncConnection, version: int) -> tuple[Entry, ...]:
    """What people had added in that version; nothing in version 0. Raises `PublicationRefused` when there is none."""
    if version == 0:
        return ()
    found = await rows(tx, "select rows from status_map_version where version = :version", version=version)
    if not found:
        raise PublicationRefused(f"there is no version {version}; `ballast status-map versions` lists them")
    try:
        return tuple(_entry(row) for row in found[0].rows)
    except ValueError as unknown:
        what = f"version {version} has a word that this Ballast does not know ({unknown}); export and edit instead"
        raise PublicationRefused(what) from None


async def publish(
    tx: AsyncConnection, added: Sequence[Entry], *, base: int | None, note: str, by: str, now: datetime
) -> Version:
    """Put `added` into force as the next version: all that people added from now on.

    `base` is the version that they were made from; None: whatever is in force. Raises `PublicationRefused`, with who
    and when, if another one is in force by now.
    """
    if not by.strip():
        raise PublicationRefused("it is not said who publishes it")
    await one_at_a_time(tx)
    before = await current(tx)
    if base is not None and base != before.version.version:
        raise PublicationRefused(_newer(base, before.version))
    if before.version.version == 0 and before.added:  # rows from before there were versions: they can be put back, too
        await _write_version(tx, Version(1, "ballast", now, AS_FOUND), before.added)
        before = Current(Version(1), before.added)
    version = Version(before.version.version + 1, by, now, note, len(added))
    await _write_version(tx, version, added)
    await _write_rows(tx, before.added, added, version)
    return version


async def one_at_a_time(tx: AsyncConnection) -> None:
    """Until this transaction ends, nobody else publishes. Reading goes on."""
    await run(tx, "lock table status_map_version in share row exclusive mode")


def _newer(base: int, newest: Version) -> str:
    if base > newest.version:
        return f"this was made from version {base}, which is not in these books ({newest}): export again"
    return (
        f"this was made from version {base}; in force by now is {newest}. Export again and put your changes in, "
        f"or publish over it with --over {newest.version}: `ballast status-map diff` shows what that takes away"
    )


async def _write_version(tx: AsyncConnection, version: Version, added: Iterable[Entry]) -> None:
    await run(
        tx,
        """insert into status_map_version (version, rows, note, published_by, published_at)
        values (:version, cast(:rows as jsonb), :note, :by, :at)""",
        version=version.version,
        rows=dumps([_row(entry) for entry in added]),
        note=version.note,
        by=version.by,
        at=version.at,
    )


async def _write_rows(tx: AsyncConnection, before: Sequence[Entry], after: Sequence[Entry], version: Version) -> None:
    """Rows that stay as they are keep the version that set them."""
    had, wanted = dictionary_of(before), dictionary_of(after)
    gone = [_row(entry) for key, entry in had.items() if key not in wanted]
    fresh = [_row(entry) for key, entry in wanted.items() if had.get(key) != entry]
    await run(
        tx,
        """
        delete from status_map m
        using jsonb_to_recordset(cast(:rows as jsonb)) as r(system text, field text, code text)
        where m.system = r.system and m.field = r.field and m.code = r.code""",
        rows=dumps(gone),
    )
    await run(
        tx,
        """
        insert into status_map as m (system, field, code, event, reason, note, version, changed_by, changed_at)
        select system, field, code, event, reason, note, :version, :by, cast(:now as timestamptz)
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(system text, field text, code text, event text, reason text,
          note text)
        on conflict (system, field, code) do update set event = excluded.event, reason = excluded.reason,
          note = excluded.note, version = excluded.version, changed_by = excluded.changed_by,
          changed_at = excluded.changed_at""",
        rows=dumps(fresh),
        version=version.version,
        by=version.by,
        now=version.at,
    )


def _entry(row: Any) -> Entry:
    reason = HoldReason(row["reason"]) if row["reason"] else None
    return Entry(System(row["system"]), row["field"], row["code"], Event(row["event"]), reason, row["note"])


def _row(entry: Entry) -> dict[str, str | None]:
    reason = entry.reason.value if entry.reason else None
    place = {"system": entry.system.value, "field": entry.field, "code": entry.code}
    return {**place, "event": entry.event.value, "reason": reason, "note": entry.note}
