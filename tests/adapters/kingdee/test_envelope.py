"""Every way in which 金蝶 says yes, no, or nothing that can be understood."""

import httpx
import orjson
import pytest

from adapters.erp.kingdee.envelope import read_result, read_rows
from adapters.erp.kingdee.status import MSG_CODES
from adapters.errors import (
    NotUnderstood,
    OutcomeUnknown,
    OutOfStock,
    OutsideError,
    Refused,
    Throttled,
    Unavailable,
)
from tests.adapters.wire import sample

ORDER = "SO20260102001"
LATER = {1: Unavailable, 13: Unavailable, 14: Throttled}


def answer(body: bytes, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=body)


def refusal(code: int, *messages: str) -> bytes:
    errors = [{"FieldName": None, "Message": text, "DIndex": 0} for text in messages]
    return orjson.dumps({"Result": {"ResponseStatus": {"IsSuccess": False, "MsgCode": code, "Errors": errors}}})


@pytest.mark.parametrize("name", ["save_done", "submit_done", "audit_done", "push_done"])
def test_success_is_a_truth_value_or_a_text(name: str) -> None:
    assert read_result(answer(sample(f"kingdee/{name}.json")), order_no=ORDER, unclear=OutcomeUnknown).ok


@pytest.mark.parametrize("code", sorted(MSG_CODES))
def test_every_code_means_one_thing(code: int) -> None:
    with pytest.raises(OutsideError, match="因为") as no:
        read_result(answer(refusal(code, "因为")), order_no=ORDER, unclear=OutcomeUnknown)
    assert type(no.value) is LATER.get(code, Refused)
    assert no.value.code == str(code)


def test_a_throttle_says_for_how_long() -> None:
    with pytest.raises(Throttled) as no:
        read_result(answer(refusal(14)), order_no=ORDER, unclear=OutcomeUnknown)
    assert no.value.seconds == 5


def test_a_refusal_carries_all_their_words_and_the_order() -> None:
    with pytest.raises(Refused, match="客户不存在; 物料不存在") as no:
        read_result(answer(refusal(9, "客户不存在", "物料不存在")), order_no=ORDER, unclear=OutcomeUnknown)
    assert no.value.order_no == ORDER


def test_a_refusal_without_words_is_explained_by_its_code() -> None:
    body = orjson.dumps({"Result": {"ResponseStatus": {"IsSuccess": "false", "MsgCode": 2, "Errors": None}}})
    with pytest.raises(Refused, match="无权限"):
        read_result(answer(body), order_no=ORDER, unclear=OutcomeUnknown)


def test_a_shortage_is_told_apart_by_its_flag() -> None:
    with pytest.raises(OutOfStock, match="SKU-001"):
        read_result(answer(sample("kingdee/audit_short.json")), order_no=ORDER, unclear=OutcomeUnknown)


def test_push_fails_when_only_its_conversion_failed() -> None:
    with pytest.raises(Refused, match="没有可以下推的分录"):
        read_result(answer(sample("kingdee/push_conversion_failed.json")), order_no=ORDER, unclear=OutcomeUnknown)


NO_ANSWERS = {
    "server exception": b"response_error:System.NullReferenceException at Kingdee.BOS",
    "a proxy's page": b"<html><body>502</body></html>",
    "nothing": b"",
    "cut off": b'{"Result":{"ResponseStatus":{"IsSucc',
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer_is_unknown_for_a_write_and_unavailable_for_a_read(body: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        read_result(answer(body), order_no=ORDER, unclear=OutcomeUnknown)
    with pytest.raises(Unavailable):
        read_rows(answer(body), ("FID",), order_no=ORDER)


def test_a_wrong_address_is_nothing_that_the_order_can_help() -> None:
    with pytest.raises(Unavailable, match="BALLAST_KINGDEE__SERVER_URL"):
        read_result(answer(b"<html>Not Found</html>", 404), order_no=ORDER, unclear=OutcomeUnknown)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"null", b'{"Result":null}', b'{"Result":{"ResponseStatus":{"MsgCode":0}}}', b'"true"', b"1"],
)
def test_a_missing_field_is_one_error_that_names_it(body: bytes) -> None:
    with pytest.raises(NotUnderstood, match="Envelope"):
        read_result(answer(body), order_no=ORDER, unclear=OutcomeUnknown)


def test_a_refused_query_is_not_taken_for_a_row() -> None:
    with pytest.raises(Refused, match="FNOSUCH"):
        read_rows(answer(sample("kingdee/query_refused.json")), ("FID",), order_no=ORDER)
    with pytest.raises(Refused, match="FNOSUCH"):
        inner = orjson.loads(sample("kingdee/query_refused.json"))[0][0]
        read_rows(answer(orjson.dumps(inner)), ("FID",), order_no=ORDER)


def test_rows_come_back_by_column() -> None:
    columns = ("FID", "FBillNo", "FDocumentStatus", "FCancelStatus", "FCloseStatus")
    [row] = read_rows(answer(sample("kingdee/query_sale_order.json")), columns, order_no=ORDER)
    assert row == dict(zip(columns, (100029, ORDER, "C", "A", "A"), strict=True))


@pytest.mark.parametrize("body", [b"[[1,2]]", b"[1]", b"{}", b'[{"FID":1}]'])
def test_rows_of_another_shape_are_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_rows(answer(body), ("FID",), order_no=ORDER)
