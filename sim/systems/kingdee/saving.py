"""Save: a new bill from a model, or a change to a bill that exists (FID above 0)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.catalogue import DEFAULT_STOCK, ERP_ORG, WAREHOUSE_OF_STOCK
from sim.systems.kingdee.bills import BACK, OUT, SALE, BackBill, Bill, Entry, Ledger, OutBill, SaleBill
from sim.systems.kingdee.envelope import BAD_PARAMETER, NO_SUCH_VALUE, NOT_ALLOWED, REFUSED, Refusal
from sim.world import World

HEAD_FIELDS = ("FBillTypeID", "FDate", "FSaleOrgId", "FCustId", "FSalerId")
ENTRY_FIELDS = ("FMaterialId", "FUnitID", "FQty", "FDeliveryDate", "FSettleOrgIds", "FReserveType")
BACK_HEAD = ("FBillTypeID", "FDate", "FSaleOrgId", "FStockOrgId", "FRetcustId")
BACK_ENTRY = ("FMaterialId", "FUnitID", "FRealQty", "FStockId", "FReturnType")
STOCK_FIELDS = ("FSOStockId", "FStockId")


def get(model: Mapping[str, Any], name: str) -> Any:
    """Field names are read without regard to case, as K3 does."""
    if name in model:
        return model[name]
    wanted = name.lower()
    return next((value for key, value in model.items() if key.lower() == wanted), None)


def get_number(model: Mapping[str, Any], name: str) -> str:
    """The number inside a base data field, `{"FNumber": "100"}`; empty when it is missing."""
    value = get(model, name)
    return str(get(value, "FNumber") or "") if isinstance(value, Mapping) else ""


def rows(model: Mapping[str, Any], name: str) -> list[Mapping[str, Any]] | None:
    value = get(model, name)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, Sequence) else None


def require(model: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if get(model, name) in (None, "", {}):
            raise Refusal(REFUSED, f"字段“{name}”是必填项", name)


class Desk:
    """Where models become bills."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger

    def save(self, form: str, data: Mapping[str, Any]) -> Bill:
        model = get(data, "Model")
        if not isinstance(model, Mapping):
            raise Refusal(BAD_PARAMETER, "参数 Model 不能为空", "Model")
        number = int(get(model, "FID") or 0)
        if number > 0:
            return self._modify(form, data, model, number)
        if form == BACK:
            return self._save_back(model)
        if form != SALE:
            raise Refusal(REFUSED, "销售出库单请由销售订单下推生成", "FBillNo")
        return self._save_sale(model)

    def _save_sale(self, model: Mapping[str, Any]) -> SaleBill:
        number = str(get(model, "FBillNo") or "")
        if number in self._ledger.bills[SALE]:
            message = f"违反字段唯一性要求：编码唯一。[{number}]在当前系统中已经被使用。"
            raise Refusal(REFUSED, message, "FBillNo", repeat_of="erp_sale_order")
        require(model, HEAD_FIELDS)
        require(get(model, "FSaleOrderFinance") or {}, ("FSettleCurrId",))
        if get_number(model, "FSaleOrgId") != ERP_ORG:
            raise Refusal(NO_SUCH_VALUE, f"组织“{get_number(model, 'FSaleOrgId')}”不存在", "FSaleOrgId")
        entries = [self._read_entry(row) for row in rows(model, "FSaleOrderEntry") or []]
        if not entries:
            raise Refusal(REFUSED, "单据体“订单明细”至少需要一行", "FSaleOrderEntry")
        number = number or self._ledger.next_number(SALE)
        order = self._world.adopt(number)
        customer = get_number(model, "FCustId")
        bill = SaleBill(self._ledger.next_id(), number, order, str(get(model, "FDate")), entries, customer=customer)
        self._ledger.add_sale(bill)
        return bill

    def _save_back(self, model: Mapping[str, Any]) -> BackBill:
        number = str(get(model, "FBillNo") or "") or self._ledger.next_number(BACK)
        if number in self._ledger.bills[BACK]:
            message = f"违反字段唯一性要求：编码唯一。[{number}]在当前系统中已经被使用。"
            raise Refusal(REFUSED, message, "FBillNo", repeat_of="erp_return")
        require(model, BACK_HEAD)
        entries = [self._read_back(row) for row in rows(model, "FEntity") or []]
        if not entries:
            raise Refusal(REFUSED, "单据体“明细信息”至少需要一行", "FEntity")
        source = str(get((rows(model, "FEntity") or [{}])[0], "FSoorDerno") or number)
        bill = BackBill(self._ledger.next_id(), number, self._world.adopt(source), str(get(model, "FDate")), entries)
        self._ledger.file(BACK, bill)
        self._world.tally.effect("erp_return")
        return bill

    def _read_back(self, row: Mapping[str, Any]) -> Entry:
        require(row, BACK_ENTRY)
        material, stock = get_number(row, "FMaterialId"), get_number(row, "FStockId")
        if material not in self._world.stocks.articles:
            raise Refusal(NO_SUCH_VALUE, f"物料“{material}”不存在", "FMaterialId")
        if stock not in WAREHOUSE_OF_STOCK:
            raise Refusal(NO_SUCH_VALUE, f"仓库“{stock}”不存在", "FStockId")
        quantity = int(get(row, "FRealQty"))
        if quantity <= 0:
            raise Refusal(REFUSED, "实退数量必须大于零", "FRealQty")
        return Entry(self._ledger.next_id(), material, quantity, stock)

    def _read_entry(self, row: Mapping[str, Any]) -> Entry:
        require(row, ENTRY_FIELDS)
        material = get_number(row, "FMaterialId")
        if material not in self._world.stocks.articles:
            raise Refusal(NO_SUCH_VALUE, f"物料“{material}”不存在", "FMaterialId")
        stock = next((found for name in STOCK_FIELDS if (found := get_number(row, name))), DEFAULT_STOCK)
        if stock not in WAREHOUSE_OF_STOCK:
            raise Refusal(NO_SUCH_VALUE, f"仓库“{stock}”不存在", "FStockId")
        quantity = int(get(row, "FQty"))
        if quantity <= 0:
            raise Refusal(REFUSED, "销售数量必须大于零", "FQty")
        return Entry(self._ledger.next_id(), material, quantity, stock, str(get(row, "FReserveType")) == "1")

    def _modify(self, form: str, data: Mapping[str, Any], model: Mapping[str, Any], id: int) -> Bill:
        bill = self._ledger.find(form, id=id)
        traces = rows(model, "FOutStockTrace")
        if form == OUT and isinstance(bill, OutBill) and traces is not None:
            # The vendor's default: rows that are not sent are deleted.
            keep = str(get(data, "IsDeleteEntry")).lower() == "false"
            bill.traces = merge_traces(bill.traces if keep else [], traces)
            self._world.tally.effect("erp_trace")
        entries = rows(model, "FSaleOrderEntry")
        if form == SALE and entries is not None:
            self._replace_entries(bill, data, entries)
        return bill

    def _replace_entries(self, bill: Bill, data: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
        """Only of a bill that is open; entries that are not sent are deleted unless the caller says no."""
        if bill.status not in "AZD" or bill.cancelled:
            raise Refusal(NOT_ALLOWED, f"单据编号为“{bill.number}”的单据已提交或审核，不能修改")
        keep = str(get(data, "IsDeleteEntry")).lower() == "false"
        bill.entries = [*(bill.entries if keep else []), *(self._read_entry(row) for row in entries)]
        self._world.tally.effect("erp_sale_order_change")


def merge_traces(old: list[dict[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows are told apart by their waybill; a sent field overwrites, a field that is not sent stays."""
    merged = {row.get("FCarryBillNo", ""): dict(row) for row in old}
    for row in new:
        merged.setdefault(row.get("FCarryBillNo", ""), {}).update(row)
    return list(merged.values())
