"""`ballast stock reserved`: what is kept for orders that are not paid yet."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ballast.cli.stock import stock

if TYPE_CHECKING:
    from ballast.db.reservations import Reservation

reserved = App(name="reserved", help="What is kept for orders that are not paid yet.")
stock.command(reserved)


@reserved.command(name="list")
def list_(*, sku: str = "", most: Annotated[int, Parameter(help="rows")] = 1000, json: bool = False) -> int:
    """What is kept now, for whom and until when; the next to expire first. 列出预占"""
    from ballast.cli.opening import print_json, with_house
    from ballast.db.reservations import Reservation, list_reservations
    from ballast.wiring import House

    async def look(here: House) -> list[Reservation]:
        async with here.transaction() as tx:
            return await list_reservations(tx, now=here.clock.now(), sku=sku, most=most)

    found = with_house(look)
    print_json([asdict(one) for one in found]) if json else _show(found)
    return 0


@reserved.command
def free(*order_numbers: str, json: bool = False) -> int:
    """Give back what is kept for these orders, to whoever comes next. Exit 1 when nothing is kept for one of them.

    The orders stay as they are: who pays all the same competes again. 释放预占
    """
    from rich.console import Console

    from ballast.cli.opening import NotRunning, print_json, with_house
    from ballast.db.reservations import free_reservations
    from ballast.wiring import House

    if not order_numbers:
        raise NotRunning("say which orders, by their numbers")

    async def give_back(here: House) -> dict[str, int]:
        async with here.transaction() as tx:
            return await free_reservations(tx, order_numbers, now=here.clock.now())

    freed = with_house(give_back)
    if json:
        print_json(freed)
    else:
        for number, pieces in freed.items():
            Console().print(
                f"{number}: {pieces} piece(s) given back" if pieces else f"{number}: nothing is kept for it"
            )
    return 0 if all(freed.values()) else 1


def _show(found: "list[Reservation]") -> None:
    from rich.console import Console
    from rich.table import Table

    from ballast.clock import to_local

    table = Table("order", "sku", "warehouse", "pieces", "since", "until")
    for one in found:
        since, until = to_local(one.made_at), to_local(one.expires_at)
        table.add_row(one.order_no, one.sku, one.warehouse, str(one.quantity), since, until)
    Console().print(table if found else "nothing is kept")
