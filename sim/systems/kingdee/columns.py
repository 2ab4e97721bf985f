"""The columns a query may name, per form, in lower case: field names are not case-sensitive in FieldKeys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sim.catalogue import ERP_ORG, Article
from sim.clock import local_text
from sim.stock import Level
from sim.systems.kingdee.bills import BACK, OUT, SALE, AnyBill, Entry

INVENTORY = "STK_Inventory"

Column: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class BillRow:
    bill: AnyBill
    entry: Entry | None
    trace: Mapping[str, Any]
    articles: Mapping[str, Article]


@dataclass(frozen=True, slots=True)
class StockRow:
    stock: str
    sku: str
    level: Level
    article: Article


def yes_no(value: bool) -> str:
    return "B" if value else "A"


HEAD_COLUMNS: dict[str, Column] = {
    "fid": lambda row: row.bill.id,
    "fbillno": lambda row: row.bill.number,
    "fdocumentstatus": lambda row: row.bill.status,
    "fcancelstatus": lambda row: yes_no(row.bill.cancelled),
    "fdate": lambda row: f"{row.bill.date[:10]}T00:00:00",
}
SALE_COLUMNS: dict[str, Column] = {
    "fclosestatus": lambda row: yes_no(row.bill.closed),
    "fcustid.fnumber": lambda row: row.bill.customer,
    "fsaleorgid.fnumber": lambda _: ERP_ORG,
}
OUT_COLUMNS: dict[str, Column] = {
    # The source order, spelled FSoorDerno in the vendor's tables.
    "fsoorderno": lambda row: row.bill.source.number if row.bill.source else "",
    "fstockorgid.fnumber": lambda _: ERP_ORG,
}
ENTRY_COLUMNS: dict[str, Column] = {
    "fmaterialid.fnumber": lambda row: row.entry.material,
    "fmaterialid.fname": lambda row: row.articles[row.entry.material].name,
    "fstockid.fnumber": lambda row: row.entry.stock,
    "fsostockid.fnumber": lambda row: row.entry.stock,
    "freservetype": lambda row: "1" if row.entry.reserve else "3",
    "fqty": lambda row: float(row.entry.quantity),
    "frealqty": lambda row: float(row.entry.quantity),
    "fsaleorderentry_fentryid": lambda row: row.entry.id,
    "fentity_fentryid": lambda row: row.entry.id,
}
TRACE_COLUMNS: dict[str, Column] = {
    "fcarrybillno": lambda row: row.trace.get("FCarryBillNo", ""),
    "freceipttime": lambda row: row.trace.get("FReceiptTime"),
    "fdeltime": lambda row: row.trace.get("FDelTime"),
    "ftracestatus": lambda row: row.trace.get("FTraceStatus", ""),
}
STOCK_COLUMNS: dict[str, Column] = {
    "fid": lambda row: f"{row.stock}-{row.sku}",
    "fstockorgid.fnumber": lambda _: ERP_ORG,
    "fstockid.fnumber": lambda row: row.stock,
    "fmaterialid.fnumber": lambda row: row.sku,
    "fmaterialid.fname": lambda row: row.article.name,
    "flot.fnumber": lambda _: "",
    "fbaseqty": lambda row: float(row.level.on_hand),
    "fbaseavbqty": lambda row: float(row.level.available),
    "fbaselockqty": lambda row: float(row.level.locked),
    "fqty": lambda row: float(row.level.on_hand),
    "favbqty": lambda row: float(row.level.available),
    "flockqty": lambda row: float(row.level.locked),
    "fupdatetime": lambda row: local_text(row.level.changed_at),
}
COLUMNS: dict[str, dict[str, Column]] = {
    SALE: HEAD_COLUMNS | SALE_COLUMNS | ENTRY_COLUMNS,
    OUT: HEAD_COLUMNS | OUT_COLUMNS | ENTRY_COLUMNS | TRACE_COLUMNS,
    BACK: HEAD_COLUMNS | ENTRY_COLUMNS,
    INVENTORY: STOCK_COLUMNS,
}
