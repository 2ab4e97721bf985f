"""What a case decided about returns is stored: those asked for, goods that came in, refunds that were told of."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import returns
from ballast.db.case import Case
from ballast.db.engine import dumps, rows, run
from ballast.db.return_steps import Shelved, goods_in


async def write_asked(tx: AsyncConnection, cases: Sequence[Case]) -> None:
    """New returns, and those that a refund's news is waited for by."""
    await returns.insert(tx, [row for case in cases for row in case.returns])
    if told := [case.id for case in cases if case.refunds_told]:
        await returns.refunds_told(tx, told, cases[0].now)


async def take_goods_in(tx: AsyncConnection, cases: Sequence[Case]) -> list[Shelved]:
    """Goods that came act on their returns, before the case is stored; what of them goes to the shelf."""
    told = {case.id: case for case in cases if case.goods_back}
    if not told:
        return []
    found = {one.return_no: one for one in await returns.load(tx, order_ids=told)}
    shelved = [
        one
        for case in told.values()
        for back in case.goods_back
        if back.return_no in found
        for one in goods_in(case, found[back.return_no], back)
    ]
    numbers = {back.return_no for case in told.values() for back in case.goods_back}
    await returns.write(tx, [row for number, row in found.items() if number in numbers])
    return shelved


async def lock_levels(tx: AsyncConnection, shelved: Sequence[Shelved], order_ids: Sequence[int]) -> None:
    """Lock the levels of what goes to the shelf, and of what these orders hold, in the one order of all writers."""
    skus = sorted({one.sku for one in shelved})
    await rows(tx, _LOCK, skus=skus, ids=list(order_ids))


async def shelve(tx: AsyncConnection, shelved: Sequence[Shelved], now: datetime) -> None:
    """Good pieces are there to be sold again. Their levels are locked."""
    values = [{"sku": one.sku, "warehouse": one.warehouse, "pieces": one.pieces} for one in shelved]
    await run(tx, _SHELVE, rows=dumps(values), now=now)


_LOCK = """
select 1 from stock_level v
where v.sku = any(cast(:skus as text[])) or (v.sku, v.warehouse) in (
  select k.sku, k.warehouse from stock_lock k where k.order_id = any(cast(:ids as bigint[])) and k.state = 'held')
order by v.sku, v.warehouse for update of v
"""
_SHELVE = """
update stock_level v set on_hand = v.on_hand + s.pieces, rose_at = :now
from (select sku, warehouse, sum(pieces) as pieces from jsonb_to_recordset(cast(:rows as jsonb))
  as r(sku text, warehouse text, pieces bigint) group by sku, warehouse) s
where v.sku = s.sku and v.warehouse = s.warehouse
"""
