"""Commands about time: the SLA policy, what is late, and what people say: a wish, a tier."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ballast.cli import app

if TYPE_CHECKING:
    from ballast.db.clocks import LateOrder

sla = App(name="sla", help="How long everything may take, and what takes longer.")
customer = App(name="customer", help="One customer.")
for group in (sla, customer):
    app.command(group)


@sla.command
def check(file: Path | None = None) -> int:
    """Check a policy as the processes do: every mistake with file and line. Exit 1.

    Without FILE: the file of the settings, which is in force until one is published (`ballast rules show sla`).
    """
    from datetime import UTC

    from rich.console import Console

    from ballast.cli.showing import show_policy
    from ballast.rules.current import find_rules
    from ballast.rules.entries import RulesError
    from ballast.rules.sla import read_policy
    from ballast.settings import settings

    console = Console()
    try:
        policy = read_policy(file or find_rules(settings().sla_policy), datetime.now(UTC))
    except RulesError as wrong:
        for line in wrong.problems:
            console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    show_policy(policy, console)
    return 0


@sla.command(name="list")
def list_late(*, clock: str = "", json: bool = False) -> None:
    """Orders that are over a limit now: which clock, since when, how much, the reddest first."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing import show_late
    from ballast.db.clocks import late_orders
    from ballast.wiring import House

    async def look(here: House) -> "tuple[list[LateOrder], datetime]":
        async with here.transaction() as tx:
            return await late_orders(tx, clock=clock), here.clock.now()

    found, now = with_house(look)
    if json:
        print_json([{name: getattr(row, name) for name in row.__slots__} for row in found])
    else:
        show_late(found, now, Console())


@app.command
def wish(
    order_no: str,
    *,
    until: Annotated[datetime, Parameter(help="without zone: China Standard Time")],
    note: str = "",
    by: str = "operator",
) -> int:
    """The customer wants it later: clocks that pause for a wish do not count until then. Exit 1: unknown order."""
    from ballast.cli.opening import NotRunning, aware, with_house
    from ballast.clock import to_local
    from ballast.db.archive import say_where
    from ballast.db.clocks import wish as note_wish
    from ballast.wiring import House

    at = aware(until)
    assert at is not None

    async def change(here: House) -> str:
        if at <= here.clock.now():
            raise NotRunning(f"{to_local(at)} is over: a wish is for later")
        async with here.transaction() as tx:
            known = await note_wish(tx, order_no, until=at, by=by, note=note, now=here.clock.now())
            return "" if known else await say_where(tx, order_no)

    elsewhere = with_house(change)
    print(f"{order_no}: {elsewhere or f'its clocks pause until {to_local(at)}'}")
    return 1 if elsewhere else 0


@customer.command
def tier(customer_no: str, name: str) -> int:
    """Say which tier a customer is of, as the SLA policy names it; '' for none. Exit 1: unknown customer."""
    from ballast.cli.opening import with_house
    from ballast.db.clocks import set_tier
    from ballast.wiring import House

    async def change(here: House) -> int | None:
        async with here.transaction() as tx:
            return await set_tier(tx, customer_no, name.strip(), now=here.clock.now())

    orders = with_house(change)
    if orders is None:
        print(f"no customer {customer_no}")
        return 1
    print(f"{customer_no} is {name.strip() or 'of no tier'}; the clocks of {orders} order(s) under way are read again")
    return 0
