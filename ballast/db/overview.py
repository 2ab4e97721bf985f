"""Everything at a glance: orders per state, holds, messages and notices that wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.words import HoldReason, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Counts of this moment. `held`: reason -> (how many, since when the oldest)."""

    orders: Mapping[State, int]
    held: Mapping[HoldReason, tuple[int, datetime]]
    open_alerts: int
    unanswered: int
    parked: int
    outbox_due: int

    @property
    def under_way(self) -> int:
        """Orders that are neither signed nor closed, held ones included."""
        return sum(count for state, count in self.orders.items() if state not in (State.SIGNED, State.CLOSED))


async def overview(tx: AsyncConnection) -> Overview:
    """Three statements; the first reads every order."""
    states = await rows(tx, "select state, count(*) from sales_order group by state")
    held = await rows(
        tx, "select reason, count(*), min(held_at) from hold where released_at is null group by reason order by 2 desc"
    )
    [waiting] = await rows(
        tx,
        """
        select (select count(*) from alert where ended_at is null) as open_alerts,
          (select count(*) from alert where ended_at is null and acknowledged_at is null) as unanswered,
          (select count(*) from inbox where state = 'parked') as parked,
          (select count(*) from outbox where due_at is not null) as outbox_due""",
    )
    return Overview(
        orders={State(state): count for state, count in states},
        held={HoldReason(reason): (count, since) for reason, count, since in held},
        **waiting._mapping,
    )
