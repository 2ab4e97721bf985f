"""Locks of orders that ship in deliveries: they are what the deliveries need, no more and no less.

free again what ended deliveries held -> choose by the sourcing rows -> new deliveries -> lock their pieces
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.deliveries import ask_of, deliveries_of, pieces_by_sku
from ballast.db.engine import dumps, run
from ballast.db.reservations import read_reserved
from ballast.db.stock import free_under_lock
from ballast.domain.deliveries import Pieces
from ballast.domain.sourcing import SourcingSet
from ballast.domain.stock import Allocation, Place, Want, allocate, less_reserved


async def choose_again(
    tx: AsyncConnection,
    wanted: Mapping[int, Pieces],
    cases: Sequence[Case],
    rules: SourcingSet,
    *,
    now: datetime,
    most: Mapping[Place, int] | None = None,
) -> dict[int, Allocation]:
    """Where these pieces (order id -> line -> pieces) of locked orders could come from now. Nothing is locked by it:
    levels are, until the transaction ends; make deliveries of what was chosen and call `fit_locks`.
    """
    await free_under_lock(tx, {line.line.sku for case in cases for line in case.lines})
    await fit_locks(tx, cases, now)
    free = await free_under_lock(tx, {line.line.sku for case in cases for line in case.lines})
    wants = [Want.of(case.id, pieces_by_sku(case, wanted[case.id]), ask_of(case)) for case in cases]
    free = less_reserved(free, await read_reserved(tx, sorted({sku for sku, _ in free}), now=now))
    bounded = {place: min(count, (most or {}).get(place, count)) for place, count in free.items()}
    return {made.order_id: made for made in allocate(wants, bounded, rules)}


async def fit_locks(tx: AsyncConnection, cases: Iterable[Case], now: datetime) -> None:
    """Hold exactly what the deliveries of these orders need. Their levels are locked; a repeat changes nothing."""
    some = [case for case in cases if case.deliveries]
    if some:
        await run(
            tx, _FIT, rows=dumps([row for case in some for row in _needed(case)]), ids=[c.id for c in some], now=now
        )


def _needed(case: Case) -> list[dict[str, Any]]:
    """A delivery that was called off still holds its pieces: they are given back when its order closes."""
    pieces = Counter[tuple[str, str]]()
    for one in deliveries_of(case):
        if one.warehouse:
            for sku, count in pieces_by_sku(case, one.binds):
                pieces[sku, one.warehouse] += count
    return [
        {"order_id": case.id, "sku": sku, "warehouse": warehouse, "quantity": count}
        for (sku, warehouse), count in sorted(pieces.items())
    ]


_FIT = """
with needed as (
  select order_id, sku, warehouse, quantity from jsonb_to_recordset(cast(:rows as jsonb))
    as r(order_id bigint, sku text, warehouse text, quantity int)),
held as (
  select order_id, sku, warehouse, quantity from stock_lock
  where order_id = any(cast(:ids as bigint[])) and state = 'held'),
differs as (
  select order_id, sku, warehouse, coalesce(n.quantity, 0) as needs, coalesce(h.quantity, 0) as has
  from needed n full join held h using (order_id, sku, warehouse)
  where coalesce(n.quantity, 0) <> coalesce(h.quantity, 0)),
changed as (
  update stock_lock k set quantity = case when d.needs > 0 then d.needs else k.quantity end,
    state = case when d.needs > 0 then 'held' else 'released' end,
    ended_at = case when d.needs = 0 then cast(:now as timestamptz) end
  from differs d where k.order_id = d.order_id and k.sku = d.sku and k.warehouse = d.warehouse and k.state = 'held'
  returning k.sku, k.warehouse, d.needs - d.has as more),
made as (
  insert into stock_lock as k (order_id, sku, warehouse, quantity, state, locked_at)
  select order_id, sku, warehouse, needs, 'held', cast(:now as timestamptz) from differs where has = 0
  on conflict (order_id, sku, warehouse) do update
    set quantity = excluded.quantity, state = 'held', locked_at = excluded.locked_at, ended_at = null
    where k.state = 'released'
  returning k.sku, k.warehouse, k.quantity as more),
sums as (
  select sku, warehouse, sum(more) as more from (select * from changed union all select * from made) moved
  group by sku, warehouse)
update stock_level v set locked = v.locked + s.more from sums s where v.sku = s.sku and v.warehouse = s.warehouse
"""
