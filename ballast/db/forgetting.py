"""The end of an order: out of the archive for good, and its customer with it when there is no other order of his."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows, run

MOST: Final = 1000
"""Rows in one transaction."""

_NO_ORDERS = """
not exists (select from sales_order o where o.customer_no = c.customer_no)
  and not exists (select from archived_order a where a.customer_no = c.customer_no)"""


async def forget_orders(tx: AsyncConnection, *, before: datetime) -> int:
    """Take up to `MOST` orders that closed before that time out of the archive for good; how many."""
    return await run(
        tx,
        """
        delete from archived_order where order_no in (
          select order_no from archived_order where closed_at < :before order by closed_at limit :most
          for update skip locked)""",
        before=before,
        most=MOST,
    )


async def count_forgettable(tx: AsyncConnection, *, before: datetime) -> int:
    """How many orders `forget_orders` would take, in all."""
    found = await rows(tx, "select count(*) from archived_order where closed_at < :before", before=before)
    return int(found[0][0])


async def forget_customers(tx: AsyncConnection, *, before: datetime) -> int:
    """Take away up to `MOST` customers who first ordered before that time and of whom no order is left; how many. Their
    tickets and scores go with them.

    Who orders at this moment has his row locked, or is waited for: the second statement sees his order.
    """
    found = await rows(
        tx,
        f"""select customer_no from customer c where first_order_at < :before and {_NO_ORDERS}
        limit :most for update skip locked""",  # noqa: S608  # a constant of this file
        before=before,
        most=MOST,
    )
    if not found:
        return 0
    gone = await rows(
        tx,
        f"""with gone as (
          delete from customer c where customer_no = any(cast(:nos as text[])) and {_NO_ORDERS} returning customer_no),
        tickets as (delete from ticket t using gone g where t.customer_no = g.customer_no),
        scores as (delete from customer_health h using gone g where h.customer_no = g.customer_no)
        select count(*) from gone""",  # noqa: S608  # a constant of this file
        nos=[row.customer_no for row in found],
    )
    return int(gone[0][0])
