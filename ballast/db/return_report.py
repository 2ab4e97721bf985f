"""Returns for people: one whole, and how long their steps take."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows

STEPS: Final = {
    "answered": "extract(epoch from answered_at - asked_at)",
    "received": "extract(epoch from received_at - approved_at)",
    "inspected": "extract(epoch from inspected_at - received_at)",
    "paid back": "extract(epoch from coalesce(refunded_at, exchanged_at) - coalesce(inspected_at, approved_at))",
    "whole": "extract(epoch from closed_at - asked_at)",
}
"""Step -> how long it took, in seconds: from the step before, `whole` from asking to the end."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """How long a step took, in hours, over `returns` that took it. Half took no longer than `median`, 9 of 10 `p90`."""

    step: str
    returns: int
    median: float
    p90: float
    longest: float


_TIMES: Final = """
with asked as (select * from return_case where asked_at >= :since and kind in ('return', 'exchange') or
  asked_at >= :since and received_at is not null),
took as ({parts})
select step, count(*) as returns, percentile_cont(0.5) within group (order by seconds) as median,
  percentile_cont(0.9) within group (order by seconds) as p90, max(seconds) as longest
from took where seconds is not null group by step
"""


async def step_times(tx: AsyncConnection, *, since: datetime) -> list[StepTime]:
    """How long each step took of the returns that were asked for since; only steps that were taken."""
    parts = " union all ".join(
        f"select '{step}' as step, {took} as seconds from asked"  # noqa: S608  # both are written above
        for step, took in STEPS.items()
    )
    found = {row.step: row for row in await rows(tx, _TIMES.format(parts=parts), since=since)}
    return [
        StepTime(step, found[step].returns, *(round(float(found[step]._mapping[name]) / 3600, 2) for name in _FIGURES))
        for step in STEPS
        if step in found
    ]


_FIGURES: Final = ("median", "p90", "longest")


async def states(tx: AsyncConnection, *, since: datetime) -> dict[str, int]:
    """How many of the returns that were asked for since are in each state."""
    found = await rows(
        tx, "select state, count(*) as count from return_case where asked_at >= :since group by state", since=since
    )
    return {row.state: row.count for row in found}


async def one_return(tx: AsyncConnection, number: str) -> dict[str, Any] | None:
    """One return with its lines and refunds, as JSON would have it; None when there is none."""
    found = await rows(tx, _ONE, number=number)
    return dict(found[0].whole) if found else None


_ONE: Final = """
select to_jsonb(r) - 'id' - 'order_id' - 'due_at' || jsonb_build_object('order_no', o.order_no, 'currency', o.currency,
    'lines', coalesce((select jsonb_agg(to_jsonb(l) - 'order_id' - 'return_no' order by l.line_no) from return_line l
      where l.return_no = r.return_no), '[]'),
    'refunds', coalesce((select jsonb_agg(jsonb_build_object('refund_no', f.refund_no, 'amount', f.amount,
      'state', f.state) order by f.refund_no) from refund f where f.refund_no = any(r.refund_nos)), '[]')) as whole
from return_case r join sales_order o on o.id = r.order_id where r.return_no = :number
"""
