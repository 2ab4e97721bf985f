"""Orders that were short of stock go on by themselves when it is there again: the oldest first, only those that fit."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import cases, moves
from ballast.db.case import Case
from ballast.db.engine import rows
from ballast.db.reservations import held_by, read_reserved
from ballast.db.stock import lock_stock
from ballast.domain.schedule import Waits
from ballast.domain.stock import Place, Want, allocate, less_reserved
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
    fitting = [made.order_id for made in allocate(wants, free, held=held, there=there) if made.warehouse][:most]
    if not fitting:
        return []
    loaded = await cases.load(tx, now=now, waits=waits, ids=fitting)
    still = {case.id: case for case in loaded if _is_short(case)}
    made = await lock_stock(tx, [want for want in wants if want.order_id in still], now, most=said)
    woken = [case for case in still.values() if made[case.id].warehouse]
    for case in woken:
        pieces = ", ".join(f"{count} x {sku}" for sku, count in made[case.id].pieces.items())
        case.take(
            Event.RESTOCKED,
            cause=f"restocked:v{case.version}",
            actor="ballast",
            text=f"{pieces} are there, locked in {made[case.id].warehouse}",
            note="restocked",
        )
    await moves.write(tx, woken)
    return woken


def _is_short(case: Case) -> bool:
    return case.standing.reason is HoldReason.STOCK_SHORT and case.place is State.PENDING_PAYMENT


async def _short(tx: AsyncConnection) -> list[Want]:
    """What the short orders need, the oldest order first.

    Where the ERP was it that refused, its figures must have risen since: the same figures would be refused again.
    """
    found = await rows(
        tx,
        """
        select o.id, (select jsonb_agg(jsonb_build_array(l.sku, l.quantity) order by l.line_no) from order_line l
          where l.order_id = o.id) as lines
        from sales_order o join hold h on h.order_id = o.id and h.released_at is null
        where o.state = 'ON_HOLD' and o.hold_reason = 'STOCK_SHORT' and o.held_from = 'PENDING_PAYMENT'
          and o.paid_at is not null and (
          not exists (select from effect e where e.key = 'erp.reserve:' || o.order_no and e.state = 'refused')
          or exists (select from order_line l join stock_level v using (sku)
            where l.order_id = o.id and v.rose_at > h.held_at))
        order by o.placed_at, o.id""",
    )
    return [Want.of(row.id, [(sku, pieces) for sku, pieces in row.lines]) for row in found]


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
