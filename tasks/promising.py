"""Orders on their way into the books: what cannot be promised is held at once, and says which lines, and why."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases as books
from ballast.db import moves, reservations
from ballast.db.alerts import raise_alerts
from ballast.db.intake import Inserted
from ballast.domain.promising import Basket, said_of
from ballast.domain.words import Event, HoldReason
from ballast.door import basket_of, terms
from ballast.ports import Order
from ballast.wiring import House
from tasks.alarms import hold_alerts


async def at_intake(here: House, tx: AsyncConnection, orders: Sequence[Order], put: Inserted) -> frozenset[int]:
    """Keep the pieces of new orders in the transaction that writes them; the ids of those that are short, on hold now.

    Nobody is there to hear a refusal: whoever came another way than the door is held. What the door has kept for an
    order is its own. `put`: which of `orders` are new.
    """
    new = {order.order_no: order for order in orders if order.order_no in put.ids}
    if not new or here.settings.door.intake == "let_in":
        return frozenset()
    now = here.clock.now()
    asking = await _not_kept(tx, new, put.ids, now)
    if not asking:
        return frozenset()
    lasts = {number: here.settings.door.lasts(order.channel) for number, order in new.items()}
    answers = await reservations.reserve(tx, asking, await terms(here, tx), now=now, lasts=lasts)
    short = {put.ids[answer.order_no]: said_of(answer) for answer in answers if not answer.ok}
    if not short:
        return frozenset()
    stopped = await books.load(tx, now=now, waits=here.waits, ids=short, lock=False)  # nobody else sees them yet
    for case in stopped:
        case.take(
            Event.HELD,
            cause=f"door:v{case.version}",
            actor="ballast",
            reason=HoldReason.STOCK_SHORT,
            text=short[case.id],
            evidence=short[case.id],
        )
    await moves.write(tx, stopped)
    await raise_alerts(tx, hold_alerts(stopped), now)
    return frozenset(short)


async def _not_kept(
    tx: AsyncConnection, new: Mapping[str, Order], ids: Mapping[str, int], now: datetime
) -> list[Basket]:
    """Those for whom not every piece is kept yet: the others need no lock of the stock here."""
    held = await reservations.held_by(tx, [ids[number] for number in new], now=now)
    baskets = [basket_of(order) for order in new.values()]
    return [basket for basket in baskets if not basket.is_kept_by(held.get(ids[basket.order_no], {}))]
