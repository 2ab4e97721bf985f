"""The ERP's rules: life of a bill, reservation, push, query, refusals."""

from typing import Any

import pytest

from tests.sim.conftest import Stage
from tests.sim.seller import sale_order

SALE, OUT = "SAL_SaleOrder", "SAL_OUTSTOCK"
INVENTORY = "FMaterialId.FNumber,FStockId.FNumber,FBaseQty,FBaseAVBQty,FBaseLockQty"


def lines(*units: tuple[str, int]) -> dict[str, Any]:
    return {"lines": [{"sku": sku, "quantity": quantity, "unit_price": 100} for sku, quantity in units]}


async def save(stage: Stage, no: str, *units: tuple[str, int], **changes: Any) -> Any:
    model = sale_order({"order_no": no, **lines(*units)}, 1767600000) | changes
    answer = await stage.call.kingdee("Save", {"formid": SALE, "data": {"Model": model}})
    return answer["Result"]["ResponseStatus"]


async def act(stage: Stage, operation: str, *numbers: str, form: str = SALE, **more: Any) -> Any:
    data = {"Numbers": list(numbers), "Ids": "", **more.pop("data", {})}
    answer = await stage.call.kingdee(operation, {"formid": form, "data": data, **more})
    return answer["Result"]["ResponseStatus"]


async def reserve(stage: Stage, no: str, *units: tuple[str, int]) -> Any:
    await save(stage, no, *units)
    await act(stage, "Submit", no)
    return await act(stage, "Audit", no)


async def push(stage: Stage, no: str) -> Any:
    return await act(stage, "Push", no, data={"RuleId": "SaleOrder-OutStock", "TargetFormId": OUT})


async def stock(stage: Stage, sku: str) -> list[Any]:
    condition = f"FStockOrgId.FNumber='100' and FMaterialId.FNumber='{sku}' and FStockId.FNumber = 'CK001'"
    return list((await stage.call.kingdee_query("STK_Inventory", INVENTORY, condition))[0])


async def test_reservation_follows_audit_and_outstock_lowers_both(stage: Stage) -> None:
    await stage.call.world("stock", {"sku": "SKU-001", "quantity": 10, "warehouse": "WH01"})
    assert (await reserve(stage, "A1", ("SKU-001", 3), ("SKU-001", 1)))["IsSuccess"] is True
    assert await stock(stage, "SKU-001") == ["SKU-001", "CK001", 10.0, 6.0, 4.0]
    number = (await push(stage, "A1"))["SuccessEntitys"][0]["Number"]
    assert number.startswith("XSCKD")
    assert (await act(stage, "Audit", number, form=OUT))["IsSuccess"] is False  # not submitted yet
    await act(stage, "Submit", number, form=OUT)
    await act(stage, "Audit", number, form=OUT)
    assert await stock(stage, "SKU-001") == ["SKU-001", "CK001", 6.0, 6.0, 0.0]


async def test_shortage_is_refused_whole(stage: Stage) -> None:
    await stage.call.world("stock", {"sku": "SKU-001", "quantity": 3})
    status = await reserve(stage, "A1", ("SKU-002", 1), ("SKU-001", 2), ("SKU-001", 2))
    assert (status["IsSuccess"], status["MsgCode"]) == (False, 11)
    assert "SKU-001" in status["Errors"][0]["Message"]
    assert "STK_InvCheckResult" in status["Errors"][0]["Message"]
    assert (await stock(stage, "SKU-001"))[4] == (await stock(stage, "SKU-002"))[4] == 0.0


async def test_repeats_are_refused_and_counted(stage: Stage) -> None:
    await reserve(stage, "A1", ("SKU-001", 1))
    assert (await save(stage, "A1", ("SKU-001", 1)))["MsgCode"] == 11
    audit = await act(stage, "Audit", "A1")
    assert (audit["IsSuccess"], audit["MsgCode"]) == (False, 11)
    assert "已经审核！" in audit["Errors"][0]["Message"]
    assert (await push(stage, "A1"))["IsSuccess"] is True
    assert (await push(stage, "A1"))["IsSuccess"] is False
    effects = await stage.call.ask("effects")
    assert effects["duplicates"]["erp_sale_order"] == effects["duplicates"]["erp_outstock"] == 0
    assert effects["repeated_requests"]["erp_sale_order"] == 1
    assert effects["repeated_requests"]["erp_outstock"] == 1


