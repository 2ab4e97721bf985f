"""Orders that came in short and are not paid yet go on when their pieces can be promised again.

They get a reservation, no lock: the pieces of an order that nobody pays have to come free by themselves.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases, moves, reservations
from ballast.db.case import Case
from ballast.db.engine import rows
from ballast.db.reservations import Terms
from ballast.domain.promising import Basket, Piece
from ballast.domain.schedule import Waits
from ballast.domain.sourcing import Ask
from ballast.domain.words import Event, HoldReason, State


async def promise_anew(
    tx: AsyncConnection, terms: Terms, lasts: Callable[[str], timedelta], *, now: datetime, waits: Waits, most: int
) -> list[Case]:
    """Let up to `most` unpaid short orders go on; those that went on. Who has been charged comes first, then who
    ordered first. `lasts`: for how long the pieces of a channel's orders are kept.
    """
    found = await _short(tx)
    answers = await reservations.look(tx, [_basket(row) for row in found], terms, now=now)
    fitting = {answer.order_no for answer in answers if answer.ok}
    ids = [row.id for row in found if row.order_no in fitting][:most]
    if not ids:
        return []
    still = {case.order_no: case for case in await cases.load(tx, now=now, waits=waits, ids=ids) if _is_short(case)}
    kept = await reservations.reserve(
        tx,
        [_basket(row) for row in found if row.order_no in still],
        terms,
        now=now,
        lasts={number: lasts(case.head["channel"]) for number, case in still.items()},
    )
    woken = [still[answer.order_no] for answer in kept if answer.ok]
    for case in woken:
        case.take(
            Event.RESTOCKED,
            cause=f"restocked:v{case.version}",
            actor="ballast",
            text="every piece can be promised again",
            note="restocked",
        )
    await moves.write(tx, woken)
    return woken


def _is_short(case: Case) -> bool:
    unpaid = case.place is State.PENDING_PAYMENT and case.milestones["paid_at"] is None
    return case.standing.reason is HoldReason.STOCK_SHORT and unpaid


def _basket(row: Any) -> Basket:
    return Basket(row.order_no, [Piece(*line) for line in row.lines], ask=Ask(row.channel, row.tier, row.province))


async def _short(tx: AsyncConnection) -> Sequence[Any]:
    return await rows(
        tx,
        """
        select o.id, o.order_no, (select jsonb_agg(jsonb_build_array(l.line_no, l.sku, l.quantity) order by l.line_no)
          from order_line l where l.order_id = o.id) as lines, o.channel,
          coalesce(o.receiver ->> 'province', '') as province,
          coalesce((select c.tier from customer c where c.customer_no = o.customer_no), '') as tier
        from sales_order o
        where o.state = 'ON_HOLD' and o.hold_reason = 'STOCK_SHORT' and o.held_from = 'PENDING_PAYMENT'
          and o.paid_at is null
        order by not exists (select from payment y where y.order_id = o.id), o.placed_at, o.id""",
    )
