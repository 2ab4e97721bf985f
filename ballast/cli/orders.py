"""Commands about orders: import, show, holds, rerun, hold."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ballast.cli import app, order
from ballast.domain.words import HoldReason


@app.command(name="import")
def import_file(
    file: Path,
    *,
    map: Annotated[Path, Parameter(help="the YAML file that names your columns and status words")],
    rejects: Annotated[Path | None, Parameter(help="where refused rows go; default: FILE.rejects.csv")] = None,
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Bring orders from a CSV or XLSX file into the books; doing it twice changes nothing.

    Exit 1 when rows were refused.
    """
    from rich.console import Console
    from rich.progress import Progress

    from adapters.files.mapping import read_mapping
    from ballast.cli.opening import print_json, with_house
    from tasks.importing import import_orders

    mapping, errors = read_mapping(map), Console(stderr=True)
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task("importing", total=None)
        report = with_house(
            lambda here: import_orders(
                here,
                file,
                mapping,
                rejects=rejects or file.with_suffix(".rejects.csv"),
                dry_run=dry_run,
                progress=lambda done, total: progress.update(bar, completed=done, total=total),
            )
        )
    if json:
        print_json(report.as_dict())
    else:
        from ballast.cli.showing import show_import

        show_import(report, Console())
    return 1 if report.rejected_rows else 0


@order.command
def show(order_no: str, *, json: bool = False) -> int:
    """The timeline of one order: every event, source, time, and what each system last said."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.reconciling import show_checks
    from ballast.cli.showing import show_order
    from ballast.db.reconciling import Check, last_checks
    from ballast.db.timeline import Timeline, timeline
    from ballast.wiring import House

    async def look(here: House) -> tuple[Timeline | None, tuple[datetime | None, list[Check]], str]:
        async with here.transaction() as tx:
            return await timeline(tx, order_no), await last_checks(tx, order_no), here.settings.language

    found, (checked_at, checks), language = with_house(look)
    if found is None:
        Console(stderr=True).print(f"no order {order_no}; news for unknown orders waits in the inbox")
        return 1
    if json:
        print_json(found.as_dict() | {"reconciled_at": checked_at, "reconciled": [one.as_dict() for one in checks]})
        return 0
    show_order(found, language, Console())
    show_checks(checked_at, checks, language, Console())
    return 0


@app.command
def holds(*, reason: HoldReason | None = None, json: bool = False) -> None:
    """Orders that wait for a person: why, since when, and what to do."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing import show_holds
    from ballast.db.holds import HeldRow, open_holds
    from ballast.wiring import House

    async def look(here: House) -> tuple[list[HeldRow], str]:
        async with here.transaction() as tx:
            return await open_holds(tx, reason=reason), here.settings.language

    rows, language = with_house(look)
    if json:
        print_json([{name: getattr(row, name) for name in row.__slots__} for row in rows])
    else:
        show_holds(rows, language, Console())


@app.command
def rerun(
    *order_numbers: str,
    reason: HoldReason | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    note: str = "",
    by: str = "operator",
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Release held orders and do their step again: by number, by hold reason, or by the time of the hold.

    Runs as a flow run that the Prefect UI shows, one task run per order. Exit 1 when an order is unknown.
    """
    from ballast.cli.opening import NotRunning, aware, in_prefect, show_said

    if not order_numbers and reason is None and since is None and until is None:
        raise NotRunning("say which orders: numbers, --reason, --since or --until")

    async def run() -> dict[str, str]:
        from flows.rerun_orders import rerun_orders

        return await rerun_orders(order_numbers, reason, aware(since), aware(until), note, by, dry_run)

    return show_said(in_prefect(run), json=json)


@app.command
def hold(*order_numbers: str, reason: str = "", by: str = "operator", dry_run: bool = False, json: bool = False) -> int:
    """Put orders on hold, for a reason in your words, until somebody reruns them. Exit 1 when an order is unknown.

    No step goes on with them; what is with the warehouse or the courier is not stopped there.
    """
    from ballast.cli.opening import NotRunning, in_prefect, show_said

    if not order_numbers:
        raise NotRunning("say which orders, by their numbers")

    async def run() -> dict[str, str]:
        from flows.hold_orders import hold_orders

        return await hold_orders(order_numbers, reason, by, dry_run)

    return show_said(in_prefect(run), json=json)
