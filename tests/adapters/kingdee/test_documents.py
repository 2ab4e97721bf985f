"""Bills as the sheet shows them, prices that add up, filters that cannot be escaped from."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.erp.kingdee import documents
from adapters.errors import Refused
from ballast.ports import Line, Parcel
from tests.adapters.wire import BUSINESS, make_order
from tests.contracts.outside import settings_for

SETTINGS = settings_for("http://k3.example.com").kingdee
ORDER = make_order(warehouse="CK002")


def test_a_sale_order_carries_our_number_and_reserves_from_our_warehouse() -> None:
    data = documents.save(documents.SALE_ORDER, documents.sale_order(ORDER, SETTINGS))["data"]
    model: dict[str, Any] = data["Model"]
    assert (model["FID"], model["FBillNo"], model["FDate"]) == (0, "SO20260102001", "2026-01-02")
    assert model["FBillTypeID"] == {"FNUMBER": "XSDD01_SYS"}
    assert model["FCustId"] == {"FNumber": "C000123"}
    first = model["FSaleOrderEntry"][0]
    assert (first["FMaterialId"], first["FQty"], first["FTaxPrice"]) == ({"FNumber": "SKU-001"}, 2, 50.0)
    assert (first["FReserveType"], first["FSOStockId"]) == ("1", {"FNumber": "CK002"})
    assert first["FDeliveryDate"] == "2026-01-03"
    assert data["InterationFlags"] == ""  # a flag here would allow negative stock


def test_all_retail_orders_may_go_to_one_customer() -> None:
    one = SETTINGS.model_copy(update={"customer": "RETAIL"})
    assert documents.sale_order(ORDER, one)["FCustId"] == {"FNumber": "RETAIL"}


@given(amount=st.integers(0, 10**9), quantity=st.integers(1, 1000))
def test_price_times_quantity_is_the_amount_of_the_line(amount: int, quantity: int) -> None:
    line = Line(line_no=1, sku="SKU", name="x", quantity=quantity, unit_price=0, amount=amount)
    price = Decimal(str(documents.piece_price(line, "CNY")))
    assert (price * quantity).quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(amount) / 100


def test_tracking_names_carrier_waybill_and_day() -> None:
    model = documents.tracking([Parcel(carrier="SF", waybill="SF1", items={})], 7, BUSINESS)
    assert model == {
        "FID": 7,
        "FOutStockTrace": [{"FLogComId": {"FCODE": "SF"}, "FCarryBillNo": "SF1", "FDelTime": "2026-03-04"}],
    }


def test_push_never_leaves_a_draft() -> None:
    data = documents.push(["SO1"], "SaleOrder-OutStock")["data"]
    assert (data["Numbers"], data["RuleId"], data["TargetFormId"]) == (["SO1"], "SaleOrder-OutStock", "SAL_OUTSTOCK")
    assert data["IsDraftWhenSaveFail"] == "false"


def test_quotes_in_a_filter_are_doubled() -> None:
    data = documents.query("F", ("A", "B"), {"FBillNo": ["x' or '1'='1"], "FOrg": ["1"]})["data"]
    assert data["FieldKeys"] == "A,B"
    assert data["FilterString"] == "FBillNo='x'' or ''1''=''1' and FOrg='1'"


@pytest.mark.parametrize("evil", ["a\x00b", "a\nb", "a\x7fb"])
def test_control_characters_in_a_filter_are_refused(evil: str) -> None:
    with pytest.raises(Refused):
        documents.query("F", ("A",), {"FBillNo": [evil]})


LEFT = [
    Parcel(carrier="SF", waybill="1", items={"SKU-001": 2}),
    Parcel(carrier="SF", waybill="2", items={"SKU-002": 1}),
]


def test_whole_lines_in_any_number_of_parcels_are_fine() -> None:
    documents.check_whole_lines(make_order(*LEFT))
    documents.check_whole_lines(make_order())


def test_a_warehouse_that_does_not_say_what_is_inside_is_believed() -> None:
    documents.check_whole_lines(make_order(LEFT[0], replace(LEFT[1], items={})))


@pytest.mark.parametrize("items", [{"SKU-001": 2}, {"SKU-001": 2, "SKU-002": 2}, {"SKU-001": 2, "SKU-009": 1}])
def test_anything_else_is_a_persons_task(items: dict[str, int]) -> None:
    with pytest.raises(Refused, match="by hand"):
        documents.check_whole_lines(make_order(Parcel(carrier="SF", waybill="1", items=items)))


def test_several_bills_are_asked_for_by_one_filter() -> None:
    data = documents.query("F", ("A",), {"FBillNo": ["SO1", "S'O2"]})["data"]
    assert data["FilterString"] == "FBillNo in ('SO1','S''O2')"


def test_a_batch_keeps_lines_that_it_does_not_name() -> None:
    body = documents.batch_save("SAL_OUTSTOCK", [{"FID": 1}, {"FID": 2}])
    assert (body["data"]["Model"], body["data"]["IsDeleteEntry"]) == ([{"FID": 1}, {"FID": 2}], "false")
