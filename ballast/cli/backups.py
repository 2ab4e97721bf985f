"""`ballast db backup`, `ballast db restore` and `ballast db restored`."""

from pathlib import Path

from ballast.cli import db


@db.command
def backup(file: Path) -> None:
    """Write all books to a new file, while Ballast works. It holds personal data; only you can read it."""
    from ballast.cli.opening import with_database
    from ballast.db.backup import backup as write_backup

    print(f"{file}: {with_database(lambda url: write_backup(url, file)):,} bytes")


@db.command
def restore(file: Path) -> None:
    """Fill an empty database from a backup. Every open order is due again, and looked for before anything is made."""
    from ballast.cli.opening import with_database
    from ballast.db.backup import restore as read_backup
    from ballast.settings import settings

    revision = with_database(lambda url: read_backup(url, file, settings().make_clock().now()))
    print(f"restored at revision {revision}; every open order is due again and is looked for first")


@db.command(name="restored")
def mark() -> None:
    """Say that the database was put back by other means: open orders are due again and looked for first."""
    from ballast.cli.opening import with_house
    from ballast.db.backup import mark_restored
    from ballast.wiring import House

    async def change(here: House) -> None:
        async with here.transaction() as tx:
            await mark_restored(tx, here.clock.now())

    with_house(change)
    print("every open order is due again and is looked for first")
