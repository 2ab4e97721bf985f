"""Ballast -> 金蝶云星空: sale orders with reservation, outbound bills, receipts, stock figures."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from adapters.allowance import Allowance
from adapters.erp.kingdee import documents
from adapters.erp.kingdee.bills import Bills, OutboundBill, ReturnBill, SaleOrder
from adapters.erp.kingdee.connection import Connection
from adapters.erp.kingdee.envelope import ResponseStatus
from adapters.erp.kingdee.inventory import Inventory
from adapters.erp.kingdee.rewriting import Rewriting
from adapters.erp.kingdee.status import AUDITED, CODES, RECEIVED, SUBMITTED
from adapters.errors import OutcomeUnknown, OutsideError, Refused
from adapters.together import Together
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import Codes, News, Order, Receipt, ReturnOrder, StockReading
from ballast.settings import KingdeeSettings


class Kingdee:
    """Implements `ballast.ports.Erp`. The idempotency key is the bill number: our order number.

    `codes` may be replaced by the map that people extended; how far a bill is stands in `status.PROGRESS` all the same.
    """

    system = System.KINGDEE

    def __init__(self, settings: KingdeeSettings, clock: Clock, allowance: Allowance | None = None) -> None:
        self._settings, self._clock = settings, clock
        self.codes: Codes = CODES
        self._connection = Connection(settings, clock, allowance)
        self._bills = Bills(self._connection, clock, per_call=settings.bills_per_call)
        self._inventory = Inventory(self._connection, settings)
        self._rewriting = Rewriting(self._connection, self._bills, settings)
        self._pushes = Together(self._push_all, most=settings.bills_per_call)

    async def close(self) -> None:
        await self._pushes.close()
        await self._bills.close()
        await self._connection.close()

    async def ping(self) -> str:
        await self._bills.sale_order("BALLAST-PING")
        return f"{self._settings.server_url} answers {self._settings.user_name}"

    async def reserve(self, order: Order, *, look_first: bool = False) -> Receipt:
        bill = await self._bills.sale_order(order.order_no) if look_first else None
        if bill is not None and order.edited and bill.status != "Z":  # of an earlier attempt, as the order was then
            await self._rewriting.rewrite(bill, order)
            return Receipt(reference=bill.number)
        if bill is None:
            bill = await self._save_sale_order(order)
        if bill.status == "Z":  # somebody's draft under our number; a draft cannot be submitted: take it over
            await self._bills.take_over(documents.sale_order(order, self._settings, fid=bill.id), order.order_no)
        elif order.sources and bill.id and bill.progress < AUDITED and await self._rewriting.is_elsewhere(order):
            await self._rewriting.rewrite(bill, order)  # of an earlier attempt, when other warehouses were to ship
            return Receipt(reference=bill.number)
        await self._bills.finish(bill, order.order_no)
        return Receipt(reference=bill.number)

    async def change(self, order: Order, *, look_first: bool = False) -> Receipt:
        bill = await self._bills.sale_order(order.order_no)  # what it says decides, so a repeat is harmless
        if bill is None:
            return await self.reserve(order)
        await self._rewriting.rewrite(bill, order)
        return Receipt(reference=bill.number)

    async def cancel(self, order: Order, *, look_first: bool = False) -> Receipt:
        """反审核, then 作废. The bill is read before and after: what it says decides, so a repeat is harmless."""
        bill = await self._bills.sale_order(order.order_no)
        if bill is None:
            return Receipt(reference=order.order_no, detail={"sale_order": "none"})
        await self._bills.take_back(bill, order.order_no)
        return Receipt(reference=bill.number)

    async def post_outbound(self, order: Order, *, look_first: bool = False) -> Receipt:
        bill = await self._bills.outbound_bill(order.order_no) if look_first else None
        if bill is None:
            bill = await self._push(order)
        untold = [parcel for parcel in order.parcels if parcel.waybill not in bill.waybills]
        if untold and bill.progress < SUBMITTED:  # later it cannot be changed any more
            await self._bills.change(documents.tracking(untold, bill.id, self._clock.now()), order.order_no)
        await self._bills.finish(bill, order.order_no)
        return Receipt(reference=bill.number)

    async def post_receipt(self, order: Order, signed_at: datetime, *, look_first: bool = False) -> Receipt:
        bill = await self._bills.outbound_bill(order.order_no)
        if bill is None or bill.progress < AUDITED:  # the outbound notice was overtaken or lost: finish it now
            await self.post_outbound(order, look_first=True)
            bill = await self._bills.outbound_bill(order.order_no)
        if bill is None:
            raise OutcomeUnknown(self.system, "an outbound bill was written and is not there", order_no=order.order_no)
        if not bill.received:
            await self._bills.change(documents.receipt(order, bill.id, signed_at), order.order_no)
            now = await self._bills.outbound_bill(order.order_no)
            if now is None or not now.received:
                raise OutcomeUnknown(self.system, "the receipt was saved and is not there", order_no=order.order_no)
        return Receipt(reference=bill.number)

    async def post_return(self, request: ReturnOrder, *, look_first: bool = False) -> Receipt:
        number, order_no = request.return_no, request.order.order_no
        bill = await self._bills.return_bill(number) if look_first else None
        if bill is None:
            bill = await self._save_return(request)
        await self._bills.finish(bill, order_no)
        return Receipt(reference=bill.number)

    async def stock(self) -> StockReading:
        return await self._inventory.everything(self._clock.now())

    async def stock_changed(self, since: datetime) -> StockReading | None:
        if not self._settings.stock_changed_field:
            return None
        return await self._inventory.changed(since, self._clock.now())

    async def ask(self, order_no: str) -> Sequence[News]:
        news: list[News] = []
        if (sale := await self._bills.sale_order(order_no)) is not None:
            said = {"FDocumentStatus": sale.status, "FCloseStatus": sale.closed, "FCancelStatus": sale.cancelled}
            news += [self._bills.news(sale, field, code, order_no, self.codes) for field, code in said.items()]
        if (outbound := await self._bills.outbound_bill(order_no)) is not None:
            news.append(self._bills.news(outbound, "FDocumentStatus", outbound.status, order_no, self.codes))
            if outbound.received:
                news.append(self._bills.news(outbound, "FReceiptTime", RECEIVED, order_no, self.codes))
        return news

    # -- bills ---------------------------------------------------------------------------------------------------

    async def _save_sale_order(self, order: Order) -> SaleOrder:
        try:
            await self._bills.write_new(documents.sale_order(order, self._settings), order.order_no)
        except Refused:  # perhaps because the number is taken: then an earlier attempt got through
            known = await self._bills.sale_order(order.order_no)
            if known is None:
                raise
            return known
        return SaleOrder(id=0, number=order.order_no, status="A", cancelled="A", closed="A")

    async def _save_return(self, request: ReturnOrder) -> ReturnBill:
        number, order_no = request.return_no, request.order.order_no
        try:
            await self._bills.write_return(documents.return_bill(request, self._settings), order_no)
        except Refused:  # as with a sale order: perhaps an earlier attempt got through
            known = await self._bills.return_bill(number)
            if known is None:
                raise
            return known
        return ReturnBill(id=0, number=number, status="A", cancelled="A")

    async def _push(self, order: Order) -> OutboundBill:
        documents.check_whole_lines(order)
        return await self._pushes(order)

    async def _push_all(self, orders: Sequence[Order]) -> list[OutboundBill | OutsideError]:
        """Several in one call. Its answer names the new bills and not whose they are: the bills are asked for that."""
        if len(orders) > 1:
            body = documents.push([order.order_no for order in orders], self._settings.push_rule)
            try:
                await self._connection.write_all("Push", body)
            except OutsideError as error:
                return [error.about(order.order_no) for order in orders]
        return await asyncio.gather(*(self._pushed(order, asked=len(orders) > 1) for order in orders))

    async def _pushed(self, order: Order, *, asked: bool) -> OutboundBill | OutsideError:
        try:
            known = await self._bills.outbound_bill(order.order_no) if asked else None
            return known or await self._push_alone(order)
        except OutsideError as error:
            return error

    async def _push_alone(self, order: Order) -> OutboundBill:
        body = documents.push([order.order_no], self._settings.push_rule)
        try:
            done = await self._connection.write("Push", body, order_no=order.order_no)
        except Refused:  # pushed before, or the audit of the sale order was answered and never happened
            known = await self._bills.outbound_bill(order.order_no)
            if known is not None:
                return known
            sale = await self._bills.sale_order(order.order_no)
            if sale is not None and sale.progress == AUDITED:
                raise
            await self.reserve(order, look_first=True)
            done = await self._connection.write("Push", body, order_no=order.order_no)
        return _pushed_bill(done, order.order_no)


def _pushed_bill(done: ResponseStatus, order_no: str) -> OutboundBill:
    """The bill that Push names; it is in saved state."""
    if not done.entities or not done.entities[0].number:
        raise OutcomeUnknown(System.KINGDEE, "Push succeeded and names no bill", order_no=order_no)
    bill = done.entities[0]
    return OutboundBill(id=bill.id, number=bill.number, status="A", cancelled="A")
