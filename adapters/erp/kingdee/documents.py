"""Bills as 金蝶云星空 wants them: the named body style. Sheet kingdee.md, 4. Preset codes come from the settings."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from adapters.errors import Refused
from ballast.clock import SHANGHAI, to_local
from ballast.domain.money import Money
from ballast.domain.words import System
from ballast.ports import Line, Order, Parcel, ReturnOrder, Source
from ballast.settings import KingdeeSettings

SALE_ORDER: Final = "SAL_SaleOrder"
OUTBOUND: Final = "SAL_OUTSTOCK"
RETURN: Final = "SAL_RETURNSTOCK"
INVENTORY: Final = "STK_Inventory"

SOURCE_ORDER_FIELD: Final = "FSoorDerno"
"""[M] SAL_OUTSTOCK: number of the sale order that it was pushed from."""

TAX_RATE: Final = 13
DELIVER_WITHIN: Final = timedelta(days=1)
RETURN_TYPE: Final = "THLX01_SYS"
"""[M] 退货: goods and money, no replacement."""
RESERVE: Final = "1"
NO_RESERVE: Final = "3"
"""FReserveType: the audited sale order reserves its stock, or (weakly, [M] 弱预留) takes none: nothing is there yet."""

_SAVING: Final = {
    "NeedUpDateFields": [],
    "NeedReturnFields": ["FBillNo"],
    "IsVerifyBaseDataField": "true",
    "NumberSearch": "true",
    "InterationFlags": "",
}

NOTHING: Final[Mapping[str, datetime]] = {}

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def sale_order(order: Order, settings: KingdeeSettings, *, fid: int | str = 0) -> dict[str, Any]:
    """Model of a sale order under our own number. The key order is the vendor's: fields link to earlier ones."""
    placed = order.placed_at.astimezone(SHANGHAI)
    return {
        "FID": fid,
        "FBillTypeID": {"FNUMBER": settings.bill_type},
        "FBillNo": order.order_no,
        "FDate": placed.date().isoformat(),
        "FSaleOrgId": _code(settings.org_num),
        "FCustId": _code(settings.customer or order.customer_no),
        "FSalerId": _code(settings.salesman),
        "FSaleOrderFinance": {"FSettleCurrId": _code(settings.currency)},
        "FSaleOrderEntry": [
            _entry(line, source, order, settings, (placed + DELIVER_WITHIN).date().isoformat())
            for line, source in sourced_lines(order)
        ],
    }


def tracking(parcels: Sequence[Parcel], fid: int | str, at: datetime) -> dict[str, Any]:
    """Model of the waybills, all at once; rows that are there already stay."""
    rows = [
        {
            "FLogComId": {"FCODE": parcel.carrier},
            "FCarryBillNo": parcel.waybill,
            "FDelTime": at.astimezone(SHANGHAI).date().isoformat(),
        }
        for parcel in parcels
    ]
    return {"FID": fid, "FOutStockTrace": rows}


def receipt(order: Order, fid: int | str, signed_at: datetime) -> dict[str, Any]:
    """Model of the time when the customer got the goods, on every waybill."""
    rows = [
        {"FCarryBillNo": parcel.waybill, "FReceiptTime": to_local(signed_at), "FTraceStatus": "签收"}
        for parcel in order.parcels
    ]
    return {"FID": fid, "FOutStockTrace": rows}


def return_bill(request: ReturnOrder, settings: KingdeeSettings) -> dict[str, Any]:
    """Model of the return bill (销售退货单) of the good pieces, under our number. [M]: fields of the preset form."""
    order, unit = request.order, _code(settings.unit)
    return {
        "FID": 0,
        "FBillTypeID": {"FNUMBER": settings.return_bill_type},
        "FBillNo": request.return_no,
        "FDate": request.at.astimezone(SHANGHAI).date().isoformat(),
        "FSaleOrgId": _code(settings.org_num),
        "FStockOrgId": _code(settings.org_num),
        "FRetcustId": _code(settings.customer or order.customer_no),
        "SubHeadEntity": {"FSettleCurrId": _code(settings.currency)},
        "FEntity": [
            {
                "FMaterialId": _code(one.line.sku),
                "FUnitID": unit,
                "FRealQty": one.good,
                "FTaxPrice": piece_price(one.line, order.total.currency),
                "FEntryTaxRate": TAX_RATE,
                "FStockId": _code(order.warehouse),
                "FReturnType": _code(RETURN_TYPE),
                SOURCE_ORDER_FIELD: order.order_no,
            }
            for one in request.lines
            if one.good
        ],
    }


def save(form: str, model: Mapping[str, Any], *, delete_entries: bool = False) -> dict[str, Any]:
    """Save of one model. `delete_entries`: lines that the model does not name go (the vendor's own default)."""
    return {"formid": form, "data": {**_SAVING, "IsDeleteEntry": str(delete_entries).lower(), "Model": model}}


