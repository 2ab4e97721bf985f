"""The stock ledger. Rows are locked in one order (SKU, warehouse), checked and written in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.db.reservations import end_reservations, held_by, read_reserved
from ballast.domain.sourcing import Part, SourcingSet
from ballast.domain.stock import NO_ROWS, Allocation, Place, Want, allocate, less_reserved
from ballast.ports import StockFigure


async def lock_stock(
    tx: AsyncConnection,
    wants: Sequence[Want],
    now: datetime,
    *,
    most: Mapping[Place, int] | None = None,
    rules: SourcingSet = NO_ROWS,
) -> dict[int, Allocation]:
    """Reserve every order from where the sourcing rows want it; who cannot be gets an allocation without warehouse.

    `most`: never give more than this of a place, whatever the ledger has.

    What is reserved for other orders is theirs until it expires; an order's own reservation ends with its lock.
    An order that holds a lock already keeps it: a repeat changes nothing. Check and write happen under the row locks;
    the table's own constraint (locked by orders never negative, unique per order) is the second fence.
    """
    levels = await free_under_lock(tx, {sku for want in wants for sku in want.pieces})
    kept = await _locks_of(tx, wants)  # under the row locks: nobody adds one now
    fresh = [want for want in wants if want.order_id not in kept]
    there = {place: min(pieces, (most or {}).get(place, pieces)) for place, pieces in levels.items()}
    kept_for = await held_by(tx, [want.order_id for want in fresh], now=now)
    free = less_reserved(there, await read_reserved(tx, sorted({sku for sku, _ in there}), now=now))
    made = allocate(fresh, free, rules, held=kept_for, there=there)
    await _write(tx, [a for a in made if a.parts], now)
    return kept | {a.order_id: a for a in made}


async def free_under_lock(tx: AsyncConnection, skus: Iterable[str]) -> dict[Place, int]:
    """Lock the levels of these SKUs, in the one order that every writer keeps; what is free at each place."""
    if not (wanted := sorted(set(skus))):
        return {}
    levels = await rows(
        tx,
        """
        select sku, warehouse, on_hand - locked as free from stock_level where sku = any(cast(:skus as text[]))
        order by sku, warehouse for update""",
        skus=wanted,
    )
    return {(r.sku, r.warehouse): max(0, r.free) for r in levels}


async def _locks_of(tx: AsyncConnection, wants: Sequence[Want]) -> dict[int, Allocation]:
    found = await rows(
        tx,
        """
        select order_id, warehouse, jsonb_object_agg(sku, quantity) as pieces from stock_lock
        where order_id = any(cast(:ids as bigint[])) and state <> 'released'
        group by order_id, warehouse order by order_id, warehouse""",
        ids=[want.order_id for want in wants],
    )
    parts: defaultdict[int, list[Part]] = defaultdict(list)
    for r in found:
        parts[r.order_id].append(Part(r.warehouse, r.pieces))
    held = {want.order_id: Allocation(want.order_id, tuple(parts[want.order_id]), {}) for want in wants}
    return {
        want.order_id: replace(kept, missing=_rest(want.pieces, kept.pieces))
        for want in wants
        if (kept := held[want.order_id]).parts
    }


def _rest(wanted: Mapping[str, int], held: Mapping[str, int]) -> dict[str, int]:
    return {sku: rest for sku, count in wanted.items() if (rest := count - held.get(sku, 0)) > 0}


async def _write(tx: AsyncConnection, made: Sequence[Allocation], now: datetime) -> None:
    values = [
        {"order_id": a.order_id, "sku": sku, "warehouse": part.warehouse, "quantity": quantity}
        for a in made
        for part in a.parts
        for sku, quantity in part.pieces.items()
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
        await end_reservations(tx, [a.order_id for a in made])


@dataclass(frozen=True, slots=True)
class Ended:
    """One lock that ended: of the pieces that were held, those that left the shelf; the others are free again."""

    order_id: int
    sku: str
    warehouse: str
    held: int
    gone: int


async def end_locks(tx: AsyncConnection, order_ids: Sequence[int], now: datetime) -> list[Ended]:
    """End what these orders hold: the pieces that their lines say have left are off the shelf, the rest is free again.

    Each lock ends once; a second call finds nothing held. The levels are locked first, in the one order that every
    writer keeps.
    """
    await rows(
        tx,
        """
        select 1 from stock_level v where (v.sku, v.warehouse) in (
          select k.sku, k.warehouse from stock_lock k
          where k.order_id = any(cast(:ids as bigint[])) and k.state = 'held')
        order by v.sku, v.warehouse for update of v""",
        ids=list(order_ids),
    )
    found = await rows(tx, _END, ids=list(order_ids), now=now)
    return [Ended(*row) for row in found]


_END = """
with sold as (
  select order_id, sku, sum(shipped) as pieces from order_line
  where order_id = any(cast(:ids as bigint[])) group by order_id, sku),
