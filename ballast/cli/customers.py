"""Commands about customers: how well their orders were fulfilled, whose account they are, their tickets."""

from typing import TYPE_CHECKING

from ballast.cli.watching import customer

if TYPE_CHECKING:
    from ballast.db.health import CustomerScore
    from tasks.health import Seen


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
