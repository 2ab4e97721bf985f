"""What the stock view shows besides what can be promised: which SKUs, and what the warehouse counted."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.stock import Place


@dataclass(frozen=True, slots=True)
class Count:
    """What the warehouse itself counted, and when; `on_hand`: what the ledger had at that time."""

    free: int
    frozen: int
    on_hand: int
    figure_at: datetime

    @property
    def pieces(self) -> int:
        return self.free + self.frozen

    @property
    def drift(self) -> int:
        return self.pieces - self.on_hand


async def skus_from(
    tx: AsyncConnection, after: str, most: int, *, warehouses: Collection[str] | None = None
) -> Sequence[str]:
    """The next SKUs in their order, of all warehouses or of some."""
    if warehouses is None:
        found = await rows(tx, _NEXT, after=after, most=most)
    else:
        found = await rows(tx, _NEXT_IN, after=after, most=most, warehouses=sorted(warehouses))
    return [row.sku for row in found]


_NEXT = "select distinct sku from stock_level where sku > :after order by sku limit :most"
_NEXT_IN = """
select distinct n.sku from unnest(cast(:warehouses as text[])) w cross join lateral (
  select sku from stock_level where warehouse = w and sku > :after order by sku limit :most) n
order by n.sku limit :most
"""


async def warehouses_of(tx: AsyncConnection, region: str) -> list[str]:
    """The warehouses of a region; empty where there is no such region."""
    found = await rows(tx, "select code from warehouse where region = :region order by code", region=region)
    return [row.code for row in found]


async def read_counts(tx: AsyncConnection, skus: Collection[str]) -> dict[Place, Count]:
    """What warehouses counted of these; a place that was never counted is missing."""
    found = await rows(
        tx,
        """
        select sku, warehouse, free, frozen, on_hand, figure_at from warehouse_level
        where sku = any(cast(:skus as text[]))""",
        skus=sorted(set(skus)),
    )
    return {(r.sku, r.warehouse): Count(r.free, r.frozen, r.on_hand, r.figure_at) for r in found}
