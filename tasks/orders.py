"""Taking orders in: from the inbox into the books."""

from collections import Counter
from typing import Any

from prefect import task

from adapters.errors import NotUnderstood
from adapters.storefronts.direct.orders import read_order, to_order
from ballast.db import inbox, intake
from ballast.db.alerts import raise_alerts
from ballast.db.inbox import Letter
from ballast.points import Point, reached
from ballast.ports import Order
from ballast.wiring import house
from tasks import gates, promising
from tasks.chunks import Tally
from tasks.policy import CHUNK


@task(name="take orders in", tags=["intake"], **CHUNK)
async def take_in(most: int) -> Tally:
    """Put up to `most` pushed orders into the books; what cannot be read is parked and told."""
    here = await house()
    reached("orders", Point.BEFORE)
    async with here.moving("orders") as tx:
        letters = await inbox.take(tx, "order", most)
        if not letters:
            return Tally()
        read = [(letter, _read(letter)) for letter in letters]
        fresh = {order.order_no: order for _, order in read if isinstance(order, Order)}
        now = here.clock.now()
        put = await intake.put_in(tx, list(fresh.values()), source="direct", now=now, waits=here.waits)
        held = await gates.at_intake(here, tx, list(fresh.values()), put)
        held |= await promising.at_intake(here, tx, list(fresh.values()), put)
        states = [_state(letter, order) for letter, order in read]
        await inbox.settle(tx, states, now)
        await raise_alerts(
            tx, [_alert(letter, order) for letter, order in read if isinstance(order, NotUnderstood)], now
        )
    async with here.transaction() as tx:
        await inbox.wake_waiting(tx)
    known = len(fresh) - len(put.ids)
    parked = sum(state["state"] == "parked" for state in states)
    return Tally(+Counter({"taken": len(put.ids), "known": known, "parked": parked, "held": len(held)}))


def _read(letter: Letter) -> Order | NotUnderstood:
    try:
        return to_order(read_order(dict(letter.message.payload)))
    except NotUnderstood as wrong:
        return wrong


def _state(letter: Letter, order: Order | NotUnderstood) -> dict[str, Any]:
    parked = isinstance(order, NotUnderstood)
    return {"id": letter.id, "state": "parked" if parked else "done", "note": str(order)[:500] if parked else ""}


def _alert(letter: Letter, wrong: NotUnderstood) -> dict[str, Any]:
    return {
        "key": f"unread:{letter.source}:{letter.message.event_id}",
        "level": "warning",
        "title": "a pushed order could not be read",
        "text": str(wrong)[:500],
    }
