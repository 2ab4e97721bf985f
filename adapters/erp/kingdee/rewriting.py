"""A sale order that says anew where its pieces come from: opened again, its entries replaced, audited again.

    entries as wanted and audited -> nothing; else UnAudit or 撤销 -> Save of all entries -> Submit -> Audit -> look

Only before an outbound bill was pushed: afterwards the ERP refuses to open it, and a person has to look.
"""

from collections import Counter

from pydantic import Field

from adapters.erp.kingdee import documents
from adapters.erp.kingdee.bills import Bills, SaleOrder
from adapters.erp.kingdee.connection import Connection, columns_of
from adapters.erp.kingdee.documents import SALE_ORDER
from adapters.erp.kingdee.status import AUDITED, CANCELLED
from adapters.errors import OutcomeUnknown
from adapters.replies import Reply, read_reply
from ballast.domain.words import System
from ballast.ports import Order
from ballast.settings import KingdeeSettings


class EntryRow(Reply):
    """One entry as ExecuteBillQuery tells it. [M]: the field names of the entry's stock and reserve type."""

    sku: str = Field(alias="FMaterialId.FNumber")
    stock: str = Field(alias="FSOStockId.FNumber")
    pieces: float = Field(alias="FQty")
    reserve: str = Field(alias="FReserveType")


class Rewriting:
    """Brings the entries of sale orders in line with what their orders say."""

    def __init__(self, connection: Connection, bills: Bills, settings: KingdeeSettings) -> None:
        self._connection, self._bills, self._settings = connection, bills, settings

    async def is_as_wanted(self, order: Order) -> bool:
        """Whether the entries reserve the pieces where the order says."""
        return await self._entries(order) == _wanted(order)

    async def is_elsewhere(self, order: Order) -> bool:
        """Whether the entries are the order's, from other warehouses. Entries that a person mended are left alone."""
        there, wanted = await self._entries(order), _wanted(order)
        return there != wanted and _pieces(there) == _pieces(wanted)

    async def _entries(self, order: Order) -> Counter[tuple[str, str, str]]:
        rows = await self._connection.query(
            SALE_ORDER, columns_of(EntryRow), {"FBillNo": [order.order_no]}, order_no=order.order_no
        )
        there = Counter[tuple[str, str, str]]()
        for row in (read_reply(EntryRow, row, System.KINGDEE, order_no=order.order_no) for row in rows):
            there[row.sku, row.stock, row.reserve] += int(row.pieces)
        return there

    async def rewrite(self, bill: SaleOrder, order: Order) -> None:
        """Raises `Refused` once an outbound bill was pushed, `OutOfStock` when the new place has not enough."""
        order_no = order.order_no
        if bill.cancelled != CANCELLED and not await self.is_as_wanted(order):
            if bill.progress == AUDITED:
                await self._bills.retreat("UnAudit", bill, order_no)
            elif bill.status == "B":
                await self._bills.retreat("CancelAssign", bill, order_no)
            await self._bills.take_over(documents.sale_order(order, self._settings, fid=bill.id), order_no)
            if not await self.is_as_wanted(order):
                what = "the sale order was saved with other warehouses and has the old ones"
                raise OutcomeUnknown(System.KINGDEE, what, order_no=order_no)
            bill = bill.model_copy(update={"status": "D"})
        await self._bills.finish(bill, order_no)


def _wanted(order: Order) -> Counter[tuple[str, str, str]]:
    wanted = Counter[tuple[str, str, str]]()
    for line, source in documents.sourced_lines(order):
        reserve = documents.RESERVE if source.warehouse else documents.NO_RESERVE
        wanted[line.sku, source.warehouse or order.warehouse, reserve] += source.pieces
    return wanted


def _pieces(entries: Counter[tuple[str, str, str]]) -> Counter[str]:
    pieces = Counter[str]()
    for (sku, _, _), count in entries.items():
        pieces[sku] += count
    return pieces
