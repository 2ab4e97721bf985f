"""Versions of rules in the database: imported, checked, published at a time, put back. What they say is not read here.

A version holds its content as sheets (sheet -> rows: column -> text); the SLA policy is one text. Version 0 is what the
files under `rules/` say and has no row.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import to_local
from ballast.db.engine import dumps, rows, run
from ballast.db.status_map import PublicationRefused

KINDS: Final = ("price", "promotion", "risk", "sla", "sourcing")
MOST_SHOWN: Final = 500
LONGEST_NAME: Final = 100
LONGEST_NOTE: Final = 2000
LARGEST: Final = 32_000_000
"""Bytes of one version's content."""


class State(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"  # the check found errors: it cannot be published
    CHECKED = "checked"  # it may be published
    PUBLISHED = "published"  # in force, or will be at its time
    RETIRED = "retired"  # another one has taken its place, or it was discarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version, without what it says. 0: the files under `rules/`; everything but kind and digest is empty then."""

    kind: str
    version: int
    state: State = State.PUBLISHED
    digest: str = ""
    base: int | None = None
    note: str = ""
    made_by: str = ""
    made_at: datetime | None = None
    checked_at: datetime | None = None
    publication: int | None = None
    published_by: str | None = None
    published_at: datetime | None = None
    effective_at: datetime | None = None
    retired_at: datetime | None = None

    def __str__(self) -> str:
        if self.version == 0:
            return "version 0, the file that Ballast came with"
        note = f": {self.note}" if self.note else ""
        if self.published_at is None:
            when = f", imported by {self.made_by}"
        elif self.effective_at is not None and self.effective_at > self.published_at:
            when = f", published by {self.published_by} for {to_local(self.effective_at)}"
        else:
            when = f", published by {self.published_by} at {to_local(self.published_at)}"
        return f"version {self.version}{when}{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wrote. `base`: the version that it was made from; None: it does not say."""

    kind: str
    sheets: Mapping[str, Any]
    base: int | None
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A publication that is asked for. `at` None: now. `over`: the version that it may replace, whatever it is made
    from."""

    by: str
    note: str = ""
    at: datetime | None = None
    over: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was published, the version whose place it takes, and what happens to those that are still to come."""

    version: Version
    replaced: Version
    withdrawn: tuple[Version, ...] = ()  # scheduled ones that it was made from, or that it may replace
    to_come: tuple[Version, ...] = ()  # scheduled ones that take its place at their time


def digest_of(sheets: Mapping[str, Any]) -> str:
    """The same for the same content, however its keys are ordered."""
    return hashlib.sha256(orjson.dumps(sheets, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


async def one_at_a_time(tx: AsyncConnection) -> None:
    """Until this transaction ends, nobody else imports, publishes or discards. Reading goes on."""
    await run(tx, "lock table rule_version in share row exclusive mode")


# -- looking -------------------------------------------------------------------------------------------------------

_COLUMNS: Final = """kind, version, state, digest, base, note, made_by, made_at, checked_at, publication, published_by,
  published_at, effective_at, retired_at"""
_SELECT: Final = f"select {_COLUMNS} from rule_version "  # noqa: S608  # our own words, no parameters


async def versions(tx: AsyncConnection, kind: str, now: datetime, *, most: int = MOST_SHOWN) -> list[Version]:
    """The newest ones, the newest first. Whose place was taken at its time is `retired`, whether noted yet or not."""
    found = await rows(
        tx, _SELECT + "where kind = :kind order by version desc limit :most",
        kind=kind, most=most,
    )  # fmt: skip
    here = await in_force(tx, kind, now)
    return [_superseded(_version(row), here, now) for row in found]


def _superseded(one: Version, in_force: Version, now: datetime) -> Version:
    over = one.state is State.PUBLISHED and one.effective_at is not None and one.effective_at <= now
    return replace(one, state=State.RETIRED) if over and one.version != in_force.version else one


async def find_version(tx: AsyncConnection, kind: str, version: int) -> Version:
    """Raises `PublicationRefused` when there is none."""
    if version == 0:
        return Version(kind=kind, version=0)
    if 0 < version < 2**31:
        found = await rows(
            tx, _SELECT + "where kind = :kind and version = :version",
            kind=kind, version=version,
        )  # fmt: skip
        if found:
            return _version(found[0])
    raise PublicationRefused(f"there is no {kind} version {version}; `ballast rules list {kind}` lists them")


async def in_force(tx: AsyncConnection, kind: str, at: datetime) -> Version:
    """The published version with the newest `effective_at` up to then, of several the one published last; else 0."""
    found = await rows(
        tx,
        _SELECT
        + """where kind = :kind and effective_at <= :at
        order by effective_at desc, publication desc limit 1""",
        kind=kind,
        at=at,
    )
    return _version(found[0]) if found else Version(kind=kind, version=0)


async def to_come(tx: AsyncConnection, kind: str, after: datetime) -> list[Version]:
    """Scheduled versions that come into force later than `after`, in that order."""
    found = await rows(
        tx,
        _SELECT
        + """where kind = :kind and effective_at > :after
        order by effective_at, publication""",
        kind=kind,
        after=after,
    )
    return [_version(row) for row in found]


async def read_sheets(tx: AsyncConnection, kind: str, version: int) -> dict[str, Any]:
    """What a stored version says. Raises `PublicationRefused` when there is none, or when it is damaged."""
    found = await rows(
        tx, "select cast(sheets as text) as sheets, digest from rule_version where kind = :kind and version = :version",
        kind=kind, version=(await find_version(tx, kind, version)).version,
    )  # fmt: skip
    try:
        return undamaged(found[0].sheets, found[0].digest)
    except ValueError as damage:
        raise PublicationRefused(f"{kind} version {version}: {damage}") from None


def undamaged(written: str, digest: str) -> dict[str, Any]:
    """The content as it was stored. Raises ValueError when it is not what was stored."""
    try:
        sheets = orjson.loads(written)
    except orjson.JSONDecodeError:
        raise ValueError("its content cannot be read") from None
    if not isinstance(sheets, dict) or digest_of(sheets) != digest:
        raise ValueError("its content was changed in the database, past `ballast rules`")
    return sheets


# -- drafts --------------------------------------------------------------------------------------------------------


async def import_draft(tx: AsyncConnection, draft: Draft, *, checked: bool, now: datetime) -> Version:
    """Keep what somebody wrote as the next version: `checked` when its check found no error, else `draft`.

    Raises `PublicationRefused` without a person's name, or when it is made from a version that does not exist.
    """
    await one_at_a_time(tx)
    by, note = _person(draft.by), _note(draft.note)
    newest = int((await rows(tx, _NEWEST, kind=draft.kind))[0].newest)
    if draft.base is not None and not 0 <= draft.base <= newest:
        raise PublicationRefused(
            f"this was made from {draft.kind} version {draft.base}, which is not in these books (the newest is "
            f"{newest}): export again"
        )
    made = Version(
        kind=draft.kind, version=newest + 1, state=State.CHECKED if checked else State.DRAFT, base=draft.base,
        digest=digest_of(draft.sheets), note=note, made_by=by, made_at=now, checked_at=now if checked else None,
    )  # fmt: skip
    written = dumps(draft.sheets)
    if len(written.encode()) > LARGEST:
        raise PublicationRefused(f"this is larger than {LARGEST // 1_000_000} MB: take out what is not needed")
    if "\\u0000" in written:
        raise PublicationRefused("this has a character that cannot be stored (NUL): find it in an editor and delete it")
    await run(
        tx,
        """insert into rule_version (kind, version, state, sheets, digest, base, note, made_by, made_at, checked_at)
        values (:kind, :version, :state, cast(:sheets as jsonb), :digest, :base, :note, :by, :now, :checked_at)""",
        kind=made.kind, version=made.version, state=made.state, sheets=written, digest=made.digest, base=made.base,
        note=note, by=by, now=now, checked_at=made.checked_at,
    )  # fmt: skip
    return made


async def mark_checked(tx: AsyncConnection, kind: str, version: int, now: datetime) -> bool:
    """A draft whose check finds no error any more may be published. False: it was no draft."""
    sql = """update rule_version set state = 'checked', checked_at = :now
      where kind = :kind and version = :version and state = 'draft'"""
    return bool(await run(tx, sql, kind=kind, version=version, now=now))


async def discard(tx: AsyncConnection, kind: str, version: int, now: datetime) -> Version:
    """Put away a draft, or withdraw a scheduled version before its time has come; its number is not given again.

    Raises `PublicationRefused` for one that is, or was, in force. Returns it as it was.
    """
    await one_at_a_time(tx)
    one = await find_version(tx, kind, version)
    waits = one.state is State.PUBLISHED and one.effective_at is not None and one.effective_at > now
    if one.version == 0 or not (waits or one.state in (State.DRAFT, State.CHECKED)):
        raise PublicationRefused(
            f"{one} is no draft and does not wait for its time: put an earlier version into its place with "
            f"`ballast rules rollback {kind} VERSION`"
        )
    await _withdraw(tx, kind, [version], now)
    return one


async def _withdraw(tx: AsyncConnection, kind: str, which: Sequence[int], now: datetime) -> None:
    sql = """update rule_version set state = 'retired', retired_at = :now, effective_at = null
      where kind = :kind and version = any(cast(:which as bigint[]))"""
    await run(tx, sql, kind=kind, which=list(which), now=now)


# -- publication ---------------------------------------------------------------------------------------------------


async def publish(
    tx: AsyncConnection, kind: str, version: int, wanted: Wanted, *, default_digest: str, now: datetime
) -> Done:
    """Put a checked version into force, now or at its time. `default_digest`: of what version 0 says.

    It has to be made from the version whose place it takes, or from the newest one that is scheduled; else `over` has
    to name one of the two. Scheduled versions that it was made from, or may replace, are withdrawn when they would come
    into force after it. Raises `PublicationRefused` with who and when, and nothing is changed.
    """
    by, note = _person(wanted.by), _note(wanted.note)
    if not note:
        raise PublicationRefused("it is not said why it is published: add --note")
    await one_at_a_time(tx)
    one = await find_version(tx, kind, version)
    _refuse_unready(one)
    at = wanted.at if wanted.at is not None else now
    if at < now:
        raise PublicationRefused(f"{to_local(at)} is over (it is {to_local(now)}): what was decided then is decided")
    replaced, later = await in_force(tx, kind, at), await to_come(tx, kind, at)
    last = later[-1] if later else replaced
    base = wanted.over if wanted.over is not None else one.base
    if base not in (replaced.version, last.version):
        raise PublicationRefused(_newer(one, base, replaced, last))
    withdrawn = later if later and base == last.version else []
    was = replaced.digest or default_digest
    if one.digest == was and not withdrawn:
        raise PublicationRefused(f"nothing changes: in force {_when(at, now)} is {replaced}, and it says the same")
    await _withdraw(tx, kind, [gone.version for gone in withdrawn], now)
    done = await _write_publication(tx, one, replace(wanted, by=by, note=note, at=at), now)
    await retire_superseded(tx, kind, now)
    still = [] if withdrawn else later
    return Done(version=done, replaced=replaced, withdrawn=tuple(withdrawn), to_come=tuple(still))


def _refuse_unready(one: Version) -> None:
    what = {
        State.DRAFT: f"the check found errors in it: `ballast rules check {one.kind} --version {one.version}`",
        State.PUBLISHED: "it is published already",
        State.RETIRED: f"it is retired: `ballast rules rollback {one.kind} {one.version}` publishes it again"
        if one.publication is not None
        else "it was discarded: import it again",
        State.CHECKED: "",
    }[one.state]
    if one.version == 0:
        what = f"it needs no publication: `ballast rules rollback {one.kind} 0` puts it back"
    if what:
        raise PublicationRefused(f"{one.kind} {one}: {what}")


def _when(at: datetime, now: datetime) -> str:
    return "now" if at == now else f"at {to_local(at)}"


def _newer(one: Version, base: int | None, replaced: Version, last: Version) -> str:
    made = f"what is to be published was made from version {one.base}"
    if one.base is None:
        made = "what is to be published does not say which version it was made from"
    if base != one.base:
        made = f"--over {base} is not what it would replace"
    scheduled = "" if last is replaced else f", and scheduled is {last}"
    choice = f"--over {replaced.version}" + ("" if last is replaced else f" or --over {last.version}")
    return (
        f"{made}; in force then is {replaced}{scheduled}. Export again and put your changes in, or publish over it "
        f"with {choice}: `ballast rules diff {one.kind} FILE` (stored: --version N) shows what that takes away"
    )


async def _write_publication(tx: AsyncConnection, one: Version, wanted: Wanted, now: datetime) -> Version:
    await run(
        tx,
        """
        update rule_version set state = 'published', published_by = :by, published_at = :now, effective_at = :at,
          note = :note, publication = 1 + (
            select coalesce(max(o.publication), 0) from rule_version o where o.kind = :kind)
        where kind = :kind and version = :version""",
        kind=one.kind,
        version=one.version,
        by=wanted.by,
        note=wanted.note,
        at=wanted.at,
        now=now,
    )
    return await find_version(tx, one.kind, one.version)


async def retire_superseded(tx: AsyncConnection, kind: str, now: datetime) -> None:
    """Note that the place of published versions was taken: what people read, nothing follows from it."""
    await run(
        tx,
        """
        update rule_version set state = 'retired', retired_at = :now
        where kind = :kind and state = 'published' and effective_at <= :now and version <> (
          select version from rule_version where kind = :kind and effective_at <= :now
          order by effective_at desc, publication desc limit 1)""",
        kind=kind,
        now=now,
    )


_NEWEST: Final = "select coalesce(max(version), 0) as newest from rule_version where kind = :kind"


def _person(by: str) -> str:
    if not by.strip():
        raise PublicationRefused("it is not said who does it: add --by with a person's name")
    if len(by) > LONGEST_NAME or not by.strip().isprintable():
        raise PublicationRefused(f"a person's name is one line of at most {LONGEST_NAME} characters")
    return by.strip()


def _note(note: str) -> str:
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise PublicationRefused(f"a note has at most {LONGEST_NOTE} characters")
    return note.strip()


def _version(row: Any) -> Version:
    values = dict(row._mapping)
    return Version(**{**values, "state": State(values["state"])})