def batch_save(form: str, models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """BatchSave [M]: the models in an array, each saved or refused by itself; DIndex and the entities tell which."""
    return {"formid": form, "data": {**_SAVING, "IsDeleteEntry": "false", "Model": list(models), "BatchCount": 1}}


def operation(form: str, numbers: Sequence[str]) -> dict[str, Any]:
    """Submit, Audit and UnAudit, each bill by itself."""
    return {"formid": form, "data": {"CreateOrgId": 0, "Numbers": list(numbers), "Ids": "", "NetworkCtrl": ""}}


def status_operation(form: str, name: str, numbers: Sequence[str]) -> dict[str, Any]:
    """ExcuteOperation (spelled so): one of the vendor's status operations, such as Cancel (作废)."""
    return {"opNumber": name, **operation(form, numbers)}


def push(order_nos: Sequence[str], rule: str) -> dict[str, Any]:
    """下推: sale orders become outbound bills in saved state; never un-numbered drafts."""
    data = {
        "Ids": "",
        "Numbers": list(order_nos),
        "EntryIds": "",
        "RuleId": rule,
        "TargetBillTypeId": "",
        "TargetOrgId": 0,
        "TargetFormId": OUTBOUND,
        "IsEnableDefaultRule": "false",
        "IsDraftWhenSaveFail": "false",
        "CustomParams": {},
    }
    return {"formid": SALE_ORDER, "data": data}


def check_whole_lines(order: Order) -> None:
    """Push writes whole lines. What left in another quantity is written by a person, or the books would lie."""
    if not all(parcel.items for parcel in order.parcels):
        return  # the warehouse does not say
    shipped = sum((Counter(parcel.items) for parcel in order.parcels), Counter[str]())
    ordered = Counter[str]()
    for line in order.lines:
        ordered[line.sku] += line.quantity
    wrong = [f"{sku}: ordered {ordered[sku]}, shipped {shipped[sku]}"
             for sku in sorted({*ordered, *shipped}) if order.parcels and ordered[sku] != shipped[sku]]  # fmt: skip
    if wrong:
        what = f"{'; '.join(wrong)}; write the outbound bill in the ERP by hand and audit it, then rerun"
        raise Refused(System.KINGDEE, what, order_no=order.order_no)


def query(
    form: str,
    columns: Sequence[str],
    where: Mapping[str, Collection[str]],
    *,
    start: int = 0,
    limit: int = 0,
    since: Mapping[str, datetime] = NOTHING,
) -> dict[str, Any]:
    """ExecuteBillQuery. `where`: the values that each field may have, at least one; `since`: the earliest ones."""
    tests = [_one_of(field, values) for field, values in where.items()]
    tests += [f"{field}>='{to_local(at)}'" for field, at in since.items()]
    data = {
        "FormId": form,
        "FieldKeys": ",".join(columns),
        "FilterString": " and ".join(tests),
        "OrderString": "FID ASC",
        "TopRowCount": 0,
        "StartRow": start,
        "Limit": limit,
    }
    return {"data": data}


def _one_of(field: str, values: Collection[str]) -> str:
    texts = [f"'{quoted(value)}'" for value in values]
    return f"{field}={texts[0]}" if len(texts) == 1 else f"{field} in ({','.join(texts)})"


def quoted(value: str) -> str:
    """FilterString is SQL-like text: quotes are doubled, control characters refused."""
    if CONTROL.search(value):
        raise Refused(System.KINGDEE, f"{value!r} holds a control character and cannot be asked for")
    return value.replace("'", "''")


def sourced_lines(order: Order) -> list[tuple[Line, Source]]:
    """One entry for each line and the warehouse that it comes from."""
    if not order.sources:
        return [(line, Source(line.line_no, order.warehouse, line.quantity)) for line in order.lines]
    return [(line, source) for line in order.lines for source in order.sources if source.line_no == line.line_no]


def _entry(line: Line, source: Source, order: Order, settings: KingdeeSettings, deliver: str) -> dict[str, Any]:
    unit = _code(settings.unit)
    return {
        "FMaterialId": _code(line.sku),
        "FUnitID": unit,
        "FQty": source.pieces,
        "FPriceUnitId": unit,
        "FTaxPrice": piece_price(line, order.total.currency),
        "FEntryTaxRate": TAX_RATE,
        "FDeliveryDate": deliver,
        "FSettleOrgIds": _code(settings.org_num),
        "FReserveType": RESERVE if source.warehouse else NO_RESERVE,
        "FStockUnitID": unit,
        "FOUTLMTUNIT": "SAL",
        "FSOStockId": _code(source.warehouse or order.warehouse),
    }


def piece_price(line: Line, currency: str) -> float:
    """What one piece cost the customer, tax included; six decimals, so that price x quantity rounds to the amount."""
    whole = Decimal(Money(line.amount, currency).major())
    return float(round(whole / line.quantity, 6))


def _code(number: str) -> dict[str, str]:
    return {"FNumber": number}
