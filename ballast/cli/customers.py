"""Commands about customers: how well their orders were fulfilled, whose account they are, their tickets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ballast.cli.watching import customer

if TYPE_CHECKING:
    from ballast.db.health import CustomerScore
    from tasks.health import Seen
    from tasks.tickets import FileTaken

tickets = App(name="tickets", help="Tickets of customer service.")
owners = App(name="owners", help="Whose accounts customers are.")
for group in (tickets, owners):
    customer.command(group)


@customer.command
def health(customer_no: str = "", *, worst: int = 0, days: int = 0, json: bool = False) -> int:
    """How well a customer's orders were fulfilled, 0 to 100: what it lost where, the trend, the orders that cost most.

    With --worst N instead of a number: the lowest scores of the last scoring. --days: another window than 180.
    Exit 1: somebody is below 60, or the customer is unknown. Exit 2: no number, or no window.
    """
    from rich.console import Console

    from ballast.cli.opening import NotRunning, print_json, with_house
    from ballast.cli.showing_health import show_health, show_worst
    from ballast.db.health import worst_customers
    from ballast.domain.health import ALERT_BELOW
    from ballast.wiring import House
    from tasks.health import see

    if bool(customer_no) == (worst > 0):
        raise NotRunning("say which customer, or --worst 20")

    async def list_worst(here: House) -> "tuple[list[CustomerScore], str]":
        async with here.transaction() as tx:
            return await worst_customers(tx, most=worst), here.settings.language

    async def look(here: House) -> "tuple[Seen | None, str]":
        async with here.transaction() as tx:
            return await see(here, tx, customer_no, days), here.settings.language

    if worst:
        found, language = with_house(list_worst)
        print_json([one.as_dict() for one in found]) if json else show_worst(found, language, Console())
        return int(any(one.health.score is not None and one.health.score < ALERT_BELOW for one in found))
    seen, language = with_house(look)
    if seen is None:
        print(f"no customer {customer_no}")
        return 1
    print_json(seen.as_dict()) if json else show_health(seen, language, Console())
    score = seen.customer.health.score
    return int(score is not None and score < ALERT_BELOW)


@customer.command
def owner(customer_no: str, name: str) -> int:
    """Say whose account a customer is: a key of the SLA policy's people; '' for nobody's. Exit 1: unknown customer."""
    from ballast.cli.opening import with_house
    from ballast.db.customers import set_owners
    from ballast.wiring import House
    from tasks.tickets import known_people

    async def change(here: House) -> bool:
        async with here.transaction() as tx:
            await known_people(here, tx, [name.strip()])
            return bool(await set_owners(tx, {customer_no: name.strip()}))

    if not with_house(change):
        print(f"no customer {customer_no}")
        return 1
    print(f"{customer_no} is {f'the account of {name.strip()}' if name.strip() else 'the account of nobody'}")
    return 0


@tickets.command(name="import")
def import_tickets(
    file: Path,
    *,
    mapping: Annotated[Path | None, Parameter(help="the YAML file that names your columns and words")] = None,
    rejects: Annotated[Path | None, Parameter(help="where refused rows go; default: FILE.rejects.csv")] = None,
    json: bool = False,
) -> int:
    """Bring tickets of customer service from a CSV or XLSX file into the books; doing it twice changes nothing.

    Exit 1 when rows were refused.
    """
    from adapters.files.tickets import read_ticket_mapping
    from ballast.cli.opening import with_house
    from tasks import tickets as work

    names, beside = read_ticket_mapping(mapping), rejects or file.with_suffix(".rejects.csv")
    return _said(with_house(lambda here: work.import_tickets(here, file, names, rejects=beside)), json=json)


@owners.command(name="import")
def import_owners(
    file: Path,
    *,
    rejects: Annotated[Path | None, Parameter(help="where refused rows go; default: FILE.rejects.csv")] = None,
    json: bool = False,
) -> int:
    """Say whose accounts customers are, by a CSV or XLSX file with the columns customer_no and owner.

    Exit 1 when rows were refused.
    """
    from ballast.cli.opening import with_house
    from tasks import tickets as work

    beside = rejects or file.with_suffix(".rejects.csv")
    return _said(with_house(lambda here: work.import_owners(here, file, rejects=beside)), json=json)


def _said(done: "FileTaken", *, json: bool) -> int:
    from rich.console import Console

    from ballast.cli.opening import print_json

    if json:
        print_json(done.as_dict())
        return int(done.refused > 0)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    counts = {"new": done.new, "changed": done.changed, "known": done.known, "refused": done.refused}
    console.print(f"{done.file}: {done.rows} rows: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
    if done.strangers:
        console.print(f"{done.strangers} are of customers whom nobody knows yet: they count as soon as these order")
    for reason in done.reasons:
        console.print(reason, style="red")
    if done.rejects:
        console.print(f"all refused rows: {done.rejects}")
    return int(done.refused > 0)
