"""Pulls of stock: what differs from the ledger, written in small transactions; and how each pull ended."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import dumps, rows, run
from ballast.domain.stock import Place
from ballast.ports import CountedFigure, StockFigure, StockReading

KEPT: Final = timedelta(days=7)
"""How long a pull is kept; of each system the last whole one stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One time that a system was asked. kind: all, changes."""

    system: str
    kind: str
    asked_at: datetime
    whole: bool = False
    figures: int = 0
    changed: int = 0
    refused: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class LastPulls:
    """When a system was last read whole, and when everything was last swept; None: never."""

    whole_at: datetime | None
    swept_at: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What a reading says otherwise than the ledger, by SKU and warehouse: figures to take.

    `gone`: how many places that had pieces are not in it any more; `had`: how many places have pieces.
    """

    figures: Sequence[StockFigure]
    gone: int
    had: int

    @property
    def shrunk(self) -> bool:
        """Whether most of the stock is missing: it is rather the list that is wrong."""
        return (self.gone > 20 and self.gone * 2 > self.had) or 0 < self.had == self.gone


async def find_difference(tx: AsyncConnection, reading: StockReading, *, asked_at: datetime) -> Difference:
    """Compare a reading with the ledger, in one statement and without a lock.

    What is equal is not touched: of 500,000 levels a sweep writes those that changed. `take_figures` looks again under
    the locks.
    """
    await run(
        tx,
        """
        create temp table figure_read (sku text, warehouse text, on_hand bigint, available bigint) on commit drop""",
    )
    await run(tx, "set local work_mem = '64MB'")
    raw = await tx.get_raw_connection()
    assert raw.driver_connection is not None
    await raw.driver_connection.copy_records_to_table("figure_read", records=_records(reading))
    await run(tx, "analyze figure_read")
    whole = reading.about is None
    found = await rows(tx, _DIFFERENCE.format(join="full" if whole else "left"), asked_at=asked_at)
    had = (await rows(tx, "select count(*) as n from stock_level where on_hand > 0"))[0].n if whole else 0
    figures = [
        StockFigure(sku=r.sku, warehouse=r.warehouse, on_hand=r.on_hand, available=r.available, locked=0) for r in found
    ]
    return Difference(figures, sum(r.gone for r in found) if whole else 0, had)


def _records(reading: StockReading) -> Iterator[tuple[str, str, int | None, int | None]]:
    """A refused place has no figure: what is known of it stays. One that was asked about and is not listed has 0."""
    yield from ((f.sku, f.warehouse, f.on_hand, f.available) for f in reading.figures)
    refused = {(one.sku, one.warehouse) for one in reading.refused if one.sku and one.warehouse}
    yield from ((sku, warehouse, None, None) for sku, warehouse in refused)
    if reading.about is not None:
        known = refused | {(f.sku, f.warehouse) for f in reading.figures}
        yield from ((sku, warehouse, 0, 0) for sku, warehouse in reading.about - known)


_DIFFERENCE: Final = """
with told as (
  select sku, warehouse, sum(quantity) as quantity from stock_lock
  where state = 'shipped' and (told_at is null or told_at >= :asked_at) group by sku, warehouse)
select coalesce(r.sku, v.sku) as sku, coalesce(r.warehouse, v.warehouse) as warehouse,
  coalesce(r.on_hand, 0) as on_hand, coalesce(r.available, 0) as available, r.sku is null and v.on_hand > 0 as gone
from figure_read r {join} join stock_level v on v.sku = r.sku and v.warehouse = r.warehouse
left join told t on t.sku = v.sku and t.warehouse = v.warehouse
where (r.sku is null or r.on_hand is not null) and (v.sku is null or (v.figure_at <= :asked_at
  and (v.on_hand, v.available)
    <> (greatest(coalesce(r.on_hand, 0) - coalesce(t.quantity, 0), 0), coalesce(r.available, 0))))
order by 1, 2
"""


