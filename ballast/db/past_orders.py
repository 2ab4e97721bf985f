"""Orders as they were placed, a page at a time: for whoever asks what other rules would have said of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.money import Money
from ballast.domain.origin import Origin
from ballast.ports import Line, Order, Receiver


@dataclass(frozen=True, slots=True)
class PastOrder:
    """`facts`: what the intake gate knew of the customer then (tier, first_order); empty when it did not look."""

    id: int
    order: Order
    facts: Mapping[str, Any]


async def past_orders(
    tx: AsyncConnection, *, since: datetime, until: datetime, after: tuple[datetime, int] | None, most: int
) -> list[PastOrder]:
    """The next `most` orders that were placed in a time, the oldest first; `after`: (placed_at, id) of the last one."""
    at, number = after or (since, 0)
    found = await rows(tx, _PAGE, since=since, until=until, at=at, number=number, most=most)
    return [_past(row) for row in found]


async def find_past(tx: AsyncConnection, order_no: str) -> PastOrder | None:
    """One order by its number; None: it is not in the books."""
    found = await rows(tx, _ONE, order_no=order_no)
    return _past(found[0]) if found else None


async def count_past(tx: AsyncConnection, *, since: datetime, until: datetime) -> tuple[int, int]:
    """(in the books, in the archive): how many orders were placed in a time."""
    found = await rows(tx, _COUNT, since=since, until=until)
    return int(found[0][0]), int(found[0][1])


def _past(row: Any) -> PastOrder:
    def money(amount: int) -> Money:
        return Money(amount, row.currency)

    order = Order(
        order_no=row.order_no, channel=row.channel, placed_at=row.placed_at, paid_at=row.paid_at,
        total=money(row.total), freight=money(row.freight), discount=money(row.discount),
        customer_no=row.customer_no, openid=None, receiver=Receiver(**row.receiver),
        lines=tuple(Line(**line) for line in row.line_rows), customer_tier=row.tier or "",
        origin=Origin(), coupons=tuple(row.coupons or ()),
    )  # fmt: skip
    return PastOrder(row.id, order, row.facts or {})


_SELECT = """
select o.id, o.order_no, o.channel, o.placed_at, o.paid_at, o.currency, o.total, o.freight, o.discount, o.customer_no,
  o.receiver, c.tier, r.coupons,
  (select jsonb_agg(jsonb_build_object('line_no', l.line_no, 'sku', l.sku, 'name', l.name, 'quantity', l.quantity,
     'unit_price', l.unit_price, 'amount', l.amount) order by l.line_no) from order_line l where l.order_id = o.id)
    as line_rows,
  (select g.facts from order_gate g where g.order_id = o.id and g.stage = 'intake' order by g.id desc limit 1) as facts
from sales_order o
left join customer c on c.customer_no = o.customer_no
left join order_origin r on r.order_id = o.id
"""
_PAGE = f"""{_SELECT}
where o.placed_at >= :since and o.placed_at < :until and (o.placed_at, o.id) > (cast(:at as timestamptz), :number)
order by o.placed_at, o.id limit :most
"""
_ONE = f"{_SELECT} where o.order_no = :order_no"
_COUNT = """
select (select count(*) from sales_order where placed_at >= :since and placed_at < :until),
  (select count(*) from archived_order where placed_at >= :since and placed_at < :until)
"""
