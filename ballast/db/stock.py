"""The stock ledger. Rows are locked in one order (SKU, warehouse), checked and written in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.domain.stock import Allocation, Want, allocate
from ballast.ports import StockFigure


async def lock_stock(tx: AsyncConnection, wants: Sequence[Want], now: datetime) -> dict[int, Allocation]:
    """Reserve every order that can be reserved whole; the others get an allocation without warehouse.

    An order that holds a lock already keeps it: a repeat changes nothing. Check and write happen under the row locks;
    the table's own constraint (locked by orders never negative, unique per order) is the second fence.
    """
    skus = sorted({sku for want in wants for sku in want.pieces})
    levels = (
        await rows(
            tx,
            """
        select sku, warehouse, on_hand - locked as free from stock_level where sku = any(cast(:skus as text[]))
        order by sku, warehouse for update""",
            skus=skus,
        )
        if skus
        else ()
    )
    kept = await _locks_of(tx, [want.order_id for want in wants])  # under the row locks: nobody adds one now
    fresh = [want for want in wants if want.order_id not in kept]
    made = allocate(fresh, {(r.sku, r.warehouse): max(0, r.free) for r in levels})
    await _write(tx, [a for a in made if a.warehouse], now)
    return kept | {a.order_id: a for a in made}


async def _locks_of(tx: AsyncConnection, order_ids: Sequence[int]) -> dict[int, Allocation]:
    found = await rows(
        tx,
        """
        select order_id, min(warehouse) as warehouse, jsonb_object_agg(sku, quantity) as pieces from stock_lock
        where order_id = any(cast(:ids as bigint[])) and state <> 'released' group by order_id""",
        ids=list(order_ids),
    )
    return {r.order_id: Allocation(r.order_id, r.warehouse, r.pieces, {}) for r in found}


async def _write(tx: AsyncConnection, made: Sequence[Allocation], now: datetime) -> None:
    values = [
        {"order_id": a.order_id, "sku": sku, "warehouse": a.warehouse, "quantity": quantity}
        for a in made
        for sku, quantity in a.pieces.items()
    ]
    if values:
        await run(
            tx,
            """
            with fresh as (
              insert into stock_lock as k (order_id, sku, warehouse, quantity, state, locked_at)
              select order_id, sku, warehouse, quantity, 'held', cast(:now as timestamptz)
              from jsonb_to_recordset(cast(:rows as jsonb))
                as r(order_id bigint, sku text, warehouse text, quantity int)
              on conflict (order_id, sku, warehouse) do update
                set quantity = excluded.quantity, state = 'held', locked_at = excluded.locked_at, ended_at = null
                where k.state = 'released'
              returning sku, warehouse, quantity),
            sums as (select sku, warehouse, sum(quantity) as quantity from fresh group by sku, warehouse)
            update stock_level v set locked = v.locked + s.quantity
            from sums s where v.sku = s.sku and v.warehouse = s.warehouse""",
            rows=dumps(values),
            now=now,
        )


async def release(tx: AsyncConnection, order_ids: Sequence[int], now: datetime) -> None:
    """Give back what these orders hold. Each lock ends once; a second call finds nothing held."""
    await _end(tx, order_ids, "released", now)


async def leave_shelf(tx: AsyncConnection, order_ids: Sequence[int], now: datetime) -> None:
    """What these orders hold is out of the door. Each lock ends once."""
    await _end(tx, order_ids, "shipped", now)


async def _end(tx: AsyncConnection, order_ids: Sequence[int], state: str, now: datetime) -> None:
    """End locks; the levels are locked first, in the one order that every writer keeps."""
    await rows(
        tx,
        """
        select 1 from stock_level v where (v.sku, v.warehouse) in (
          select k.sku, k.warehouse from stock_lock k
          where k.order_id = any(cast(:ids as bigint[])) and k.state = 'held')
        order by v.sku, v.warehouse for update of v""",
        ids=list(order_ids),
    )
    await run(
        tx,
        """
        with ended as (
          update stock_lock set state = :state, ended_at = :now
          where order_id = any(cast(:ids as bigint[])) and state = 'held' returning sku, warehouse, quantity),
        sums as (select sku, warehouse, sum(quantity) as quantity from ended group by sku, warehouse)
        update stock_level v set locked = v.locked - s.quantity,
          on_hand = greatest(v.on_hand - case when :state = 'shipped' then s.quantity else 0 end, 0)
        from sums s where v.sku = s.sku and v.warehouse = s.warehouse""",
        ids=list(order_ids),
        state=state,
        now=now,
    )  # never below nought: the ERP may have taken away under the locks what the warehouse ships all the same


async def take_figures(tx: AsyncConnection, figures: Sequence[StockFigure], *, asked_at: datetime) -> int:
    """Set `on_hand` from the ERP's figures; the number of rows that changed.

    Pieces that left our ledger and are not yet in the ERP's books (or were booked after we asked) are taken off, so
    that a figure older than a shipment never brings the pieces back.
    """
    values = [{"sku": f.sku, "warehouse": f.warehouse, "on_hand": f.on_hand} for f in figures]
    await rows(  # before the question of what left: pieces that leave at this moment are counted or come after
        tx,
        """
        select 1 from stock_level v
        join jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text) using (sku, warehouse)
        order by v.sku, v.warehouse for update of v""",
        rows=dumps(values),
    )
    changed = await rows(
        tx,
        """
        with told as (
          select sku, warehouse, sum(quantity) as quantity from stock_lock
          where state = 'shipped' and (told_at is null or told_at >= :asked_at) group by sku, warehouse),
        figures as (
          select r.sku, r.warehouse, greatest(r.on_hand - coalesce(t.quantity, 0), 0) as on_hand
          from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text, on_hand bigint)
          left join told t using (sku, warehouse) order by r.sku, r.warehouse)
        insert into stock_level as v (sku, warehouse, on_hand, locked, short, figure_at)
        select sku, warehouse, on_hand, 0, 0, :asked_at from figures
        on conflict (sku, warehouse) do update set on_hand = excluded.on_hand, figure_at = excluded.figure_at,
          short = greatest(v.locked - excluded.on_hand, 0)
          where v.on_hand <> excluded.on_hand and v.figure_at <= excluded.figure_at
        returning sku""",
        rows=dumps(values),
        asked_at=asked_at,
    )
    return len(changed)


async def booked(tx: AsyncConnection, order_ids: Sequence[int], now: datetime) -> None:
    """The ERP's outbound bills of these orders are audited: its figures know what left."""
    await run(
        tx,
        """
        update stock_lock set told_at = :now where order_id = any(cast(:ids as bigint[])) and state = 'shipped'
          and told_at is null""",
        ids=list(order_ids),
        now=now,
    )


async def levels(tx: AsyncConnection) -> Mapping[tuple[str, str], tuple[int, int]]:
    """(SKU, warehouse) -> (on hand, locked)."""
    found = await rows(tx, "select sku, warehouse, on_hand, locked from stock_level")
    return {(r.sku, r.warehouse): (r.on_hand, r.locked) for r in found}
