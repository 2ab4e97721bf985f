"""The bills of the ERP and what may be done with them: A saved, B submitted, C audited, D opened again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

from sim.records import Order
from sim.systems.kingdee.envelope import NOT_ALLOWED, NOT_FOUND, REFUSED, Refusal
from sim.world import World

SALE, OUT, BACK = "SAL_SaleOrder", "SAL_OUTSTOCK", "SAL_RETURNSTOCK"
FIRST_ID = 100001


@dataclass(slots=True)
class Entry:
    id: int
    material: str
    quantity: int
    stock: str
    reserve: bool = False


def group_units(entries: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """Quantity per stock and material; two lines of one material count together."""
    grouped: dict[str, dict[str, int]] = {}
    for entry in entries:
        units = grouped.setdefault(entry.stock, {})
        units[entry.material] = units.get(entry.material, 0) + entry.quantity
    return grouped


@dataclass(slots=True, eq=False)
class Bill:
    id: int
    number: str
    order: Order
    date: str
    entries: list[Entry]
    status: str = "A"
    cancelled: bool = False

    @property
    def units(self) -> dict[str, dict[str, int]]:
        return group_units(self.entries)


@dataclass(slots=True, eq=False)
class SaleBill(Bill):
    customer: str = ""
    closed: bool = False
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    outstock: "list[OutBill]" = field(default_factory=list)

    @property
    def pushed(self) -> "list[OutBill]":
        return [bill for bill in self.outstock if not bill.cancelled]


@dataclass(slots=True, eq=False)
class OutBill(Bill):
    source: SaleBill | None = None
    traces: list[dict[str, Any]] = field(default_factory=list)

    def held(self, stock: str, sku: str) -> int:
        return self.source.held.get(stock, {}).get(sku, 0) if self.source else 0

    @property
    def receipt_told(self) -> bool:
        return any(trace.get("FReceiptTime") for trace in self.traces)


@dataclass(slots=True, eq=False)
class BackBill(Bill):
    """Goods that the customer gave back."""


AnyBill: TypeAlias = SaleBill | OutBill | BackBill


class Ledger:
    """All bills by number and id; every method either takes effect or raises Refusal."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = count(FIRST_ID)
        self._numbers = count(1)
        self.bills: dict[str, dict[str, AnyBill]] = {SALE: {}, OUT: {}, BACK: {}}
        self.by_id: dict[str, dict[int, AnyBill]] = {SALE: {}, OUT: {}, BACK: {}}
        self.of_order: dict[str, list[SaleBill]] = {}
        self.backs_of_order: dict[str, list[BackBill]] = {}
        self.audits: dict[str, Callable[[Any], None]] = {SALE: self._reserve, OUT: self._ship, BACK: self._take_back}

    def next_id(self) -> int:
        return next(self._ids)

    def next_number(self, form: str) -> str:
        return f"{'XSDD' if form == SALE else 'XSCKD'}{next(self._numbers):06d}"

    def file(self, form: str, bill: AnyBill) -> None:
        self.bills[form][bill.number] = bill
        self.by_id[form][bill.id] = bill
        if isinstance(bill, BackBill):
            self.backs_of_order.setdefault(bill.order.no, []).append(bill)

    def add_sale(self, bill: SaleBill) -> None:
        self.file(SALE, bill)
        others = self.of_order.setdefault(bill.order.no, [])
        self._world.tally.effect("erp_sale_order", duplicate=any(not b.cancelled and not b.closed for b in others))
        others.append(bill)

    def submit(self, form: str, bill: AnyBill) -> None:
        if bill.status not in "AD" or bill.cancelled:
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据已经提交或审核！", repeat_of=f"{form}.submit")
        bill.status = "B"
        self._world.tally.effect(f"{form}.submit")

    def audit(self, form: str, bill: AnyBill) -> None:
        if bill.status == "C":
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据已经审核！", repeat_of=f"{form}.audit")
        if bill.status != "B" or bill.cancelled:
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据未提交，不能审核")
        self.audits[form](bill)
        bill.status = "C"
        self._world.tally.effect(f"{form}.audit")

    def _reserve(self, bill: SaleBill) -> None:
        book = self._world.stocks.erp
        wanted = group_units(entry for entry in bill.entries if entry.reserve)
        short = [sku for stock, units in wanted.items() for sku in book.shortages(stock, units)]
        if short:
            raise Refusal(REFUSED, f"物料“{'、'.join(short)}”可用量不足，预留失败（STK_InvCheckResult）", "FMaterialId")
        for stock, units in wanted.items():
            book.lock(stock, units)
        bill.held = wanted
        if wanted:
            self._world.reach(bill.order, "reserved")

    def _ship(self, bill: OutBill) -> None:
        """Out of stock and out of the reservation together, for every line or for none."""
        leaving = [
            (stock, sku, quantity, min(bill.held(stock, sku), quantity))
            for stock, units in bill.units.items()
            for sku, quantity in units.items()
        ]
        levels = self._world.stocks.erp.levels
        for stock, sku, quantity, reserved in leaving:
            if levels[stock, sku].available + reserved < quantity:
                raise Refusal(REFUSED, f"物料“{sku}”即时库存不足（STK_InvCheckResult）", "FMaterialId")
        for stock, sku, quantity, reserved in leaving:
            levels[stock, sku].ship(quantity, reserved)
            if bill.source and reserved:
                bill.source.held[stock][sku] -= reserved

    def _take_back(self, bill: BackBill) -> None:
        for stock, units in bill.units.items():
            for sku, quantity in units.items():
                self._world.stocks.erp.levels[stock, sku].take_back(quantity)

    def unaudit(self, form: str, bill: AnyBill) -> None:
        if bill.status != "C":
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据未审核，不能反审核", repeat_of=f"{form}.unaudit")
        if not isinstance(bill, SaleBill) or bill.pushed:
            raise Refusal(NOT_ALLOWED, f"单据编号为“{bill.number}”的单据存在下游单据，不能反审核")
        self._release(bill)
        bill.status = "D"
        self._world.tally.effect(f"{form}.unaudit")

    def withdraw(self, form: str, bill: AnyBill) -> None:
        """撤销: back from submitted."""
        if bill.status != "B":
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据未提交，不能撤销", repeat_of=f"{form}.withdraw")
        bill.status = "D"
        self._world.tally.effect(f"{form}.withdraw")

    def _release(self, bill: SaleBill) -> None:
        for stock, units in bill.held.items():
            self._world.stocks.erp.unlock(stock, units)
        bill.held = {}

    def push(self, bill: AnyBill) -> OutBill:
        if not isinstance(bill, SaleBill) or bill.status != "C" or bill.closed:
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据未审核或已关闭，不能下推")
        if bill.pushed:
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据没有可下推的数据", repeat_of="erp_outstock")
        entries = [Entry(self.next_id(), e.material, e.quantity, e.stock) for e in bill.entries]
        number = self.next_number(OUT)
        out = OutBill(self.next_id(), number, bill.order, bill.date, entries, source=bill)
        self._world.tally.effect("erp_outstock", duplicate=self.has_outstock(bill.order.no))
        bill.outstock.append(out)
        self.file(OUT, out)
        return out

    def has_outstock(self, order_no: str) -> bool:
        return any(bill.pushed for bill in self.of_order.get(order_no, []))

    def cancel(self, form: str, bill: AnyBill) -> None:
        if bill.cancelled:
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据已经作废！", repeat_of=f"{form}.cancel")
        if bill.status == "C":
            raise Refusal(NOT_ALLOWED, f"单据编号为“{bill.number}”的单据已审核，不能作废")
        bill.cancelled = True
        self._world.tally.effect(f"{form}.cancel")

    def close(self, form: str, bill: AnyBill) -> None:
        if not isinstance(bill, SaleBill) or bill.status != "C":
            raise Refusal(NOT_ALLOWED, f"单据编号为“{bill.number}”的单据未审核，不能关闭")
        if bill.closed:
            raise Refusal(REFUSED, f"单据编号为“{bill.number}”的单据已经关闭！", repeat_of=f"{form}.close")
        self._release(bill)
        bill.closed = True
        self._world.tally.effect(f"{form}.close")

    def find(self, form: str, *, number: str = "", id: int = 0) -> AnyBill:
        found = self.bills[form].get(number) if number else self.by_id[form].get(id)
        if found is None:
            raise Refusal(NOT_FOUND, f"未找到单据“{number or id}”的数据")
        return found
