"""What rules may read of returns that wait for an answer, in two statements for any number of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import returning
from ballast.db.case import Case
from ballast.db.engine import rows
from ballast.db.returns import Return
from ballast.domain.money import MINOR_DIGITS
from ballast.domain.return_window import Categories
from ballast.domain.returns import worth_of

DAYS: Final = 90
"""How far back a customer's returns are counted."""


async def customers_of(tx: AsyncConnection, cases: Sequence[Case], now: datetime) -> Mapping[str, Mapping[str, Any]]:
    """Customer -> tier, how many returns there are of the last days, and the newest score of his health."""
    found = await rows(
        tx,
        """
        select c.customer_no, c.tier, (
          select count(*) from order_origin g join return_case r on r.order_id = g.order_id
          where g.customer_no = c.customer_no and r.counts and r.asked_at >= :since) as returns, (
          select h.score from customer_health h where h.customer_no = c.customer_no
          order by h.scored_at desc limit 1) as health
        from customer c where c.customer_no = any(cast(:nos as text[]))""",
        nos=sorted({str(case.head["customer_no"]) for case in cases}),
        since=now - timedelta(days=DAYS),
    )
    return {
        row.customer_no: {
            "tier": row.tier,
            "customer_returns": row.returns,
            "health": None if row.health is None else float(row.health),
        }
        for row in found
    }


def facts_of(case: Case, row: Return, customer: Mapping[str, Any], categories: Categories) -> dict[str, Any]:
    """See `ballast.rules.returns.SAMPLE`."""
    signed_at, paid = case.milestones["signed_at"], returning.paid_for(case)
    ordered = {one.line.line_no: one.line.quantity for one in case.lines}
    skus = sorted({line.sku for line in row.lines.values()})
    amount = sum(worth_of(paid[no], ordered[no], 0, line.quantity) for no, line in row.lines.items())
    return {
        "days_since_signed": (row.asked_at - signed_at) / timedelta(days=1) if signed_at else None,
        "amount": amount / 10 ** MINOR_DIGITS[case.head["currency"]],
        "quantity": sum(line.quantity for line in row.lines.values()),
        "reason": row.reason.value,
        "kind": row.kind.value,
        "skus": skus,
        "categories": sorted({name for sku in skus for name in categories.of(sku)}),
        "channel": case.head["channel"],
        "tier": customer.get("tier", ""),
        "customer_returns": max(0, customer.get("customer_returns", 0) - 1),
        "health": customer.get("health"),
    }
