"""Commands about a day's money and providers' statements: `ballast finance day`, `order`, `findings`, `statement`."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ballast.cli.money import finance

if TYPE_CHECKING:
    from ballast.db.ledger import OrderMoney
    from tasks.ledger import DayLedger
    from tasks.statements import Imported, ReadFile

statement = App(name="statement", help="Providers' statements: imported, matched line by line, open until it agrees.")
finance.command(statement)

Day = Annotated[str, Parameter(help="such as 2026-01-31, China time; default: yesterday")]


@finance.command(name="day")
def show_day(
    day: Day = "",
    *,
    xlsx: Annotated[Path | None, Parameter(help="write the day's workbook, too")] = None,
    json: bool = False,
) -> int:
    """What was due, captured and refunded on a day, by channel and provider, and what does not agree.

    Exit 1 when something has to be done, or the sums do not add up. Exit 2 when it is no day.
    """
    from ballast.cli.showing_ledger import show_day_in_words
    from tasks.ledger_words import write_day

    found, language = _read_day(day)
    if xlsx is not None:
        write_day(xlsx, found, language)
    if json:
        _print_day(found)
    else:
        show_day_in_words(found, language, xlsx)
    return 1 if found.to_act_on() or found.open_items or not found.adds_up else 0


@finance.command(name="findings")
def show_findings(*, day: Day = "", json: bool = False) -> int:
    """Orders of which the money does not agree with their state: those of a day, and all that are still open.

    Exit 1 when one of them asks for somebody to act.
    """
    from ballast.cli.showing_ledger import show_sheets
    from tasks.ledger_words import DayWords

    found, language = _read_day(day)
    if json:
        from ballast.cli.opening import print_json

        print_json([_order_json(one) for one in found.seen])
    else:
        words = DayWords(language)
        show_sheets([words.findings(found.seen)], words.say("all money agrees with its orders"))
    return 1 if found.to_act_on() else 0


@finance.command(name="order")
def show_order(order_no: str, *, json: bool = False) -> int:
    """One order's account: due, captured, refunded, on its way, open; what does not agree. Exit 1 when unknown."""
    import sys

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_ledger import show_account
    from ballast.db.ledger import OrderMoney, money_of
    from ballast.wiring import House
    from tasks.ledger_words import DayWords

    async def look(here: House) -> tuple[list[OrderMoney], str]:
        async with here.transaction() as tx:
            return await money_of(tx, [order_no], here.clock.now()), here.settings.language

    found, language = with_house(look)
    if not found:
        print(f"{order_no}: unknown order", file=sys.stderr)
        return 1
    if json:
        print_json([_order_json(one) for one in found])
    else:
        show_account(found, DayWords(language))
    return 0