async def last_pulls(tx: AsyncConnection, system: str) -> LastPulls:
    """Of the last days."""
    (found,) = await rows(
        tx,
        """
        select (select max(asked_at) from stock_pull where system = :system and whole) as whole_at,
          (select max(asked_at) from stock_pull where system = :system and whole and kind = 'all') as swept_at""",
        system=system,
    )
    return LastPulls(found.whole_at, found.swept_at)


async def write_pull(tx: AsyncConnection, pull: Pull, now: datetime) -> None:
    """How it ended; pulls of last week leave."""
    values = {name: getattr(pull, name) for name in pull.__slots__} | {"note": pull.note[:500]}
    await run(
        tx,
        """
        insert into stock_pull (system, kind, asked_at, ended_at, whole, figures, changed, refused, note)
        values (:system, :kind, :asked_at, :now, :whole, :figures, :changed, :refused, :note)""",
        **values,
        now=now,
    )
    await run(
        tx,
        """
        delete from stock_pull p where system = :system and asked_at < :before and exists (select from stock_pull l
          where l.system = p.system and l.kind = p.kind and l.whole and l.asked_at > p.asked_at)""",
        system=pull.system,
        before=now - KEPT,
    )


async def first_of_hour(tx: AsyncConnection, system: str, now: datetime) -> bool:
    """Whether the last pull of this system is the only one of its hour."""
    (found,) = await rows(
        tx,
        "select count(*) as pulls from stock_pull where system = :system and asked_at >= date_trunc('hour', "
        "cast(:now as timestamptz))",
        system=system,
        now=now,
    )
    return bool(found.pulls <= 1)


async def know_warehouses(tx: AsyncConnection, codes: Collection[str], now: datetime) -> int:
    """Warehouses that figures name get a row, for people to give them a name and a region."""
    return await run(
        tx,
        """
        insert into warehouse (code, changed_by, changed_at) select code, 'ballast', cast(:now as timestamptz)
        from unnest(cast(:codes as text[])) code order by code on conflict (code) do nothing""",
        codes=sorted(codes),
        now=now,
    )


# -- the second opinion --------------------------------------------------------------------------------------------


async def places_to_count(
    tx: AsyncConnection, warehouses: Collection[str], *, before: datetime, most: int
) -> list[Place]:
    """Places that were never counted, then those longest ago and before then, then those whose rows were refused."""
    found = await rows(
        tx,
        """
        with refused as materialized (select sku, warehouse from stock_trouble where kind = 'not_counted')
        (select v.sku, v.warehouse from stock_level v left join warehouse_level c using (sku, warehouse)
          where v.warehouse = any(cast(:warehouses as text[])) and c.sku is null
            and (v.sku, v.warehouse) not in (select sku, warehouse from refused) limit :most)
        union all
        (select sku, warehouse from warehouse_level
          where figure_at <= :before and warehouse = any(cast(:warehouses as text[]))
            and (sku, warehouse) not in (select sku, warehouse from refused) order by figure_at limit :most)
        union all
        (select sku, warehouse from refused where warehouse = any(cast(:warehouses as text[])) limit :most)
        limit :most""",
        warehouses=sorted(warehouses),
        before=before,
        most=most,
    )
    return sorted((row.sku, row.warehouse) for row in found)


async def take_counts(tx: AsyncConnection, counted: Sequence[CountedFigure], *, asked_at: datetime) -> int:
    """What warehouses counted, and what the ledger has now; a count that was asked for earlier changes nothing."""
    return await run(
        tx,
        """
        insert into warehouse_level as c (sku, warehouse, free, frozen, on_hand, figure_at)
        select sku, warehouse, free, frozen, coalesce(v.on_hand, 0), cast(:asked_at as timestamptz)
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(sku text, warehouse text, free bigint, frozen bigint)
        left join stock_level v using (sku, warehouse) order by sku, warehouse
        on conflict (sku, warehouse) do update set free = excluded.free, frozen = excluded.frozen,
          on_hand = excluded.on_hand, figure_at = excluded.figure_at where c.figure_at <= excluded.figure_at""",
        rows=dumps([{name: getattr(one, name) for name in one.__slots__} for one in counted]),
        asked_at=asked_at,
    )
