"""A copy of the books in one file, and back from it. After that everything is looked for before it is made again."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.embedded import TOOLS
from ballast.db.engine import DATABASE_ERRORS, make_engine, rows
from ballast.db.upgrade import known_revisions, upgrade


class BackupFailed(Exception):
    """A backup was not written, or not restored; nothing was changed. Mend what the text names, then try again."""


_MARK = (
    "insert into public.restore (restored_at) values (cast({now} as timestamptz))",
    """update public.sales_order set lease_owner = null,
      due_at = case when state = 'SIGNED' then due_at else least(due_at, cast({now} as timestamptz)) end
    where due_at is not null""",
    """update public.outbox set lease_owner = null, due_at = least(due_at, cast({now} as timestamptz))
    where due_at is not null""",
)
"""Nobody holds a lease; every open order is due, so that each system is asked what became of it since the backup.
A signed order waits for the end of its return window only.
"""


_BEFORE = "select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout';\n"
_UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;"
"""pg_restore 18 writes this for every server, and those before PostgreSQL 17 refuse it."""

_OF_OUR_TIME = """
do $$ declare found text := (select string_agg(version_num, ', ') from public.alembic_version); begin
  if found is null or found not in ({known}) then
    raise exception 'its revision % was made by a newer Ballast: restore it with that version', found;
  end if;
