"""What goods are exchanged for: a new order, linked to the old one, for which nothing is to be paid."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.intake import put_in
from ballast.db.return_steps import note
from ballast.db.returns import Return
from ballast.domain.money import Money
from ballast.domain.returns import ReturnEvent, exchange_no
from ballast.domain.schedule import Waits
from ballast.ports import Line, Order


def exchange_order(case: Case, row: Return, now: datetime) -> Order:
    """To the same receiver, without anything to pay: it goes straight to the lock of its stock."""
    names = {one.line.sku: (one.line.name, one.line.unit_price) for one in case.lines}
    nothing = Money(0, case.head["currency"])
    lines = tuple(
        Line(
            line_no=number, sku=sku, name=names.get(sku, (sku, 0))[0], quantity=pieces,
            unit_price=names.get(sku, (sku, 0))[1], amount=0,
        )
        for number, (sku, pieces) in enumerate(sorted(row.exchange.items()), 1)
    )  # fmt: skip
    return replace(
        case.order(), order_no=exchange_no(row.return_no), placed_at=now, paid_at=None, total=nothing, freight=nothing,
        discount=nothing, lines=lines, parcels=(), warehouse="", transaction_id=None,
    )  # fmt: skip


async def place_exchange(tx: AsyncConnection, case: Case, row: Return, *, now: datetime, waits: Waits) -> None:
    """Put the new order into the books, once: its number is made of the return's."""
    order = exchange_order(case, row, now)
    await put_in(tx, [order], source="ballast", now=now, waits=waits)
    row.exchange_order_no, row.settled_at, row.due_at = order.order_no, now, now
    row.take(ReturnEvent.EXCHANGED, now)
    note(case, row, "exchanged", f"exchanged for order {order.order_no}")
