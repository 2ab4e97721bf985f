"""What a shop may promise: the answer of `POST /orders/check`, and the door that pushed orders come in through."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storefronts.direct.questions import AskedOrder
from adapters.storefronts.direct.status import PLACED
from ballast.clock import SHANGHAI
from ballast.db import reservations
from ballast.db.reservations import Terms
from ballast.domain.promising import Answer, Basket, LineAnswer, Piece
from ballast.domain.sourcing import Ask
from ballast.ports import Message, Order
from ballast.wiring import House

NOBODY: Final = ""
"""Who only asks has no order number."""


async def terms(here: House, tx: AsyncConnection) -> Terms:
    """What the settings and the sourcing rows in force let us promise."""
    rules = (await here.rules.current(tx, here.clock.now())).sourcing_set
    return Terms(split=here.settings.door.split, unknown=here.settings.door.unknown, rules=rules)


def basket_of(order: Order) -> Basket:
    """What an order wants."""
    lines = [Piece(line.line_no, line.sku, line.quantity) for line in order.lines]
    ask = Ask(order.channel, order.customer_tier, order.receiver.province)
    return Basket(order.order_no, lines, ask=ask)


class Kept(NamedTuple):
    """What became of a reservation. `known`: the order is in the books already, so nothing was kept for it here."""

    answer: Answer
    known: bool


Clerk = Callable[[Basket, timedelta], Awaitable[Kept]]
"""Answers one basket; kept for so long, if all of it can be promised, or for no time: it was only asked."""


async def check(here: House, asked: AskedOrder, ask: Clerk) -> dict[str, Any]:
    """Whether these pieces can be promised, line by line, as JSON. With `reserve` they are kept, if all of them can.

    Nothing is reserved for an order that is in the books already: it has its pieces, or its hold.
    """
    lines = [Piece(line.line_no or place, line.sku, line.quantity) for place, line in enumerate(asked.lines, 1)]
    basket = Basket(asked.order_no or NOBODY, lines, ask=Ask(asked.channel, province=asked.province))
    lasts = here.settings.door.lasts(asked.channel) if asked.reserve else timedelta(0)
    answer, known = await ask(basket, lasts)
    kept = answer.ok and bool(answer.takes) and bool(lasts) and not known
    until = (here.clock.now() + lasts).astimezone(SHANGHAI).isoformat(timespec="seconds")
    return {
        "ok": answer.ok,
        "order_no": asked.order_no,
        "known": known,
        "lines": [as_json(line) for line in answer.lines],
        "reserved_until": until if kept else None,
        "reserved": [
            {"sku": sku, "warehouse": warehouse, "quantity": quantity}
            for (sku, warehouse), quantity in sorted(answer.takes.items())
        ]
        if kept
        else [],
    }


async def look_together(here: House, asked: Sequence[tuple[Basket, timedelta]]) -> list[Kept]:
    """Several questions at once; each is answered as if it were the only one."""
    async with here.looking() as tx:
        baskets = [basket for basket, _ in asked]
        answers = await reservations.look_at_each(tx, baskets, await terms(here, tx), now=here.clock.now())
    return [Kept(answer, False) for answer in answers]


async def reserve_together(here: House, asked: Sequence[tuple[Basket, timedelta]]) -> list[Kept]:
    """One transaction for several baskets of different orders, first come, first served."""
    now, wanted = here.clock.now(), [basket for basket, _ in asked]
    async with here.transaction() as tx:
        await reservations.lock_levels(tx, {line.sku for basket in wanted for line in basket.lines})
        there = await reservations.known(tx, [basket.order_no for basket in wanted])
        fresh = [basket for basket in wanted if basket.order_no not in there]
        old = [basket for basket in wanted if basket.order_no in there]
        lasts = {basket.order_no: time for basket, time in asked}
        answers = await reservations.keep(tx, fresh, await terms(here, tx), now=now, lasts=lasts) if fresh else []
        answers += await reservations.look(tx, old, await terms(here, tx), now=now) if old else []
    by_order = {answer.order_no: answer for answer in answers}
    return [Kept(by_order[basket.order_no], basket.order_no in there) for basket in wanted]


def as_json(line: LineAnswer) -> dict[str, Any]:
    """What can be promised of one line."""
    return {
        "line_no": line.line_no,
        "sku": line.sku,
        "wanted": line.wanted,
        "can": line.can,
        "in": [{"warehouse": warehouse, "quantity": pieces} for warehouse, pieces in sorted(line.places.items())],
        "from": line.day.isoformat() if line.day else None,
        "why": line.why,
    }


async def admit(here: House, tx: AsyncConnection, letters: Sequence[tuple[str, Message]]) -> dict[str, Answer]:
    """Order number -> why a pushed order among these messages is refused; the pieces of the others are kept for them.

    Whoever was stored before is let in as ever: a shop repeats what it has no answer to.
    """
    placed = {m.order_no: (source, m) for source, m in letters if m.topic == PLACED}
    if not placed or here.settings.door.intake != "refuse":
        return {}
    baskets = {number: _basket(message) for number, (_, message) in placed.items()}
    await reservations.lock_levels(tx, {line.sku for basket in baskets.values() for line in basket.lines})
    events = [(source, message.event_id) for source, message in placed.values()]
    there = await reservations.known(tx, list(placed), events)
    lasts = {number: here.settings.door.lasts(message.payload["channel"]) for number, (_, message) in placed.items()}
    fresh = [basket for number, basket in baskets.items() if number not in there]
    if not fresh:
        return {}
    answers = await reservations.keep(tx, fresh, await terms(here, tx), now=here.clock.now(), lasts=lasts)
    return {answer.order_no: answer for answer in answers if not answer.ok}


def _basket(message: Message) -> Basket:
    """The hook has read the order as a whole before: its fields are there, and what they should be."""
    lines = [Piece(line["line_no"], line["sku"], line["quantity"]) for line in message.payload["lines"]]
    placed = message.payload
    ask = Ask(placed["channel"], placed["customer"].get("tier", ""), placed["receiver"]["province"])
    return Basket(message.order_no, lines, ask=ask)
