"""How much is still to be done, for the bar of a long run: counted up to a bound, without locking anything."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.words import Step

MOST: Final = 10_000
"""Nobody needs to know it more exactly, and the cost has an end."""


async def orders_left(tx: AsyncConnection, step: Step, now: datetime) -> int:
    """Orders that are due at a step now, those under way not counted."""
    found = await rows(
        tx,
        """
        select count(*) from (
          select 1 from sales_order where due_step = :step and due_at <= :now limit :most) due""",
        step=step,
        now=now,
        most=MOST,
    )
    return int(found[0][0])


async def letters_left(tx: AsyncConnection, topic: str) -> int:
    """Messages that came in and have not acted yet, those under way included."""
    found = await rows(
        tx,
        "select count(*) from (select 1 from inbox where state = 'new' and topic = :topic limit :most) new",
        topic=topic,
        most=MOST,
    )
    return int(found[0][0])


async def messages_left(tx: AsyncConnection, now: datetime) -> int:
    """Messages that are due to go out now, those under way not counted."""
    found = await rows(
        tx, "select count(*) from (select 1 from outbox where due_at <= :now limit :most) due", now=now, most=MOST
    )
    return int(found[0][0])
