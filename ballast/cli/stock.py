"""Commands about the stock ledger: check, mend, booked."""

from typing import TYPE_CHECKING

from cyclopts import App

from ballast.cli import app

if TYPE_CHECKING:
    from tasks.stock import StockReport

stock = App(name="stock", help="The stock ledger.")
app.command(stock)


@stock.command
def check(*, json: bool = False) -> int:
    """Compare ledger, locks, orders and the ERP's figures; change nothing. Exit 1 when something does not fit."""
    from ballast.cli.opening import with_house
    from tasks.stock import compare

    return _show(with_house(compare), json=json)


@stock.command
def mend(*, dry_run: bool = False, json: bool = False) -> int:
    """Mend what is ours to mend, and write it down; list what a person has to look at.

    Each figure is compared again under its locks: doing it twice, or two at once, mends once. Exit 1 when something is
    left.
    """
    from ballast.cli.opening import with_house
    from tasks.stock import mend as mend_stock
    from tasks.stock import would_mend

    return _show(with_house(would_mend if dry_run else mend_stock), json=json)


@stock.command
def booked(*order_numbers: str, by: str = "operator", json: bool = False) -> int:
    """Say that what left of these orders was booked in the ERP by hand. Exit 1 when an order is unknown."""
    from ballast.cli.opening import NotRunning, show_said, with_house
    from tasks.stock import note_booked

    if not order_numbers:
        raise NotRunning("say which orders, by their numbers")
    return show_said(with_house(lambda here: note_booked(here, order_numbers, by)), json=json)


def _show(report: "StockReport", *, json: bool) -> int:
    from rich.console import Console

    from ballast.cli.opening import print_json
    from ballast.cli.showing import show_stock
    from ballast.settings import settings

    print_json(report.as_dict()) if json else show_stock(report, settings().language, Console())
    return 1 if report.findings or report.not_compared else 0
