"""Commands about money: give some back, see what goes back, say what was given back by hand."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ballast.cli import app

if TYPE_CHECKING:
    from ballast.db.refund_requests import Answer

MOST_ROWS = 10_000

finance = App(name="finance", help="Second charges and refunds: what finance has to see and to do.")
app.command(finance)


@app.command
def refund(
    order_no: str,
    *,
    why: str,
    amount: Annotated[str | None, Parameter(help="such as 12.34; default: all that is left of the charge")] = None,
    charge: Annotated[str | None, Parameter(help="NUMBER or PROVIDER:NUMBER, when there are several")] = None,
    again: bool = False,
    by: str = "operator",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Give money of an order back, in part or whole. Never more than was captured; the order goes on with the rest.

    The same amount for the same reason twice is refused with the number of the first, unless --again. Exit 2 when it
    is refused.
    """
    from ballast.cli.opening import with_house
    from ballast.db.refund_requests import Answer, Wanted, request
    from ballast.wiring import House

    wanted = Wanted(order_no=order_no, amount=amount, transaction=charge, why=why, by=by, again=again)

    async def ask(here: House) -> Answer:
        async with here.transaction() as tx:
            return await request(tx, wanted, now=here.clock.now(), waits=here.waits, dry_run=dry_run)

    _say(with_house(ask), dry_run=dry_run, json=json)


@finance.command
def done(refund_no: str, *, by: str = "operator", json: bool = False) -> None:
    """Say that a refund that Ballast cannot ask for was made by hand. Exit 2 when it does not wait for that."""
    from ballast.cli.opening import with_house
    from ballast.db.refund_requests import Answer, made_by_hand
    from ballast.wiring import House

    async def tell(here: House) -> Answer:
        async with here.transaction() as tx:
            return await made_by_hand(tx, refund_no, by=by, now=here.clock.now(), waits=here.waits)

    _say(with_house(tell), dry_run=False, json=json)


@finance.command(name="list")
def list_finance(
    *,
    since: datetime | None = None,
    duplicates: bool = False,
    xlsx: Annotated[Path | None, Parameter(help="write a workbook instead")] = None,
    json: bool = False,
) -> None:
    """Second charges and every charge of which money went or goes back: captured, back, on its way, by hand, left.

    Orders in the archive are not listed, which is said when there are any of that time.
    """
    from rich.console import Console

    from ballast.cli.opening import aware, print_json, with_house
    from ballast.cli.showing import show_finance
    from ballast.db import archive
    from ballast.db.finance import FinanceRow, finance_list
    from ballast.wiring import House

    begins = aware(since)

    async def look(here: House) -> tuple[list[FinanceRow], datetime | None]:
        async with here.transaction() as tx:
            found = await finance_list(tx, since=begins, duplicates=duplicates, most=MOST_ROWS)
            return found, await archive.last_closed(tx)

    found, archived = with_house(look)
    notes = Console(stderr=True)
    for note in _left_out(len(found), archived, begins):
        notes.print(note)
    if xlsx is not None:
        from adapters.files.xlsx_table import write_table
        from tasks.finance import COLUMNS, cells

        write_table(xlsx, "refunds", COLUMNS, map(cells, found))
        notes.print(f"{len(found)} row(s) are in {xlsx}")
    if json:
        print_json([{name: getattr(row, name) for name in row.__slots__} for row in found])
    elif xlsx is None:
        show_finance(found, Console())


def _left_out(count: int, archived: datetime | None, since: datetime | None) -> Iterator[str]:
    """What a list of `count` rows does not show. `archived`: when the last order that is in the archive closed."""
    from ballast.clock import to_local

    if count == MOST_ROWS:
        yield f"only the newest {MOST_ROWS} are shown; say --since"
    if archived and (since is None or archived >= since):
        yield (
            f"orders in the archive (the last closed {to_local(archived)}) are not listed; "
            "`ballast db recall ORDER` brings one back"
        )


def _say(answer: "Answer", *, dry_run: bool, json: bool) -> None:
    if json:
        from ballast.cli.opening import print_json

        print_json({name: getattr(answer, name) for name in answer.__slots__} | {"dry_run": dry_run})
    else:
        print(f"{answer.order_no}: {'would be: ' if dry_run else ''}{answer.text}")
