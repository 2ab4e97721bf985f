"""Goods that should come back: what waits for a person."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.words import State


@dataclass(frozen=True, slots=True)
class OpenReturn:
    """One return that was asked for. `state` is where the order stands now."""

    order_no: str
    state: State
    why: str
    asked_by: str
    asked_at: datetime


async def open_returns(tx: AsyncConnection, *, most: int = 1000) -> list[OpenReturn]:
    """All open returns, the oldest first."""
    found = await rows(
        tx,
        """
        select o.order_no, o.state, r.why, r.asked_by, r.asked_at
        from return_case r join sales_order o on o.id = r.order_id
        where r.state = 'requested' order by r.asked_at, r.id limit :most""",
        most=most,
    )
    return [OpenReturn(r.order_no, State(r.state), r.why, r.asked_by, r.asked_at) for r in found]