end $$;
"""

_SEAL = b"\nballast sha256 "
"""A backup ends with this and the digest of everything before it; pg_restore does not look there. PostgreSQL's own
format has no checksum over the definitions of tables and rules. A file without a seal was written by pg_dump itself.
"""


async def mark_restored(tx: AsyncConnection, now: datetime) -> None:
    """The books were put back to an earlier state: look for what may have been done since, before doing it again.

    `now` is business time. For restores that were not made by `restore`: a point in time, a volume's snapshot.
    """
    for statement in _MARK:
        await tx.execute(text(statement.format(now=":now")), {"now": now})


def backup(url: str, file: Path) -> int:
    """Write all books to a new file, readable by us only, while Ballast works; its size in bytes.

    Raises `BackupFailed`. An existing file is left alone; a file that is there is whole.
    """
    if file.exists():
        raise BackupFailed(f"{file} exists already: choose another name, a backup is never overwritten")
    part = file.with_name(f"{file.name}.part")
    try:
        part.touch(mode=0o600, exist_ok=False)
    except OSError as wrong:
        raise BackupFailed(f"{part} cannot be written ({type(wrong).__name__})") from None
    try:
        _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
        _seal(part)
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def restore(url: str, file: Path, now: datetime) -> str:
    """Fill an empty database from a backup, bring it to the newest shape and mark it; the revision reached.

    All or nothing: it is one transaction, and the mark is part of it. The plain text of the books lies in the folder
    of temporary files meanwhile. Raises `BackupFailed`, also for a database that is not empty.
    """
    if not file.is_file():
        raise BackupFailed(f"there is no file {file}")
    _check_seal(file)
    asyncio.run(_refuse_unless_empty(url))
    with tempfile.TemporaryDirectory(prefix="ballast-restore-") as folder:
        before, books, mark = (Path(folder) / f"{name}.sql" for name in ("before", "books", "mark"))
        before.write_text(_BEFORE)
        known = ", ".join(f"'{revision}'" for revision in known_revisions())
        mark.write_text(
            _OF_OUR_TIME.format(known=known) + "".join(f"{statement.format(now=_PSQL_NOW)};\n" for statement in _MARK)
        )
        _run(url, "pg_restore", "--no-owner", "--no-privileges", f"--file={books}", str(file))
        _blank(books, _UNKNOWN_BEFORE_17)
        _run(
            url,
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--set=now={now.isoformat()}",
            f"--file={before}",
            f"--file={books}",
            f"--file={mark}",
        )
    return asyncio.run(upgrade(url))


def _seal(file: Path) -> None:
    with file.open("r+b") as books:
        digest = hashlib.file_digest(books, "sha256").digest()
        books.write(_SEAL + digest)
        books.flush()
        os.fsync(books.fileno())


def _check_seal(file: Path) -> None:
    try:
        with file.open("rb") as books:
            left, digest = file.stat().st_size - len(_SEAL) - 32, hashlib.sha256()
            while left > 0 and (part := books.read(min(left, 1 << 20))):
                digest.update(part)
                left -= len(part)
            seal = books.read()
    except OSError as wrong:
        raise BackupFailed(f"{file} cannot be read ({type(wrong).__name__}). Nothing was changed") from None
    if seal.startswith(_SEAL) and seal != _SEAL + digest.digest():
        raise BackupFailed(f"{file} is not what was written: copy it again, or take another. Nothing was changed")


def _blank(books: Path, line: bytes) -> None:
    """Take a line out of the head of a file that may be large: it is overwritten, nothing is moved."""
    with books.open("r+b") as file:
        if (at := file.read(4096).find(line)) >= 0:
            file.seek(at)
            file.write(b" " * len(line))


async def _refuse_unless_empty(url: str) -> None:
    engine = make_engine(url, pool=1)
    try:
        async with engine.connect() as connection:
            tables = [
                row.tablename
                for row in await rows(
                    connection,
                    "select tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
                )
            ]
            orders = (await rows(connection, "select count(*) from sales_order"))[0][0] if _ORDERS in tables else 0
    except DATABASE_ERRORS as lost:
        raise BackupFailed(f"{_name(url)} does not take connections ({type(lost).__name__})") from None
    finally:
        await engine.dispose()
    if tables:
        raise BackupFailed(
            f"{_name(url)} is not empty: {len(tables)} tables, {orders} orders. A backup is restored into an empty "
            "database only: create a new one, set BALLAST_DATABASE_URL to it (embedded: stop Ballast and move the "
            "folder `postgres` under BALLAST_HOME away), then restore again. Nothing was changed"
        )


_ORDERS = "sales_order"
_PSQL_NOW = ":'now'"


def _name(url: str) -> str:
    """Which database, for people: no password."""
    parsed = make_url(url)
    return f"database {parsed.database!r} on {parsed.host or parsed.query.get('host') or 'this machine'}"


def client_environment(url: str) -> dict[str, str]:
    """What the tools of PostgreSQL are told, by environment: other users of the machine can read command lines."""
    parsed = make_url(url)
    told: Mapping[str, object] = {
        "PGDATABASE": parsed.database,
        "PGHOST": parsed.host or parsed.query.get("host"),
        "PGPORT": parsed.port or parsed.query.get("port"),
        "PGUSER": parsed.username or parsed.query.get("user"),
        "PGPASSWORD": parsed.password or parsed.query.get("password"),
        "PGSSLMODE": parsed.query.get("ssl") or parsed.query.get("sslmode"),
    }
    return {name: str(value) for name, value in told.items() if value}


_TLS = frozenset({"require", "verify-ca", "verify-full"})


def _program(tool: str, environment: Mapping[str, str]) -> str:
    """The wheel's own, which works with older servers, too; but it speaks no TLS: who asks for that brings his own."""
    if tool == "pg_restore" or environment.get("PGSSLMODE") not in _TLS:
        return str(TOOLS / tool)
    if (found := shutil.which(tool)) is None:
        raise BackupFailed(
            f"the database is reached by TLS, which the {tool} that comes with Ballast does not speak: install the "
            "client programs of PostgreSQL (no older than the server), then try again. Nothing was changed"
        )
    return found


def _run(url: str, tool: str, *words: str) -> None:
    environment = {**os.environ, **client_environment(url)}
    done = subprocess.run(  # noqa: S603  # PostgreSQL's own tools
        [_program(tool, environment), *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = " ".join(done.stderr.split())[-500:]
        raise BackupFailed(f"{tool} for {_name(url)} failed: {why}. Nothing was changed")
