"""Commands that keep the place in order: doctor, db, parked."""

from ballast.cli import app, db, parked
from ballast.domain.words import Event, HoldReason, System


@app.command
def doctor(*, json: bool = False) -> int:
    """Check settings, database, Prefect server and every external system; say what to mend. Exit 1 if not well."""
    from rich.console import Console

    from ballast.cli.examining import examine, show
    from ballast.cli.opening import print_json, with_house

    findings = with_house(examine)
    if json:
        print_json([finding.as_dict() for finding in findings])
    else:
        show(findings, Console())
    return 0 if all(finding.ok for finding in findings) else 1


@db.command
def upgrade() -> None:
    """Bring the database to the newest shape. Safe to repeat, safe while others start."""
    from ballast.cli.opening import with_house
    from ballast.db.upgrade import upgrade as upgrade_database
    from ballast.wiring import House, database_url

    async def run(here: House) -> str:
        return await upgrade_database(database_url(here.settings))

    print(f"the database is at revision {with_house(run)}")


@db.command
def status(*, json: bool = False) -> None:
    """Revision, orders per state, and what waits in inbox and outbox."""
    from ballast.cli.opening import print_json, with_house
    from ballast.db.engine import rows
    from ballast.db.upgrade import revisions
    from ballast.wiring import House, database_url

    async def look(here: House) -> dict[str, object]:
        current, newest = await revisions(database_url(here.settings))
        async with here.transaction() as tx:
            states = await rows(tx, "select state, count(*) from sales_order group by state order by state")
            inbox = await rows(tx, "select state, count(*) from inbox where state <> 'done' group by state")
            outbox = await rows(tx, "select count(*) from outbox where due_at is not null")
        return {
            "revision": current,
            "newest": newest,
            "orders": {row[0]: row[1] for row in states},
            "inbox": {row[0]: row[1] for row in inbox},
            "outbox_due": outbox[0][0],
        }

    found = with_house(look)
    if json:
        print_json(found)
    else:
        for name, value in found.items():
            print(f"{name}: {value}")


@parked.command(name="list")
def list_parked(*, json: bool = False) -> None:
    """Messages that could not be read, by what was wrong with them."""
    from ballast.cli.opening import print_json, with_house
    from ballast.db.engine import rows
    from ballast.wiring import House

    async def look(here: House) -> list[dict[str, object]]:
        async with here.transaction() as tx:
            found = await rows(
                tx,
                """select source, note, count(*) as messages, min(received_at) as since from inbox
                where state = 'parked' group by source, note order by count(*) desc limit 200""",
            )
        return [dict(row._mapping) for row in found]

    found = with_house(look)
    if json:
        print_json(found)
    elif not found:
        print("nothing is parked")
    else:
        for row in found:
            print(f"{row['messages']} x {row['source']}: {row['note']}")


@parked.command(name="waiting")
def list_waiting(*, json: bool = False) -> None:
    """Messages that came before their order, or before it got far enough: whose, which order, since when."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing import show_waiting
    from ballast.db.inbox import Waiting, waiting
    from ballast.wiring import House

    async def look(here: House) -> list[Waiting]:
        async with here.transaction() as tx:
            return await waiting(tx)

    found = with_house(look)
    if json:
        print_json([{name: getattr(row, name) for name in row.__slots__} for row in found])
    else:
        show_waiting(found, Console())


@parked.command(name="map")
def map_code(
    system: System,
    field: str,
    code: str,
    event: Event,
    *,
    reason: HoldReason | None = None,
    note: str = "",
    by: str = "operator",
) -> int:
    """Say what a code of a system means to us, then read the messages that waited for it. HELD needs --reason.

    It is one more version of the status map: see `ballast status-map`.
    """
    from ballast.cli.opening import with_house
    from ballast.domain.status_check import Row
    from ballast.wiring import House
    from tasks.status_map import NEW_ROW, Published, publish_row

    if (event is Event.HELD) != (reason is not None):
        print("--reason belongs to HELD, and HELD needs it")
        return 2

    async def change(here: House) -> Published:
        row = Row(NEW_ROW, system, field, code, event, reason or "", note)
        return await publish_row(here, row, note=f"{system} {field} {code} is {event}", by=by)

    done = with_house(change)
    version, count = done.version.version, done.replayed
    print(f"{system} {field} {code} is {event}: version {version}; {count} parked message(s) will be read again")
    return 0


@parked.command
def replay(source: System | None = None) -> None:
    """Read parked messages again, of one system or of all."""
    from ballast.cli.opening import with_house
    from ballast.db.inbox import replay_parked
    from ballast.wiring import House

    async def change(here: House) -> int:
        async with here.transaction() as tx:
            return await replay_parked(tx, source)

    print(f"{with_house(change)} parked message(s) will be read again")
