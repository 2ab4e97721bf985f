"""Commands about orders that are not wanted any more: cancel, returns."""

from cyclopts import App

from ballast.cli import app

returns = App(name="returns", help="Goods that should come back.")
app.command(returns)


@app.command
def cancel(*order_numbers: str, why: str = "", by: str = "operator", dry_run: bool = False, json: bool = False) -> int:
    """Cancel orders: stop them at warehouse and ERP, free their stock, give their money back, close them.

    What has left the warehouse goes on, and a return is opened for a person. Exit 1 when an order is unknown.
    """
    from ballast.cli.opening import NotRunning, in_prefect, show_said

    if not order_numbers:
        raise NotRunning("say which orders, by their numbers")

    async def run() -> dict[str, str]:
        from flows.cancel_orders import cancel_orders

        return await cancel_orders(tuple(order_numbers), why, by, dry_run)

    return show_said(in_prefect(run), json=json)


@returns.command(name="list")
def list_returns(*, json: bool = False) -> None:
    """Returns that wait for a person: which order, why, who asked, since when."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing import show_returns
    from ballast.db.returns import OpenReturn, open_returns
    from ballast.wiring import House

    async def look(here: House) -> list[OpenReturn]:
        async with here.transaction() as tx:
            return await open_returns(tx)

    found = with_house(look)
    if json:
        print_json([{name: getattr(row, name) for name in row.__slots__} for row in found])
    else:
        show_returns(found, Console())
