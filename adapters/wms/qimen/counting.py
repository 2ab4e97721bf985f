"""inventory.query -> what the warehouse counts: several goods in one call, batches added up. Sheet qimen.md, 4.4."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from adapters.pieces import read_pieces
from adapters.replies import Reply, read_reply
from adapters.wms.qimen.news import repeated
from ballast.domain.stock import FigureFault, Place
from ballast.domain.words import System
from ballast.ports import CountedFigure, RefusedFigure, StockCount
from ballast.settings import QimenSettings

GOOD: Final = "ZP"
"""inventoryType: goods that can be sold, and not what is broken (CC, JS, XS) or on its way (ZT)."""


class Item(Reply):
    warehouse: str = Field("", alias="warehouseCode")
    sku: str = Field("", alias="itemCode")
    kind: str = Field(GOOD, alias="inventoryType")
    free: str = Field("0", alias="quantity")
    frozen: str = Field("0", alias="lockQuantity")


class Items(Reply):
    items: Annotated[tuple[Item, ...], repeated("item")] = ()


def question(places: Sequence[Place], settings: QimenSettings) -> dict[str, Any]:
    """One criteria per place, by their codes for warehouses."""
    criteria = [
        {
            "warehouseCode": settings.warehouses[warehouse],
            "ownerCode": settings.owner_code,
            "itemCode": sku,
            "inventoryType": GOOD,
        }
        for sku, warehouse in places
    ]
    return {"request": {"criteriaList": {"criteria": criteria}}}


def read_count(document: Mapping[str, Any], places: Sequence[Place], settings: QimenSettings) -> StockCount:
    """A figure or a refusal for every place. What is not listed has no pieces; one bad row spoils its place."""
    ours = {theirs: our for our, theirs in settings.warehouses.items()}
    sums = {place: [0, 0] for place in places}
    refused: dict[Place, RefusedFigure] = {}
    for item in read_reply(Items, document, System.QIMEN).items:
        place = item.sku, ours.get(item.warehouse, item.warehouse)
        said = f"quantity {item.free[:40]}, lockQuantity {item.frozen[:40]}"
        pieces = read_pieces(item.free), read_pieces(item.frozen)
        faults = [one for one in pieces if isinstance(one, FigureFault)]
        if place not in sums:
            faults = [FigureFault.UNKNOWN_SKU]
        if faults:
            refused.setdefault(place, RefusedFigure(sku=place[0], warehouse=place[1], fault=faults[0], said=said))
        elif item.kind in ("", GOOD):
            sums[place] = [known + int(more) for known, more in zip(sums[place], pieces, strict=True)]
    counted = [
        CountedFigure(sku=sku, warehouse=warehouse, free=free, frozen=frozen)
        for (sku, warehouse), (free, frozen) in sums.items()
        if (sku, warehouse) not in refused
    ]
    return StockCount(counted=counted, refused=tuple(refused.values()))
