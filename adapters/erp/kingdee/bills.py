"""The two bills: their heads as ExecuteBillQuery tells them, and the walk from saved to audited."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self, TypeVar

from pydantic import Field

from adapters.erp.kingdee import documents
from adapters.erp.kingdee.connection import Connection, Operation, columns_of
from adapters.erp.kingdee.documents import OUTBOUND, SALE_ORDER, SOURCE_ORDER_FIELD
from adapters.erp.kingdee.status import CANCELLED, CODES, NOT_FOUND, PROGRESS
from adapters.errors import OutcomeUnknown, OutOfStock, Refused
from adapters.meanings import meaning_of
from adapters.replies import Reply, read_reply
from ballast.clock import Clock
from ballast.domain.words import System
from ballast.ports import News


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

    waybill: str | None = Field(None, alias="FCarryBillNo")  # a bill comes once per tracking row
    waybills: frozenset[str] = frozenset()  # of all its rows

    def joined(self, rows: Sequence[Self]) -> Self:
        return self.model_copy(update={"waybills": frozenset(row.waybill for row in rows if row.waybill)})


STEPS: Final[tuple[tuple[Operation, str], ...]] = (("Submit", "B"), ("Audit", "C"))

B = TypeVar("B", bound=Bill)


class Bills:
    """Finds the bills of an order and brings them on. Every write about an existing bill goes through here."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection, self._clock = connection, clock

    async def find(self, kind: type[B], order_no: str) -> B | None:
        """The order's bill of this kind. A cancelled outbound bill does not count: another may have been pushed."""
        rows = await self._connection.query(kind.form, columns_of(kind), {kind.found_by: order_no}, order_no=order_no)
        bills = [read_reply(kind, row, System.KINGDEE, order_no=order_no) for row in rows]
        for bill in bills:
            self.news(bill, "FDocumentStatus", bill.status, order_no)  # an unknown state is never guessed
        live = [bill for bill in bills if kind is SaleOrder or bill.cancelled != CANCELLED]
        return live[0].joined([bill for bill in live if bill.id == live[0].id]) if live else None

    async def finish(self, bill: Bill, order_no: str) -> None:
        """Submit and audit from where the bill stands."""
        if bill.cancelled == CANCELLED:
            what = f"{bill.form} {bill.number} was cancelled (作废) there; undo that in the ERP, then rerun"
            raise Refused(System.KINGDEE, what, order_no=order_no)
        for operation, reached in STEPS:
            if bill.progress < PROGRESS[reached]:
                bill = await self._advance(bill, operation, reached, order_no)

    async def _advance(self, bill: Bill, operation: Operation, reached: str, order_no: str) -> Bill:
        """One step. A refusal may only mean that it is done ("已经审核"): the bill itself decides, not the words."""
        try:
            await self.write(operation, documents.operation(bill.form, bill.number), order_no)
        except OutOfStock:
            raise
        except Refused as no:
            now = await self.find(type(bill), order_no)
            if now is not None and now.progress >= PROGRESS[reached]:
                return now
            if now is None or now.progress < PROGRESS[reached] - 1:
                what = f"the step before {operation} was answered and did not happen ({no.what})"
                raise OutcomeUnknown(System.KINGDEE, what, order_no=order_no, code=no.code) from no
            raise
        return bill.model_copy(update={"status": reached})

    async def write(self, operation: Operation, body: Mapping[str, Any], order_no: str) -> None:
        """A call about a bill that was there a moment ago: "not found" means that an answered write never happened."""
        try:
            await self._connection.write(operation, body, order_no=order_no)
        except Refused as no:
            if no.code != str(NOT_FOUND):
                raise
            what = f"{operation} does not find the bill that was just written ({no.what})"
            raise OutcomeUnknown(System.KINGDEE, what, order_no=order_no, code=no.code) from no

    def news(self, bill: Bill, field: str, said: str, order_no: str) -> News:
        """One field of a bill as news. Raises `UnknownCode`."""
        name = f"{bill.form}.{field}"
        meaning = meaning_of(CODES, System.KINGDEE, name, said, order_no=order_no)
        return News(
            system=System.KINGDEE,
            order_no=order_no,
            happened_at=self._clock.now(),
            field=name,
            said=said,
            event=meaning.event,
            reason=meaning.reason,
            text=bill.number,
        )
