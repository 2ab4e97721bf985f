"""The two bills: their heads as ExecuteBillQuery tells them, and the walk from saved to audited."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, Literal, Self, TypeVar

from pydantic import Field

from adapters.erp.kingdee import documents
from adapters.erp.kingdee.connection import Connection, Operation, columns_of
from adapters.erp.kingdee.documents import OUTBOUND, RETURN, SALE_ORDER, SOURCE_ORDER_FIELD
from adapters.erp.kingdee.status import AUDITED, CANCELLED, CODES, NOT_FOUND, PROGRESS, SUBMITTED
from adapters.erp.kingdee.writes import Writes
from adapters.errors import OutcomeUnknown, OutOfStock, OutsideError, Refused
from adapters.meanings import meaning_of
from adapters.replies import Reply, read_reply
from adapters.together import Together
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import Codes, News


class Bill(Reply):
    """What both have. The aliases are the FieldKeys; `found_by` is the field that holds our order number."""

    form: ClassVar[str]
    found_by: ClassVar[str]

    id: int | str = Field(alias="FID")
    number: str = Field(alias="FBillNo")
    status: str = Field(alias="FDocumentStatus")
    cancelled: str = Field(alias="FCancelStatus")

    @property
    def progress(self) -> int:
        """Comparable: see `status.PROGRESS`."""
        return PROGRESS[self.status]

    def joined(self, rows: Sequence[Self]) -> Self:
        """One bill out of all rows that the query returned for it."""
        return self


class SaleOrder(Bill):
    form = SALE_ORDER
    found_by = "FBillNo"

    closed: str = Field(alias="FCloseStatus")


class OutboundBill(Bill):
    form = OUTBOUND
    found_by = SOURCE_ORDER_FIELD

    source: str | None = Field(None, alias=SOURCE_ORDER_FIELD)
    waybill: str | None = Field(None, alias="FCarryBillNo")  # a bill comes once per tracking row
    received_at: str | None = Field(None, alias="FReceiptTime")
    waybills: frozenset[str] = frozenset()  # of all its rows
    received: bool = False  # on all its rows

    def joined(self, rows: Sequence[Self]) -> Self:
        tracked = [row for row in rows if row.waybill]
        received = bool(tracked) and all(row.received_at for row in tracked)
        return self.model_copy(update={"waybills": frozenset(row.waybill for row in tracked), "received": received})


class ReturnBill(Bill):
    """Under our own number, like a sale order. Its state is no news of the order."""

    form = RETURN
    found_by = "FBillNo"

    status: Literal["Z", "A", "B", "C", "D"] = Field(alias="FDocumentStatus")


STEPS: Final[tuple[tuple[Operation, str], ...]] = (("Submit", "B"), ("Audit", "C"))

BACK_FROM: Final[Mapping[Operation, int]] = {"UnAudit": AUDITED, "CancelAssign": SUBMITTED}
"""A step back, and from where it leads: a bill that is not so far any more has made it."""

FOUND_PER_QUERY: Final = 100
"""Bills that one query looks for: reading locks nothing there. Far below the rows that an answer may have."""

B = TypeVar("B", bound=Bill)


class Bills:
    """Finds the bills of an order and brings them on. Every write about an existing bill goes through here."""

    def __init__(self, connection: Connection, clock: Clock, *, per_call: int) -> None:
        self._connection, self._clock = connection, clock
        self._writes = Writes(connection, most=per_call)
        per_query = FOUND_PER_QUERY if per_call > 1 else 1
        self._sale_orders = Together(partial(self._find_all, SaleOrder), most=per_query)
        self._outbound_bills = Together(partial(self._find_all, OutboundBill), most=per_query)
        self._return_bills = Together(partial(self._find_all, ReturnBill), most=per_query)

    async def close(self) -> None:
        found = (self._sale_orders, self._outbound_bills, self._return_bills)
        await asyncio.gather(self._writes.close(), *(together.close() for together in found))

    async def sale_order(self, order_no: str) -> SaleOrder | None:
        """The order's sale order, if there is one."""
        documents.quoted(order_no)  # refuse it before others go along
        return await self._sale_orders(order_no)

    async def outbound_bill(self, order_no: str) -> OutboundBill | None:
        """The order's outbound bill. A cancelled one does not count: another may have been pushed."""
        documents.quoted(order_no)
        return await self._outbound_bills(order_no)

    async def return_bill(self, number: str) -> ReturnBill | None:
        """The return bill with this number. One that was cancelled there is found, too: its number is taken."""
        documents.quoted(number)
        return await self._return_bills(number)

    async def _find_all(self, kind: type[B], order_nos: Sequence[str]) -> list[B | OutsideError | None]:
        """The bills of several orders by one query; each order's own answer or error."""
        wanted = {kind.found_by: list(dict.fromkeys(order_nos))}
        try:
            rows = await self._connection.query(kind.form, columns_of(kind), wanted)
        except OutsideError as error:
            return [error.about(order_no) for order_no in order_nos]
        of_order: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            of_order[str(row[kind.found_by])].append(row)
        return [self._read(kind, of_order[order_no], order_no) for order_no in order_nos]

    def _read(self, kind: type[B], rows: Sequence[Mapping[str, Any]], order_no: str) -> B | OutsideError | None:
        try:
            bills = [read_reply(kind, row, System.KINGDEE, order_no=order_no) for row in rows]
            for bill in bills:
                if kind is not ReturnBill:
                    self.news(bill, "FDocumentStatus", bill.status, order_no)  # an unknown state is never guessed
        except OutsideError as error:
            return error
        live = [bill for bill in bills if kind is not OutboundBill or bill.cancelled != CANCELLED]
        return live[0].joined([bill for bill in live if bill.id == live[0].id]) if live else None

    async def finish(self, bill: Bill, order_no: str) -> None:
        """Submit and audit from where the bill stands."""
        if bill.cancelled == CANCELLED:
            what = f"{bill.form} {bill.number} was cancelled (作废) there; undo that in the ERP, then rerun"
            raise Refused(System.KINGDEE, what, order_no=order_no)
        todo = [(operation, reached) for operation, reached in STEPS if bill.progress < PROGRESS[reached]]
        for operation, reached in todo:
            bill = await self._advance(bill, operation, reached, order_no)
        if todo:
            await self._see_audited(bill, order_no)

    async def _see_audited(self, bill: Bill, order_no: str) -> None:
        """The last audit is believed when the bill says so: nothing comes after it that would show a false yes."""
        now = await self._find(bill, order_no)
        if now is None or now.progress < AUDITED:
            what = f"{bill.form} {bill.number} was audited by its answer and is not"
            raise OutcomeUnknown(System.KINGDEE, what, order_no=order_no)

    async def _find(self, bill: Bill, order_no: str) -> Bill | None:
        if isinstance(bill, ReturnBill):
            return await self.return_bill(bill.number)
        return await (self.sale_order if isinstance(bill, SaleOrder) else self.outbound_bill)(order_no)

    async def take_back(self, bill: SaleOrder, order_no: str) -> None:
        """Open an audited bill again, which ends its reservation, and void it. Raises `Refused` once goods left."""
        if bill.cancelled == CANCELLED:
            return
        if bill.status == "C":
            await self.retreat("UnAudit", bill, order_no)
        await self.retreat("ExcuteOperation", bill, order_no)
        now = await self.sale_order(order_no)
        if now is not None and now.cancelled != CANCELLED:
            raise OutcomeUnknown(System.KINGDEE, "the sale order was voided and stands as before", order_no=order_no)

    async def retreat(self, operation: Operation, bill: SaleOrder, order_no: str) -> None:
        """One step back. As in `_advance` a refusal may only mean that it is done, or that the step before was not."""
        try:
            await self._writes.operate(operation, SALE_ORDER, bill.number, order_no)
        except Refused as no:
            now = await self.sale_order(order_no)
            if now is None or now.cancelled == CANCELLED or now.progress < BACK_FROM.get(operation, 0):
                return
            if operation == "ExcuteOperation" and now.progress == AUDITED:
                what = f"the sale order was opened again by its answer and is not ({no.what})"
                raise OutcomeUnknown(System.KINGDEE, what, order_no=order_no, code=no.code) from no
            raise

    async def _advance(self, bill: Bill, operation: Operation, reached: str, order_no: str) -> Bill:
        """One step. A refusal may only mean that it is done ("已经审核"): the bill itself decides, not the words."""
        try:
            await self._of_known_bill(operation, self._writes.operate(operation, bill.form, bill.number, order_no))
        except OutOfStock:
            raise
        except Refused as no:
            now = await self._find(bill, order_no)
            if now is not None and now.progress >= PROGRESS[reached]:
                return now
            if now is None or now.progress < PROGRESS[reached] - 1:
                what = f"the step before {operation} was answered and did not happen ({no.what})"
                raise OutcomeUnknown(System.KINGDEE, what, order_no=order_no, code=no.code) from no
            raise
        return bill.model_copy(update={"status": reached})

    async def write_new(self, model: Mapping[str, Any], order_no: str) -> None:
        """Save a new sale order."""
        await self._writes.save(SALE_ORDER, model, order_no)

    async def write_return(self, model: Mapping[str, Any], order_no: str) -> None:
        """Save a new return bill."""
        await self._writes.save(RETURN, model, order_no)

    async def take_over(self, model: Mapping[str, Any], order_no: str) -> None:
        """Save over a draft of the sale order."""
        await self._of_known_bill("Save", self._writes.take_over(SALE_ORDER, model, order_no))

    async def change(self, model: Mapping[str, Any], order_no: str) -> None:
        """Save a change of an outbound bill that was there a moment ago."""
        await self._of_known_bill("Save", self._writes.save(OUTBOUND, model, order_no))

    async def _of_known_bill(self, operation: Operation, write: Awaitable[None]) -> None:
        """A call about a bill that was there a moment ago: "not found" means that an answered write never happened."""
        try:
            await write
        except Refused as no:
            if no.code != str(NOT_FOUND):
                raise
            what = f"{operation} does not find the bill that was just written ({no.what})"
            raise OutcomeUnknown(System.KINGDEE, what, order_no=no.order_no, code=no.code) from no

    def news(self, bill: Bill, field: str, said: str, order_no: str, codes: Codes = CODES) -> News:
        """One field of a bill as news. Raises `UnknownCode`."""
        name = f"{bill.form}.{field}"
        meaning = meaning_of(codes, System.KINGDEE, name, said, order_no=order_no)
        return News(
            system=System.KINGDEE,
            order_no=order_no,
            happened_at=self._clock.now(),
            field=name,
            said=said,
            event=meaning.event,
            reason=meaning.reason,
            state=meaning.state,
            text=bill.number,
        )