@statement.command(name="import")
def import_file(
    file: Path,
    *,
    provider: Annotated[str, Parameter(help="whose own format it is: wechatpay")] = "",
    map_: Annotated[Path | None, Parameter(name="--map", help="how any other CSV is to be read")] = None,
    rejects: Annotated[Path | None, Parameter(help="where rows that cannot be read go; default: beside FILE")] = None,
    by: str = "operator",
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Import a provider's statement and match it line by line. The same file twice is one, the same line, too.

    Exit 1 when a line stays open, something of ours is missing in it, or a row could not be read. Exit 2 when it is
    refused: cut off, or not what it should be; then nothing was imported.
    """
    from ballast.cli.opening import with_house
    from ballast.wiring import House
    from tasks.statements import Imported, import_statement, read_file, write_rejects

    read = read_file(file, provider, map_)
    out = rejects or file.with_name(f"{file.stem}.rejects.csv")
    if read.problems and not dry_run:
        write_rejects(out, read.problems)

    async def put(here: House) -> tuple[Imported, str]:
        return await import_statement(here, read, by=by, dry_run=dry_run), here.settings.language

    found, language = with_house(put)
    return _say_imported(read, found, language, dry_run=dry_run, json=json, rejects=out)


@statement.command
def fetch(day: Day = "", *, by: str = "operator", json: bool = False) -> int:
    """Fetch the statement of a day from WeChat Pay (ready at ten the morning after) and import it. Exit as `import`."""
    from ballast.cli.opening import with_house
    from ballast.wiring import House
    from tasks.ledger import read_day
    from tasks.statements import Imported, ReadFile, fetch_statement, import_statement

    async def get(here: House) -> tuple[ReadFile | None, Imported | None, str]:
        read = await fetch_statement(here, read_day(day, here.clock.now()))
        found = await import_statement(here, read, by=by) if read is not None else None
        return read, found, here.settings.language

    read, found, language = with_house(get)
    if read is None or found is None:
        print("the provider has no statement of that day: nothing happened on it")
        return 0
    return _say_imported(read, found, language, dry_run=False, json=json, rejects=None)


@statement.command(name="list")
def list_statements(*, since: date = date(1, 1, 1), until: date = date(9999, 1, 1), json: bool = False) -> None:
    """Statements with the counts of their lines: agree, open, repeated. The newest first."""
    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_ledger import show_sheets
    from ballast.db import statements
    from ballast.wiring import House
    from tasks.ledger_words import DayWords

    async def look(here: House) -> tuple[list[statements.StatementHead], str]:
        async with here.transaction() as tx:
            await statements.match_all_open(tx)
            return await statements.statements(tx, since=since, until=until), here.settings.language

    found, language = with_house(look)
    if json:
        print_json([_plain(one) for one in found])
    else:
        words = DayWords(language)
        show_sheets([words.statements(found)], words.say("no statement was imported"))


@statement.command(name="show")
def show_statement(
    number: int, *, all: Annotated[bool, Parameter(help="its lines that agree, too")] = False, json: bool = False
) -> int:
    """The open items of a statement: lines that we do not know or that differ, and what of ours it lacks.

    Exit 1 when there is one. Exit 2 when there is no such statement.
    """
    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_ledger import show_sheets
    from ballast.db import statements
    from ballast.domain.statements import OPEN, Verdict
    from ballast.wiring import House
    from tasks.ledger_words import DayWords
    from tasks.statements import MOST

    async def look(here: House) -> tuple[statements.StatementHead, list[statements.Item], str]:
        async with here.transaction() as tx:
            await statements.match(tx, [number])
            head = await statements.one_statement(tx, number)
            return head, await statements.items(tx, [head], only_open=not all, most=MOST), here.settings.language

    head, items, language = with_house(look)
    words = DayWords(language)
    if json:
        print_json({**_plain(head), "items": [_plain(one) for one in items]})
    else:
        show_sheets([words.statements([head])], "")
        show_sheets([words.items(items)], words.say("every line agrees, and nothing is missing"))
    return 1 if any(one.verdict in (*OPEN, Verdict.MISSING) for one in items) else 0


@statement.command(name="book")
def book_charges(number: int, *lines: int, by: str = "operator", json: bool = False) -> None:
    """Put charges into the books that only the statement knows, as if their notices had come: LINES, or all that name
    an order in the books. What is too much goes back to the customer.

    Exit 2 when a line is no open charge of an order in the books; then nothing was booked.
    """
    from ballast.cli.opening import print_json, with_house
    from ballast.wiring import House
    from tasks.statements import book_lines

    async def put(here: House) -> list[str]:
        return await book_lines(here, number, lines, by=by)

    said = with_house(put)
    if json:
        print_json(said)
    else:
        print("\n".join(said) or "nothing to book: no line of it is an open charge of an order in the books")


# -- what they share ---------------------------------------------------------------------------------------------


def _read_day(day: str) -> "tuple[DayLedger, str]":
    from ballast.cli.opening import with_house
    from ballast.wiring import House
    from tasks.ledger import read_day, read_ledger

    async def look(here: House) -> "tuple[DayLedger, str]":
        found = await read_ledger(here, read_day(day, here.clock.now()))
        return found, here.settings.language

    return with_house(look)


def _say_imported(
    read: "ReadFile", found: "Imported", language: str, *, dry_run: bool, json: bool, rejects: Path | None
) -> int:
    from ballast.cli.opening import print_json
    from ballast.cli.showing_ledger import show_sheets
    from tasks.ledger_words import DayWords

    words = DayWords(language)
    if json:
        items = [_plain(one) for one in found.items]
        print_json({**_plain(found.head), "known": found.known, "dry_run": dry_run, "items": items})
    else:
        if found.known:
            print(f"this file is here already, as statement {found.head.id}; nothing was imported")
        if dry_run:
            print("would be:")
        show_sheets([words.statements([found.head])], "")
        show_sheets([words.items(found.open)], words.say("every line agrees, and nothing is missing"))
        if read.problems:
            left = f"{len(read.problems)} row(s) could not be read"
            print(left if dry_run else f"{left}: they are in {rejects}")
    return 1 if found.open or read.problems else 0


def _plain(one: Any) -> dict[str, Any]:
    """A frozen value as a script reads it: amounts in minor units beside their currency."""
    from ballast.domain.money import Money

    found: dict[str, Any] = {}
    for name in one.__slots__:
        value = getattr(one, name)
        found |= {name: value.amount, "currency": value.currency} if isinstance(value, Money) else {name: value}
    return found


def _order_json(one: "OrderMoney") -> dict[str, Any]:
    facts = one.facts
    head = {"order_no": facts.order_no, "channel": facts.channel, "state": facts.state, "currency": facts.currency}
    moved = {name: getattr(one, name) for name in ("moved_due", "moved_captured", "moved_refunded")}
    return {**head, **_plain(one.account), **moved, "findings": one.findings, "archived": one.order_id is None}


def _print_day(found: "DayLedger") -> None:
    from ballast.cli.opening import print_json

    print_json(
        {
            "day": found.day.isoformat(),
            "adds_up": found.adds_up,
            "sums": [_plain(one) | {"net": one.net} for one in found.sums],
            "orders": [_order_json(one) for one in found.orders],
            "findings": [_order_json(one) for one in found.seen],
            "open_items": [_plain(one) for one in found.open_items],
        }
    )
