"""Orders that were short of stock go on by themselves when it is there again: the oldest first, only those that fit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases, moves
from ballast.db.case import Case
from ballast.db.deliveries import add, first, put
from ballast.db.engine import rows
from ballast.db.reservations import held_by, read_reserved
from ballast.db.sourcing import choose_again, fit_locks
from ballast.db.stock import lock_stock
from ballast.domain.deliveries import DeliveryOrder, DeliveryState, by_line
from ballast.domain.schedule import Waits
from ballast.domain.sourcing import Ask, in_words
from ballast.domain.stock import Allocation, Place, Want, allocate, less_reserved
from ballast.domain.words import Event, HoldReason, State


async def wake_short(tx: AsyncConnection, *, now: datetime, waits: Waits, most: int) -> list[Case]:
    """Let up to `most` short orders that are paid go on that fit into what is free; those that went on.

    Each gets its pieces locked in the transaction that lets it go on: nobody can take them on the way, so that it is
    not held again for the same cause. Free is what both the ledger and the ERP's last figures have, and what is not
    reserved for somebody else.
    """
    wants = await _short(tx)
    skus = sorted({sku for want in wants for sku in want.pieces})
    there, said = await _there(tx, skus)
    free = less_reserved(there, await read_reserved(tx, skus, now=now))
    held = await held_by(tx, [want.order_id for want in wants], now=now)
    made_of = allocate(wants, free, waits.sourcing, held=held, there=there)
    fitting = [made.order_id for made in made_of if made.warehouse][:most]
    if not fitting:
        return []
    loaded = await cases.load(tx, now=now, waits=waits, ids=fitting)
    still = {case.id: case for case in loaded if _is_short(case)}
    fresh = [want for want in wants if want.order_id in still]
    made = await lock_stock(tx, fresh, now, most=said, rules=waits.sourcing)
    woken = [case for case in still.values() if made[case.id].warehouse]
    for case in woken:
        pieces, places = in_words(made[case.id].pieces), "+".join(part.warehouse for part in made[case.id].parts)
        case.take(
            Event.RESTOCKED,
            cause=f"restocked:v{case.version}",
            actor="ballast",
            text=f"{pieces} are there, locked in {places}",
            note="restocked",
        )
    await moves.write(tx, woken)
    return woken


def _is_short(case: Case) -> bool:
    return case.standing.reason is HoldReason.STOCK_SHORT and case.place is State.PENDING_PAYMENT


async def wake_backordered(tx: AsyncConnection, *, now: datetime, waits: Waits, most: int) -> list[Case]:
    """Source what was backordered and is there now: up to `most` orders, the oldest first; those that go on.

    Their pieces are locked in this transaction; the ERP and the warehouse are told by the step that ships. Where only
    a part is there, it goes when the sourcing rows allow that; the rest waits on.
    """
    found = await rows(tx, _BACKORDERED, most=most)
    loaded = await cases.load(tx, now=now, waits=waits, ids=[row.id for row in found]) if found else []
    waiting = {case.id: backordered for case in loaded if (backordered := _waits_for(case))}
    asking = sorted((case for case in loaded if case.id in waiting), key=lambda case: (case.placed_at, case.id))
    if not asking:
        return []
    _, said = await _there(tx, sorted({line.line.sku for case in asking for line in case.lines}))
    wanted = {case.id: waiting[case.id].items for case in asking}
    made = await choose_again(tx, wanted, asking, waits.sourcing, now=now, most=said)
    woken = [case for case in asking if made[case.id].parts]
    for case in woken:
        _source(case, waiting[case.id], made[case.id])
    await moves.write(tx, woken)
    await fit_locks(tx, woken, now)
    return woken


_BACKORDERED = """
select o.id from delivery d join sales_order o on o.id = d.order_id
where d.state = 'backordered' and o.state = 'STOCK_LOCKED'
  and exists (select from jsonb_each_text(d.items) i
    join order_line l on l.order_id = d.order_id and l.line_no = cast(i.key as int)
    join stock_level v on v.sku = l.sku where least(v.on_hand - v.locked, v.available) > 0)
order by o.placed_at, o.id limit :most
"""


def _waits_for(case: Case) -> DeliveryOrder | None:
    return first(case, DeliveryState.BACKORDERED) if case.standing.state is State.STOCK_LOCKED else None


def _source(case: Case, waiting: DeliveryOrder, made: Allocation) -> None:
    """The delivery that waited gets a warehouse, and others beside it where one does not have all."""
    left = [part for part in made.parts if part is not made.parts[0]]
    skus = {line.line.line_no: line.line.sku for line in case.lines}
    lines = [(line_no, skus[line_no], count) for line_no, count in sorted(waiting.items.items())]
    items = by_line(made.parts, lines)[0]
    rest = {no: more for no, count in waiting.items.items() if (more := count - items.get(no, 0))}
    put(case, replace(waiting, warehouse=made.parts[0].warehouse, items=items, state=DeliveryState.SOURCED))
    if rest:
        add(case, left, rest, DeliveryState.SOURCED, waiting.why, promised_at=waiting.promised_at)
    text = f"{in_words(made.pieces)} are there: {waiting.code} {made.parts[0].warehouse}"
    text = "; ".join((text, *filter(None, (made.why,)), *made.rejected))
    case.take(Event.NOTED, cause=f"source:{waiting.code}:{made.parts[0].warehouse}", actor="ballast", text=text)
    case.reschedule()


async def _short(tx: AsyncConnection) -> list[Want]:
    """What the short orders need, the oldest order first.

    Where the ERP was it that refused, its figures must have risen since: the same figures would be refused again.
    """
    found = await rows(
        tx,
        """
        select o.id, (select jsonb_agg(jsonb_build_array(l.sku, l.quantity) order by l.line_no) from order_line l
          where l.order_id = o.id) as lines, o.channel, o.receiver ->> 'province' as province,
          (select c.tier from customer c where c.customer_no = o.customer_no) as tier
        from sales_order o join hold h on h.order_id = o.id and h.released_at is null
        where o.state = 'ON_HOLD' and o.hold_reason = 'STOCK_SHORT' and o.held_from = 'PENDING_PAYMENT'
          and o.paid_at is not null and (
          not exists (select from effect e where e.key = 'erp.reserve:' || o.order_no and e.state = 'refused')
          or exists (select from order_line l join stock_level v using (sku)
            where l.order_id = o.id and v.rose_at > h.held_at))
        order by o.placed_at, o.id""",
    )
    return [
        Want.of(
            row.id,
            [(sku, pieces) for sku, pieces in row.lines],
            Ask(channel=row.channel, tier=row.tier or "", province=row.province or ""),
        )
        for row in found
    ]


async def _there(tx: AsyncConnection, skus: Sequence[str]) -> tuple[dict[Place, int], dict[Place, int]]:
    """(what ledger and ERP both have, what the ERP says is available) of these SKUs."""
    found = await rows(
        tx,
        """
        select sku, warehouse, least(on_hand - locked, available) as free, available from stock_level
        where sku = any(cast(:skus as text[]))""",
        skus=skus,
    )
    there = {(row.sku, row.warehouse): max(0, row.free) for row in found}
    return there, {(row.sku, row.warehouse): row.available for row in found}
