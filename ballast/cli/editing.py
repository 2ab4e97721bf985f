"""Commands about orders that are wanted otherwise: edit, merge, mergeable."""

from typing import Annotated

from cyclopts import Parameter

from ballast.cli import order
from ballast.domain.editing import ADDRESS, NotChanged, Refusal

Pieces = Annotated[list[str] | None, Parameter(help="LINE:PIECES, such as 2:3; may stand several times")]


@order.command
def edit(
    order_no: str,
    *,
    name: str = "",
    mobile: str = "",
    province: str = "",
    city: str = "",
    district: str = "",
    address: str = "",
    line: Pieces = None,
    remove: Annotated[list[int] | None, Parameter(help="a line number; may stand several times")] = None,
    by: str = "operator",
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Change whom an order goes to, or how many pieces of its lines; what was paid for more goes back.

    Until its stock is locked at once; after that its warehouse is asked to let go first. What has left is not changed:
    exit 2, with the way back. Exit 1: there is no such order.
    """
    from ballast.cli.opening import show_said, with_house
    from ballast.domain.editing import Change
    from tasks.editing import edit_order

    said = dict(zip(ADDRESS, (name, mobile, province, city, district, address), strict=True))
    quantities = dict(map(_pieces, line or [])) | dict.fromkeys(remove or [], 0)
    change = Change(receiver={part: text for part, text in said.items() if text}, quantities=quantities)
    if not change.receiver and not change.quantities:
        raise NotChanged(Refusal.NOTHING, "say what is to be changed: --address, --line LINE:PIECES, --remove LINE ...")
    answer = with_house(lambda here: edit_order(here, order_no, change, by=by, dry_run=dry_run))
    return show_said({order_no: answer}, json=json)


@order.command
def merge(
    order_no: str,
    *others: str,
    by: str = "operator",
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Take other open orders of the same customer and address into ORDER_NO: one parcel, one order from then on.

    What warehouses have is stopped first; what has left is not merged: exit 2, with what is in the way.
    """
    from ballast.cli.opening import show_said, with_house
    from tasks.merging import merge_orders

    answer = with_house(lambda here: merge_orders(here, [order_no, *others], by=by, dry_run=dry_run))
    return show_said({order_no: answer}, json=json)


@order.command
def mergeable(*, json: bool = False) -> None:
    """Which open orders are of one customer and address, and could be merged, the oldest first."""
    from dataclasses import asdict

    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing import show_alike
    from tasks.merging import find_mergeable

    found = with_house(find_mergeable)
    if json:
        print_json([asdict(one) for one in found])
    else:
        show_alike(found, Console())


def _pieces(text: str) -> tuple[int, int]:
    line_no, _, pieces = text.partition(":")
    if not (line_no.isdecimal() and pieces.isdecimal()):
        raise NotChanged(Refusal.UNKNOWN_LINE, f"{text!r} is no LINE:PIECES, such as 2:3")
    return int(line_no), int(pieces)
