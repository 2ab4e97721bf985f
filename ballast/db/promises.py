"""What can be promised of each SKU in each warehouse: the one query that says it, for shops, the door and sourcing.

To promise = on hand - locks - reservations that have not expired - what is never sold. What counts, and how old a
figure may be, stands in `stock_limit`; an expired reservation counts for nothing from its moment on, whoever cleans up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows

MOST_AGE: Final = timedelta(minutes=15)
"""Where nobody said how old a figure may be. A pull comes every 30 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One SKU in one warehouse, in pieces. `figure_at`: when its system was last known to say `on_hand`."""

    sku: str
    warehouse: str
    region: str
    on_hand: int
    locked: int
    reserved: int  # of unpaid orders, not expired
    safety_line: int | None
    safety_reserve: int
    to_promise: int  # never less than nothing; as counted, whether it is sold or not
    figure_at: datetime
    stale: bool
    sells: bool  # False: the figure is stale, and nothing is sold on stale figures of this SKU
    counts_reservations: bool = True  # whether `reserved` is taken off

    @property
    def below_line(self) -> bool:
        return self.safety_line is not None and self.to_promise < self.safety_line

    @property
    def free(self) -> int:
        """What may be promised to somebody now."""
        return self.to_promise if self.sells else 0


async def read_promises(
    tx: AsyncConnection, skus: Sequence[str], *, now: datetime, but: Sequence[str] = ()
) -> list[Promise]:
    """Every warehouse's promise of these SKUs, by SKU and warehouse. A SKU without any figure has no row.

    `but`: orders whose own reservations do not count, for they are what is about to be used.
    """
    found = await rows(tx, _OF_SKUS, skus=sorted(set(skus)), now=now, but=list(but), most_age=MOST_AGE.total_seconds())
    return [Promise(**row._mapping) for row in found]


PROMISES: Final = """
with reserved as (
  select sku, warehouse, cast(sum(quantity) as bigint) as quantity from stock_reservation
  where {reserved} expires_at > :now and order_no <> all(cast(:but as text[]))
  group by sku, warehouse),
pulled as (select max(asked_at) as at from stock_pull where system = 'kingdee' and whole),
counted as (
  select v.sku, v.warehouse, coalesce(w.region, '') as region, v.on_hand, v.locked,
    coalesce(r.quantity, 0) as reserved,
    coalesce(a.safety_line, b.safety_line, c.safety_line, d.safety_line) as safety_line,
    coalesce(a.safety_reserve, b.safety_reserve, c.safety_reserve, d.safety_reserve, 0) as safety_reserve,
    coalesce(a.counts_locks, b.counts_locks, c.counts_locks, d.counts_locks, true) as counts_locks,
    coalesce(a.counts_reservations, b.counts_reservations, c.counts_reservations, d.counts_reservations, true)
      as counts_reservations,
    coalesce(a.most_age, b.most_age, c.most_age, d.most_age, :most_age) as most_age,
    coalesce(a.sells_stale, b.sells_stale, c.sells_stale, d.sells_stale, true) as sells_stale,
    case when x.since is null then greatest(v.figure_at, p.at)
      else greatest(v.figure_at, least(p.at, x.since)) end as figure_at
  from stock_level v cross join pulled p
  left join warehouse w on w.code = v.warehouse
  left join reserved r on r.sku = v.sku and r.warehouse = v.warehouse
  left join stock_limit a on a.sku = v.sku and a.warehouse = v.warehouse
  left join stock_limit b on b.sku = v.sku and b.warehouse = ''
  left join stock_limit c on c.sku = '' and c.warehouse = v.warehouse
  left join stock_limit d on d.sku = '' and d.warehouse = ''
  left join stock_trouble x on x.kind = 'refused' and x.sku = v.sku and x.warehouse = v.warehouse
  where {levels})
select sku, warehouse, region, on_hand, locked, reserved, safety_line, safety_reserve,
  greatest(on_hand - case when counts_locks then locked else 0 end
    - case when counts_reservations then reserved else 0 end - safety_reserve, 0) as to_promise,
  figure_at, cast(:now as timestamptz) - figure_at > make_interval(secs => most_age) as stale,
  sells_stale or cast(:now as timestamptz) - figure_at <= make_interval(secs => most_age) as sells,
  counts_reservations
from counted order by sku, warehouse
"""
"""`levels`: which of `stock_level v`; `reserved`: the same of their reservations, and an `and`. A pull does not renew
the figure of a place whose row is refused: it is as old as the last one that was taken.
"""

_OF_SKUS: Final = PROMISES.format(
    reserved="sku = any(cast(:skus as text[])) and", levels="v.sku = any(cast(:skus as text[]))"
)