shipped as (
  select d.order_id, l.sku, d.warehouse, sum(cast(s.value as int)) as pieces
  from delivery d cross join jsonb_each_text(d.shipped) s
    join order_line l on l.order_id = d.order_id and l.line_no = cast(s.key as int)
  where d.order_id = any(cast(:ids as bigint[])) group by d.order_id, l.sku, d.warehouse),
held as (
  select k.order_id, k.sku, k.warehouse, k.quantity, least(k.quantity, coalesce(
    case when exists (select from delivery d where d.order_id = k.order_id) then p.pieces else s.pieces end, 0)) as gone
  from stock_lock k left join sold s using (order_id, sku) left join shipped p using (order_id, sku, warehouse)
  where k.order_id = any(cast(:ids as bigint[])) and k.state = 'held'),
ended as (
  update stock_lock k set ended_at = :now, state = case when h.gone > 0 then 'shipped' else 'released' end,
    quantity = case when h.gone > 0 then h.gone else h.quantity end,
    given_back = case when h.gone > 0 then h.quantity - h.gone else 0 end
  from held h where k.order_id = h.order_id and k.sku = h.sku and k.warehouse = h.warehouse and k.state = 'held'
  returning k.order_id, k.sku, k.warehouse, h.quantity as held, h.gone),
sums as (select sku, warehouse, sum(held) as held, sum(gone) as gone from ended group by sku, warehouse),
levels as (
  update stock_level v set locked = v.locked - s.held, on_hand = greatest(v.on_hand - s.gone, 0)
  from sums s where v.sku = s.sku and v.warehouse = s.warehouse)
select order_id, sku, warehouse, held, gone from ended order by order_id, sku, warehouse
"""
"""Of an order with deliveries each warehouse's own count.

Never below nought: the ERP may have taken away under the locks what the warehouse ships all the same."""


@dataclass(frozen=True, slots=True)
class NewFigure:
    """A level whose `on_hand` the ERP's figure changed."""

    sku: str
    warehouse: str
    was: int
    on_hand: int


async def take_figures(tx: AsyncConnection, figures: Sequence[StockFigure], *, asked_at: datetime) -> list[NewFigure]:
    """Set `on_hand` from the ERP's figures; the levels where it changed.

    Pieces that left our ledger and are not yet in the ERP's books (or were booked after we asked) are taken off, so
    that a figure older than a shipment never brings the pieces back. Good pieces that came back and that nobody began
    to book there are put on: they are on our shelf. `rose_at` says when there was last more to have.
    """
    values = [{"sku": f.sku, "warehouse": f.warehouse, "on_hand": f.on_hand, "available": f.available} for f in figures]
    await rows(  # before the question of what left: pieces that leave at this moment are counted or come after
        tx,
        """
        select 1 from stock_level v
        join jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text) using (sku, warehouse)
        order by v.sku, v.warehouse for update of v""",
        rows=dumps(values),
    )
    changed = await rows(tx, _TAKE_FIGURES, rows=dumps(values), asked_at=asked_at)
    return [NewFigure(*row) for row in changed if row.was != row.on_hand]


_TAKE_FIGURES = """
with told as (
  select sku, warehouse, sum(quantity) as quantity from stock_lock
  where state = 'shipped' and (told_at is null or told_at >= :asked_at) group by sku, warehouse),
back as (select sku, warehouse, sum(good) as quantity from return_line l
  where good > 0 and told_at is null and not exists (select from effect e where e.order_id = l.order_id
    and e.kind = 'erp.return' and right(e.key, length(l.return_no)) = l.return_no) group by sku, warehouse),
figures as (
  select r.sku, r.warehouse, r.available,
    greatest(r.on_hand - coalesce(t.quantity, 0) + coalesce(b.quantity, 0), 0) as on_hand
  from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text, on_hand bigint, available bigint)
  left join told t using (sku, warehouse) left join back b using (sku, warehouse) order by r.sku, r.warehouse),
taken as (
  insert into stock_level as v (sku, warehouse, on_hand, locked, short, available, figure_at, rose_at)
  select sku, warehouse, on_hand, 0, 0, available, cast(:asked_at as timestamptz), cast(:asked_at as timestamptz)
  from figures
  on conflict (sku, warehouse) do update set on_hand = excluded.on_hand, available = excluded.available,
    figure_at = excluded.figure_at, short = greatest(v.locked - excluded.on_hand, 0),
    rose_at = case when excluded.on_hand > v.on_hand or excluded.available > v.available
      then excluded.rose_at else v.rose_at end
    where (v.on_hand, v.available) <> (excluded.on_hand, excluded.available) and v.figure_at <= excluded.figure_at
  returning sku, warehouse, on_hand)
select t.sku, t.warehouse, coalesce(v.on_hand, 0) as was, t.on_hand
from taken t left join stock_level v using (sku, warehouse) order by t.sku, t.warehouse
"""
"""The last join sees the levels as they were before this statement."""


async def booked(tx: AsyncConnection, order_ids: Sequence[int], now: datetime) -> int:
    """The ERP's outbound bills of these orders are audited: its figures know what left. The number of locks told."""
    return await run(
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
