"""Commands that keep the books small: db prune, db recall."""

from typing import Annotated

from cyclopts import Parameter

from ballast.cli import db


@db.command
def prune(
    *,
    older_than: Annotated[str, Parameter(help="since they closed, such as 400d; default: BALLAST_RETENTION")] = "",
    forget_older_than: Annotated[str, Parameter(help="likewise; default: BALLAST_FORGET_AFTER")] = "",
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Move orders that closed long ago into the archive, one compressed row each, and take away what belongs to none.

    Orders with an open return, refund, hold, alert or message stay. Safe while everything works, and to repeat. With
    --forget-older-than the archive itself loses what closed before that, for good. Exit 1: it was ended half-way.
    """
    from rich.console import Console
    from rich.progress import Progress

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_pruned import show_pruned
    from ballast.wiring import House
    from tasks.pruning import Ages, Pruned
    from tasks.pruning import prune as prune_books
    from tasks.window import read_age

    archive = read_age(older_than) if older_than else None
    forget = read_age(forget_older_than) if forget_older_than else None

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("looking at old orders", total=None)

        async def work(here: House) -> tuple[Pruned, str]:
            settings = here.settings
            ages = Ages(archive=archive or settings.retention, forget=forget or settings.forget_after)
            done = await prune_books(
                here, ages, dry_run=dry_run, progress=lambda at, of: progress.update(bar, completed=at, total=of)
            )
            return done, settings.language

        done, language = with_house(work)
    if json:
        print_json(done.as_dict())
    else:
        show_pruned(done, language, Console())
    return 0 if done.whole else 1


@db.command
def recall(*order_numbers: str) -> int:
    """Bring orders back from the archive, as they were; what was parked about them is read again. Exit 1: not there."""
    from ballast.cli.opening import NotRunning, with_house
    from ballast.db.archive import NotInArchive
    from ballast.db.archive import recall as recall_order
    from ballast.wiring import House

    if not order_numbers:
        raise NotRunning("say which orders, by their numbers")

    async def work(here: House) -> dict[str, str]:
        said = {}
        for number in order_numbers:
            try:
                async with here.transaction() as tx:
                    said[number] = f"back in the books, {await recall_order(tx, number)} rows"
            except NotInArchive:
                said[number] = "not in the archive"
        return said

    said = with_house(work)
    for number, what in said.items():
        print(f"{number}: {what}")
    return 1 if "not in the archive" in said.values() else 0
