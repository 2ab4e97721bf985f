"""Bring a database to the newest shape: `ballast db upgrade`, and every start of the embedded one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from ballast.db.engine import make_engine


class NewerDatabase(Exception):
    """A newer Ballast has had this database: install that version again, or restore a backup into an empty database."""


def alembic_config() -> Config:
    """Configuration without a file: the scripts lie beside this module."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def upgrade(url: str) -> str:
    """Run every missing migration, under a lock so that several starters do it once; the revision reached.

    Raises `NewerDatabase` when it has one that is not known here; nothing is changed then.
    """
    engine = make_engine(url, pool=1)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(7262517)"))
            await connection.run_sync(_upgrade)
            return await connection.run_sync(_revision) or ""
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    found = _revision(connection)
    if found is not None and found not in known_revisions():
        raise NewerDatabase(
            f"the database is at revision {found}, which this version does not know: a newer Ballast upgraded it. "
            "Install that one again, or restore a backup from before (`ballast db restore`) into an empty database"
        )
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def revisions(url: str) -> tuple[str, str]:
    """(revision of the database, newest revision): equal when nothing is to be done."""
    engine = make_engine(url, pool=1)
    try:
        async with engine.connect() as connection:
            current = await connection.run_sync(_revision)
    finally:
        await engine.dispose()
    return current or "", ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def known_revisions() -> list[str]:
    """Every revision that this version can bring to the newest shape."""
    return [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]


async def create_database(url: str, name: str, *, fresh: bool = False) -> None:
    """Create a database of this name on the server of `url`, if it is not there; `fresh` drops what was there."""
    server = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg", database="postgres"), isolation_level="AUTOCOMMIT"
    )
    try:
        async with server.connect() as connection:
            quoted = connection.dialect.identifier_preparer.quote(name)
            if fresh:
                await connection.execute(text(f"drop database if exists {quoted} with (force)"))
            known = await connection.execute(text("select 1 from pg_database where datname = :name"), {"name": name})
            if known.first() is None:
                await connection.execute(text(f"create database {quoted}"))
    finally:
        await server.dispose()
