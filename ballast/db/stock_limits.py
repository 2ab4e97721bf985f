"""Limits of stock and names of warehouses: what people say about the figures of others."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.domain.stock_limits import Limit


async def read_limits(tx: AsyncConnection) -> list[Limit]:
    """All of them, the widest first."""
    found = await rows(
        tx,
        """
        select sku, warehouse, safety_line, safety_reserve, counts_locks, counts_reservations, most_age, sells_stale
        from stock_limit order by sku, warehouse""",
    )
    return [Limit(**row._mapping) for row in found]


async def write_limits(
    tx: AsyncConnection, limits: Collection[Limit], *, by: str, now: datetime, replace: bool = False
) -> int:
    """Say these; one that says nothing is taken back, with `replace` all others, too. How many rows changed."""
    said = dumps([{name: getattr(one, name) for name in one.__slots__} for one in limits if not one.says_nothing])
    named = dumps([{"sku": one.sku, "warehouse": one.warehouse} for one in limits if replace != one.says_nothing])
    gone = await run(tx, _TAKE_BACK.format(which="not in" if replace else "in"), rows=named)
    return gone + await run(tx, _SAY, rows=said, by=by, now=now)


_TAKE_BACK: Final = """
delete from stock_limit where (sku, warehouse) {which} (
  select sku, warehouse from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text))
"""
_SAY: Final = """
insert into stock_limit as l (sku, warehouse, safety_line, safety_reserve, counts_locks, counts_reservations, most_age,
  sells_stale, changed_by, changed_at)
select sku, warehouse, safety_line, safety_reserve, counts_locks, counts_reservations, most_age, sells_stale, :by,
  cast(:now as timestamptz)
from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text, safety_line bigint, safety_reserve bigint,
  counts_locks boolean, counts_reservations boolean, most_age int, sells_stale boolean)
order by sku, warehouse
on conflict (sku, warehouse) do update set safety_line = excluded.safety_line,
  safety_reserve = excluded.safety_reserve, counts_locks = excluded.counts_locks,
  counts_reservations = excluded.counts_reservations, most_age = excluded.most_age,
  sells_stale = excluded.sells_stale, changed_by = excluded.changed_by, changed_at = excluded.changed_at
where (l.safety_line, l.safety_reserve, l.counts_locks, l.counts_reservations, l.most_age, l.sells_stale)
  is distinct from (excluded.safety_line, excluded.safety_reserve, excluded.counts_locks, excluded.counts_reservations,
    excluded.most_age, excluded.sells_stale)
"""


async def known_codes(tx: AsyncConnection, skus: Collection[str]) -> tuple[set[str], set[str]]:
    """Of these the SKUs that the ERP lists; and every warehouse that it lists."""
    found = await rows(
        tx,
        "select code from unnest(cast(:skus as text[])) code where exists (select from stock_level where sku = code)",
        skus=sorted(set(skus)),
    )
    warehouses = await rows(tx, "select code from warehouse")
    return {row.code for row in found}, {row.code for row in warehouses}


async def list_warehouses(tx: AsyncConnection) -> Sequence[Any]:
    """(code, name, region, changed_by, changed_at)."""
    return await rows(tx, "select code, name, region, changed_by, changed_at from warehouse order by code")


async def describe_warehouse(
    tx: AsyncConnection, code: str, *, name: str | None, region: str | None, by: str, now: datetime
) -> bool:
    """Give a warehouse a name, a region, or both; False when no list ever named it."""
    changed = await run(
        tx,
        """
        update warehouse set name = coalesce(:name, name), region = coalesce(:region, region), changed_by = :by,
          changed_at = :now where code = :code""",
        code=code,
        name=name,
        region=region,
        by=by,
        now=now,
    )
    return bool(changed)
