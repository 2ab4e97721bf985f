"""Pushes: the sheet's vector, what is refused at the door, and how each is read."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from pydantic import SecretStr

from adapters.couriers.kdniao.signing import data_sign
from adapters.couriers.kdniao.status import CODES
from adapters.couriers.kdniao.webhook import KdniaoHook
from adapters.errors import BadSignature, NotUnderstood, UnknownCode
from ballast.domain.words import Event, HoldReason
from ballast.ports import Delivery, Meaning, News
from ballast.settings import KdniaoSettings, SettingsError
from tests.adapters.wire import MACHINE, post, sample

KEY = "11111111-2222-3333-4444-555555555555"
SETTINGS = KdniaoSettings(ebusiness_id="1000001", api_key=SecretStr(KEY))
HOOK = KdniaoHook(SETTINGS)


def form(request_data: str, **changes: str) -> bytes:
    fields = {"RequestData": request_data, "RequestType": "102", "DataSign": data_sign(request_data, KEY)}
    return urlencode({**fields, **changes}).encode()


def receive(body: bytes) -> Delivery:
    return HOOK.receive(post(body), MACHINE)


def push(*tracks: dict[str, Any]) -> bytes:
    envelope = {"PushTime": "2026-01-02 10:00:00", "EBusinessID": "1000001", "Count": str(len(tracks)), "Data": tracks}
    return form(orjson.dumps(envelope).decode())


def track(state_ex: str | None = "204", **changes: Any) -> dict[str, Any]:
    scan = {"AcceptTime": "2026-01-02 09:58:00", "AcceptStation": "到达", "Action": state_ex}
    document: dict[str, Any] = {
        "OrderCode": "SO1", "ShipperCode": "YTO", "LogisticCode": "YT1", "Success": True, "State": "2",
        "StateEx": state_ex, "Traces": [scan],
    }  # fmt: skip
    return {**document, **changes}


def read(document: dict[str, Any], **more: Meaning) -> News:
    (message,) = receive(push(document)).messages
    news = HOOK.read(message, {**CODES, **{("StateEx", code[1:]): meaning for code, meaning in more.items()}})
    assert news is not None
    return news


def traces(*scans: tuple[str, str | None]) -> list[dict[str, Any]]:
    return [{"AcceptTime": at, "AcceptStation": f"at {at}", "Action": action} for at, action in scans]


def test_the_vector_of_the_sheet_is_taken_and_read() -> None:
    text = sample("kdniao/push_102.json").decode()
    body = form(text, DataSign="Mzk0N2YyMTIwMmJjNDFhMTJhOGU2YTE5MWMzNzQ5NGE=")
    (message,) = receive(body).messages
    assert (message.event_id, message.order_no) == ("YT0000000000001:301:2026-01-02 09:58:00", "SO20260102001")
    news = HOOK.read(message, CODES)
    assert news is not None
    at = datetime(2026, 1, 2, 1, 58, tzinfo=UTC)
    assert (news.event, news.field, news.said) == (Event.PARCEL_SIGNED, "StateEx", "301")
    assert (news.waybill, news.happened_at, news.first_scan_at, news.text) == ("YT0000000000001", at, at, "已签收")


def test_the_free_edition_has_numbers_for_states_slashes_in_times_and_no_order() -> None:
    first, second = receive(form(sample("kdniao/push_101.json").decode(), RequestType="101")).messages
    news, nothing = HOOK.read(first, CODES), HOOK.read(second, CODES)
    assert news is not None and nothing is not None
    assert first.event_id == "EM0000000000002:2:2026-01-02 09:58:00"
    assert (news.field, news.said, news.event, news.text) == ("State", "2", Event.SCANNED, "快件运输中")
    assert news.happened_at == datetime(2026, 1, 2, 1, 58, tzinfo=UTC)
    assert news.first_scan_at == datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    assert (nothing.event, nothing.first_scan_at) == (Event.NOTED, None)
    assert nothing.happened_at == datetime(2026, 1, 2, 2, 0, tzinfo=UTC)  # PushTime: there is no scan


@pytest.mark.parametrize(
    "body",
    [
        form("{}", DataSign="x"),
        form("{}", DataSign=""),
        form("{}", DataSign="签名"),
        form("{}") + b"&RequestData=%7B%7D",
        b"",
        b"\xff\xfe",
        b"a=%FF",
        b"&".join(b"f%d=1" % n for n in range(20)),
        b'{"RequestData":"{}"}',
    ],
)
def test_what_is_not_signed_with_our_key_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature):
        receive(body)


def test_one_changed_character_breaks_the_signature() -> None:
    text = sample("kdniao/push_102.json").decode()
    body = form(text.replace('"StateEx":"301"', '"StateEx":"302"'), DataSign=data_sign(text, KEY))
    with pytest.raises(BadSignature):
        receive(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (form("{}"), "PushTime"),
        (form("[1]"), "list"),
        (form("nonsense"), "JSON"),
        (form('{"a":"\\u0000"}'), "NUL"),
        (form("[" * 50_000), "JSON"),
        (form("{}", RequestType="103"), "103"),
        (form('{"PushTime":"2026-01-02 10:00:00","EBusinessID":"2000002","Data":[]}'), "not ours"),
    ],
)
def test_signed_but_not_as_the_sheet_says(body: bytes, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        receive(body)


def test_a_parcel_twice_in_one_push_is_one_message() -> None:
    other = track(LogisticCode="YT2")
    messages = receive(push(track(), other, track())).messages
    assert [message.event_id.partition(":")[0] for message in messages] == ["YT1", "YT2"]


def test_one_bad_parcel_is_parked_alone() -> None:
    bad = track(LogisticCode=None, OrderCode="SO9")
    messages = receive(push(bad, track())).messages
    assert [message.order_no for message in messages] == ["SO9", "SO1"]
    assert messages[0].event_id.startswith("unreadable:")
    assert receive(push(bad)).messages[0].event_id == messages[0].event_id
    with pytest.raises(NotUnderstood, match="LogisticCode"):
        HOOK.read(messages[0], CODES)
    assert HOOK.read(messages[1], CODES) is not None


def test_a_bad_time_is_parked_alone_too() -> None:
    bad, good = receive(push(track(Traces=traces(("yesterday", "1"))), track(LogisticCode="YT2"))).messages
    with pytest.raises(NotUnderstood, match="yesterday"):
        HOOK.read(bad, CODES)
    assert HOOK.read(good, CODES) is not None


def test_traces_out_of_order_are_sorted() -> None:
    scans = traces(("2026-01-02 09:00:00", "204"), ("2026-01-01 09:00:00", "1"), ("2026-01-02 21:00:00", "202"))
    news = read(track("202", Traces=scans))
    assert news.happened_at == datetime(2026, 1, 2, 13, 0, tzinfo=UTC)
    assert news.first_scan_at == datetime(2026, 1, 1, 1, 0, tzinfo=UTC)
    assert news.text == "at 2026-01-02 21:00:00"


def test_a_printed_label_is_not_transit() -> None:
    label = read(track("10", State="0", Traces=traces(("2026-01-01 08:00:00", "10"))))
    assert (label.event, label.first_scan_at) == (Event.NOTED, None)
    moved = read(track("1", Traces=traces(("2026-01-01 08:00:00", "10"), ("2026-01-01 20:00:00", "1"))))
    assert moved.first_scan_at == datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_a_problem_without_a_scan_has_no_first_scan() -> None:
    news = read(track("401", State="4", Traces=traces(("2026-01-01 08:00:00", "401"))))
    assert (news.event, news.reason, news.first_scan_at) == (Event.HELD, HoldReason.COURIER_PROBLEM, None)


EXPECTED = {
    Event.NOTED: "0 10",
    Event.SCANNED: "1 2 201 202 204 205 206 211 5 418 419 6 601 602 603",
    Event.PARCEL_SIGNED: "3 301 302 304 311",
    HoldReason.COURIER_PROBLEM: "4 401 402 403 405 412 416 417 420 421 422 423 604",
    HoldReason.COURIER_REFUSED: "404",
    HoldReason.COURIER_RETURNED: "406 407",
    HoldReason.COURIER_STOPPED: "413 415",
    HoldReason.COURIER_DAMAGED: "414",
}


@pytest.mark.parametrize(("word", "code"), [(word, code) for word, codes in EXPECTED.items() for code in codes.split()])
def test_every_code_of_the_sheet(word: Event | HoldReason, code: str) -> None:
    news = read(track(code))
    assert (news.reason or news.event) == word
    assert (news.event is Event.HELD) == (news.reason is not None)


def test_no_code_is_in_the_table_that_the_sheet_does_not_explain() -> None:
    told = {code for codes in EXPECTED.values() for code in codes.split()}
    assert {code for field, code in CODES if field == "StateEx"} == told


@pytest.mark.parametrize("code", ["220", "305", "424", "605", "999", "2.0"])
def test_an_unknown_code_parks_and_a_new_map_frees_it(code: str) -> None:
    with pytest.raises(UnknownCode) as parked:
        read(track(code))
    assert (parked.value.field, parked.value.code, parked.value.order_no) == ("StateEx", code, "SO1")
    assert read(track(code), **{f"c{code}": Meaning(Event.SCANNED)}).event is Event.SCANNED


def test_a_parcel_that_cannot_be_tracked_is_noted_with_the_reason() -> None:
    news = read(track(None, Success=False, State=None, Reason="三天无轨迹", Traces=[]))
    assert (news.event, news.field, news.text) == (Event.NOTED, "Success", "三天无轨迹")


def test_answers_in_the_vendors_words() -> None:
    assert orjson.loads(HOOK.accepted(MACHINE).body) == {
        "EBusinessID": "1000001", "UpdateTime": "2026-01-02 10:00:00", "Success": True, "Reason": "",
    }  # fmt: skip
    refusal = HOOK.refused(401, "not ours", MACHINE)
    assert (refusal.status, orjson.loads(refusal.body)["Success"]) == (401, False)


def test_an_empty_key_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="BALLAST_KDNIAO__API_KEY"):
        KdniaoHook(SETTINGS.model_copy(update={"api_key": SecretStr("")}))
