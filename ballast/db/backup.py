"""A copy of the books in one file, and back from it. After that everything is looked for before it is made again."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.embedded import TOOLS
from ballast.db.engine import DATABASE_ERRORS, make_engine, rows
from ballast.db.upgrade import upgrade


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
    asyncio.run(_refuse_unless_empty(url))
    with tempfile.TemporaryDirectory(prefix="ballast-restore-") as folder:
        books, mark = Path(folder) / "books.sql", Path(folder) / "mark.sql"
        mark.write_text("".join(f"{statement.format(now=_PSQL_NOW)};\n" for statement in _MARK))
        _run(url, "pg_restore", "--no-owner", "--no-privileges", f"--file={books}", str(file))
        _run(
            url,
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--set=now={now.isoformat()}",
            f"--file={books}",
            f"--file={mark}",
        )
    return asyncio.run(upgrade(url))


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


def _run(url: str, tool: str, *words: str) -> None:
    done = subprocess.run(  # noqa: S603  # the wheel's own tools
        [str(TOOLS / tool), *words],
        env={**os.environ, **client_environment(url)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = " ".join(done.stderr.split())[-500:]
        raise BackupFailed(f"{tool} for {_name(url)} failed: {why}. Nothing was changed")
