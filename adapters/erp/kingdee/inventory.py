"""STK_Inventory -> stock figures: all pages, lots of one SKU added up, nothing skipped. Sheet kingdee.md, 4."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from adapters.erp.kingdee.connection import Connection
from adapters.erp.kingdee.documents import INVENTORY
from adapters.errors import NotUnderstood
from ballast.domain.words import System
from ballast.ports import StockFigure

PAGE: Final = 2000  # [M] the most that every build allows
MOST_PAGES: Final = 5000  # a server that ignores StartRow would never end

WAREHOUSE, SKU = "FStockId.FNumber", "FMaterialId.FNumber"
FIGURES: Final = ("FBaseQty", "FBaseAVBQty", "FBaseLockQty")
COLUMNS: Final = (WAREHOUSE, SKU, *FIGURES)


async def read_inventory(connection: Connection, organisation: str) -> Sequence[StockFigure]:
    """Every row of the organisation. Pages end with an empty one, because a server may cap Limit below ours."""
    rows: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        page = await connection.query(
            INVENTORY, COLUMNS, {"FStockOrgId.FNumber": [organisation]}, start=len(rows), limit=PAGE
        )
        if not page:
            return add_up(rows)
        rows += page
    raise NotUnderstood(System.KINGDEE, f"the stock list does not end after {MOST_PAGES} pages")


def add_up(rows: Iterable[Mapping[str, Any]]) -> list[StockFigure]:
    """One figure per SKU and warehouse; the ERP keeps one row per lot."""
    sums: dict[tuple[str, str], list[int]] = {}
    for at, row in enumerate(rows):
        sku, warehouse = row[SKU], row[WAREHOUSE]
        if not (isinstance(sku, str) and sku and isinstance(warehouse, str) and warehouse):
            raise NotUnderstood(System.KINGDEE, f"stock row {at} names no SKU or no warehouse")
        figures = [_pieces(row[name], f"stock row {at} ({sku} in {warehouse}): {name}") for name in FIGURES]
        known = sums.setdefault((sku, warehouse), [0, 0, 0])
        for column, figure in enumerate(figures):
            known[column] += figure
    return [
        StockFigure(sku=sku, warehouse=warehouse, on_hand=on_hand, available=available, locked=locked)
        for (sku, warehouse), (on_hand, available, locked) in sums.items()
    ]


def _pieces(value: object, where: str) -> int:
    try:
        quantity = Decimal(str(value))
        if quantity.is_finite() and quantity >= 0 and quantity == quantity.to_integral_value():
            return int(quantity)
    except InvalidOperation:
        pass
    raise NotUnderstood(System.KINGDEE, f"{where} is {str(value)[:40]}; pieces are whole and not negative")
