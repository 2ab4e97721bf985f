"""Commands about orders that are not wanted any more: cancel."""

from ballast.cli import app


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
