"""Commands about orders that are wanted otherwise: edit."""

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


def _pieces(text: str) -> tuple[int, int]:
    line_no, _, pieces = text.partition(":")
    if not (line_no.isdecimal() and pieces.isdecimal()):
        raise NotChanged(Refusal.UNKNOWN_LINE, f"{text!r} is no LINE:PIECES, such as 2:3")
    return int(line_no), int(pieces)
