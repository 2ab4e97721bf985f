"""Pieces that are expected: what a supplier announced (ASN) or a purchase order is to bring, as people tell it.

It promises nothing: it is the date that a shop hears when it is told that something is short.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, time

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.clock import SHANGHAI
from ballast.db.engine import dumps, rows
from ballast.domain.promising import Coming, Incoming


async def read_coming(tx: AsyncConnection, skus: Sequence[str], *, now: datetime) -> list[Coming]:
    """What is expected of these SKUs from today on. What should have come before is no promise any more."""
    found = await rows(
        tx,
        """
        select sku, warehouse, quantity, expected_at from stock_incoming
        where sku = any(cast(:skus as text[])) and expected_at >= :since order by expected_at""",
        skus=list(skus),
        since=_midnight(now),
    )
    return [Coming(row.sku, row.warehouse, row.quantity, _day(row.expected_at)) for row in found]


async def read_expected(
    tx: AsyncConnection, skus: Sequence[str], *, now: datetime
) -> dict[str, list[tuple[datetime, int]]]:
    """The same for all warehouses together, as sourcing promises by it: SKU -> (time, pieces), the next first."""
    if not skus:
        return {}
    found = await rows(
        tx,
        """
        select sku, expected_at, sum(quantity) as pieces from stock_incoming
        where sku = any(cast(:skus as text[])) and expected_at >= :since
        group by sku, expected_at order by expected_at""",
        skus=list(skus),
        since=_midnight(now),
    )
    expected: dict[str, list[tuple[datetime, int]]] = {}
    for row in found:
        expected.setdefault(row.sku, []).append((row.expected_at, int(row.pieces)))
    return expected


def _day(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


def _midnight(now: datetime) -> datetime:
    return datetime.combine(_day(now), time(), SHANGHAI)


async def put_incoming(tx: AsyncConnection, expected: Sequence[Incoming], *, by: str, now: datetime) -> int:
    """Write what is expected: a row that is known takes the new figures, none pieces take it away. How many changed."""
    found = await rows(tx, _PUT, rows=dumps([asdict(one) for one in expected]), by=by, now=now)
    return int(found[0].changed)


_PUT = """
with told as (
  select * from jsonb_to_recordset(cast(:rows as jsonb))
    as r(sku text, warehouse text, quantity bigint, expected_at timestamptz, reference text)),
gone as (
  delete from stock_incoming v using told r
  where r.quantity = 0 and v.reference = r.reference and v.sku = r.sku and v.warehouse = r.warehouse
  returning 1),
put as (
  insert into stock_incoming as v (reference, sku, warehouse, quantity, expected_at, changed_by, changed_at)
  select reference, sku, warehouse, quantity, expected_at, :by, cast(:now as timestamptz) from told where quantity > 0
  on conflict (reference, sku, warehouse) do update set quantity = excluded.quantity,
    expected_at = excluded.expected_at, changed_by = excluded.changed_by, changed_at = excluded.changed_at
    where (v.quantity, v.expected_at) <> (excluded.quantity, excluded.expected_at)
  returning 1)
select (select count(*) from gone) + (select count(*) from put) as changed
"""


async def list_incoming(tx: AsyncConnection, *, sku: str = "", most: int = 1000) -> list[Incoming]:
    """What is expected, of one SKU or of all, the next to come first; what is overdue stands before it."""
    found = await rows(
        tx,
        """
        select sku, warehouse, quantity, expected_at, reference from stock_incoming
        where :sku in ('', sku) order by expected_at, reference, sku, warehouse limit :most""",
        sku=sku,
        most=most,
    )
    return [Incoming(**row._mapping) for row in found]