async def test_each_of_many_succeeds_or_fails_alone(stage: Stage) -> None:
    for no in ("A1", "A2"):
        await save(stage, no, ("SKU-001", 1))
    await act(stage, "Submit", "A1")
    status = await act(stage, "Audit", "A1", "A2", "A3")
    assert [(e["Number"], e["DIndex"]) for e in status["SuccessEntitys"]] == [("A1", 0)]
    assert [error["DIndex"] for error in status["Errors"]] == [1, 2]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"FSaleOrgId": {"FNumber": "999"}}, 9),
        ({"FCustId": None}, 11),
        ({"FSaleOrderEntry": []}, 11),
        ({"FSaleOrderFinance": {}}, 11),
    ],
)
async def test_bad_models(stage: Stage, change: dict[str, Any], code: int) -> None:
    status = await save(stage, "A1", ("SKU-001", 1), **change)
    assert (status["IsSuccess"], status["MsgCode"]) == (False, code)


async def test_unknown_material(stage: Stage) -> None:
    assert (await save(stage, "A1", ("SKU-999", 1)))["MsgCode"] == 9


async def test_queries(stage: Stage) -> None:
    for no in ("A1", "A2", "O'K"):
        await save(stage, no, ("SKU-001", 1), ("SKU-002", 2))
    rows = await stage.call.kingdee_query(
        SALE, "FBillNo,FDocumentStatus", "FBillNo in ('A1','A2','A9')", OrderString="FBillNo DESC"
    )
    assert rows == [["A2", "A"], ["A1", "A"]]
    assert await stage.call.kingdee_query(SALE, "FBillNo,FMaterialId.FNumber,FQty", "FBillNo = 'O''K'") == [
        ["O'K", "SKU-001", 1.0],
        ["O'K", "SKU-002", 2.0],
    ]
    page = await stage.call.kingdee_query(SALE, "FBillNo", "", StartRow=1, Limit=1, OrderString="FID ASC")
    assert page == [["A2"]]
    await act(stage, "Submit", "A1")
    await act(stage, "Audit", "A1")
    await push(stage, "A1")
    assert await stage.call.kingdee_query(OUT, "FSoorDerno,FDocumentStatus", "FSoorDerno = 'A1'") == [["A1", "A"]]


@pytest.mark.parametrize("condition", ["FBillNo like 'A%'", "FNoSuch = '1'", "FBillNo = ", "FBillNo in ('A'"])
async def test_a_bad_query_looks_like_one_row(stage: Stage, condition: str) -> None:
    answer = await stage.call.kingdee_query(SALE, "FBillNo", condition)
    assert answer[0][0]["Result"]["ResponseStatus"]["IsSuccess"] is False


async def test_cancel_close_and_reopen(stage: Stage) -> None:
    await reserve(stage, "A1", ("SKU-001", 4))
    assert (await act(stage, "ExcuteOperation", "A1", opNumber="Cancel"))["IsSuccess"] == "false"
    assert (await act(stage, "ExcuteOperation", "A1", opNumber="YLBillClose"))["IsSuccess"] == "true"
    assert (await stock(stage, "SKU-001"))[4] == 0.0
    await reserve(stage, "A2", ("SKU-001", 4))
    await act(stage, "UnAudit", "A2")
    assert (await stock(stage, "SKU-001"))[4] == 0.0
    assert (await act(stage, "ExcuteOperation", "A2", opNumber="Cancel"))["IsSuccess"] == "true"
    view = await stage.call.kingdee("View", {"formid": SALE, "data": {"Number": "A2"}})
    assert view["Result"]["Result"]["CancelStatus"] == "B"


async def test_traces_and_the_default_that_deletes(stage: Stage) -> None:
    await reserve(stage, "A1", ("SKU-001", 1))
    id = (await push(stage, "A1"))["SuccessEntitys"][0]["Id"]

    async def trace(waybill: str, **more: Any) -> None:
        model = {"FID": id, "FOutStockTrace": [{"FCarryBillNo": waybill, "FReceiptTime": "2026-01-06 10:00:00"}]}
        await stage.call.kingdee("Save", {"formid": OUT, "data": {**more, "Model": model}})

    await trace("YT1")
    await trace("YT2", IsDeleteEntry="false")
    assert await stage.call.kingdee_query(OUT, "FCarryBillNo", f"FID = {id}") == [["YT1"], ["YT2"]]
    await trace("YT3")
    assert await stage.call.kingdee_query(OUT, "FCarryBillNo", f"FID = {id}") == [["YT3"]]


async def test_a_wrong_signature_is_a_lost_session(stage: Stage) -> None:
    path = f"{stage.call.base}/kingdee/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.View.common.kdsvc"
    async with stage.call.session.post(path, data="{}") as answer:
        status = (await answer.json())["Result"]["ResponseStatus"]
    assert (answer.status, status["MsgCode"], status["IsSuccess"]) == (200, 1, False)
