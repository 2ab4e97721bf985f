"""The robot: the sheet's vectors, mentions, what fits into 20,000 bytes, and what its refusals mean."""

from typing import Any
from urllib.parse import unquote

import httpx
import orjson
import pytest
from pydantic import SecretStr

from adapters.alerts.dingtalk.client import Dingtalk
from adapters.alerts.dingtalk.documents import MOST_BYTES, markdown_body, sign
from adapters.errors import NotUnderstood, OutcomeUnknown, Refused, Throttled, Unavailable
from ballast.ports import Digest, Item, Person
from ballast.settings import DingtalkSettings, SettingsError
from tests.adapters.wire import StoppedClock, connect

SECRET = "SEC000000000000000000000000000000000000000000000000000000000000demo"
SETTINGS = DingtalkSettings(access_token=SecretStr("robot-token"), secret=SecretStr(SECRET), per_minute=3)
WANG = Person("王五", mobile="13800000001")
DIGEST = Digest("订单异常挂起", (Item("SO20260102001", "超时 30 分钟", "https://b.example/a/1"),), (WANG,))
OK = {"errcode": 0, "errmsg": "ok"}


def client(clock: StoppedClock | None = None, **changes: Any) -> Dingtalk:
    return Dingtalk(SETTINGS.model_copy(update=changes), clock or StoppedClock())


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1767319200000", "TchfOVRSYsXRsfp6BQDkp6Evp7Xdf9pNf45L0w0EZ7Q="),
        ("1767319200009", "bONs642dheoYJ+5PuiBYV/cQ+PrTPwDF1Uh+D7f5614="),
    ],
)
def test_the_signature_vectors_of_the_sheet(timestamp: str, expected: str) -> None:
    assert sign(timestamp, SECRET) == expected


def test_the_vector_of_the_other_direction() -> None:
    assert sign("1767319200000", "demoAppSecret0001") == "2etbPoGGHxJjs1OOIa/ULHf+TbwZFdH4317SCnsUbU0="


async def test_the_signature_is_quoted_exactly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    clock = StoppedClock()
    clock.pass_seconds(0.009)
    await client(clock).send(DIGEST)
    query = wire.requests[0].url.query.decode()
    assert "sign=bONs642dheoYJ%2B5PuiBYV%2FcQ%2BPrTPwDF1Uh%2BD7f5614%3D" in query
    assert "timestamp=1767319200009" in query and "access_token=robot-token" in query


async def test_mobiles_stand_in_the_text_and_in_at(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    await client().send(DIGEST)
    assert wire.json(0) == {
        "msgtype": "markdown",
        "markdown": {
            "title": "订单异常挂起",
            "text": "#### 订单异常挂起\n\n"
            "- **SO20260102001** 超时 30 分钟 [处理 / Answer](https://b.example/a/1)\n\n@13800000001",
        },
        "at": {"atMobiles": ["13800000001"], "isAtAll": False},
    }


async def test_the_standing_people_are_rung_when_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK, OK, OK)
    robot = client(mentions=("13800000009",))
    await robot.send(Digest("t", (Item("l"),)))
    await robot.send(DIGEST)
    await robot.send(Digest("t", (Item("l"),), (Person("赵六"),)))
    assert wire.json(0)["at"]["atMobiles"] == ["13800000009"]
    assert wire.json(1)["at"]["atMobiles"] == ["13800000001"]
    assert wire.json(2)["at"]["atMobiles"] == ["13800000009"]
    assert wire.json(2)["markdown"]["text"].endswith("@13800000009 @赵六"), "others can tell them"


def shown_and_left_out(body: bytes) -> tuple[int, int]:
    text = str(orjson.loads(body)["markdown"]["text"])
    last = text.rpartition("… and ")[2].partition(" more")[0]
    return text.count("\n- "), int(last) if last.isdecimal() else 0


@pytest.mark.parametrize("count", [1, 10, 300, 5000])
@pytest.mark.parametrize("line", ["SO20260102001", "库存不足😀" * 20, "中" * 5000])
def test_a_long_list_is_cut_to_whole_lines_and_counted(count: int, line: str) -> None:
    message = markdown_body(Digest("标" * 200, (Item("t", line),) * count, (WANG,)), ())
    body = message.body
    assert len(body) <= MOST_BYTES
    shown, left_out = shown_and_left_out(body)
    assert message.shown == shown
    assert shown + left_out == count and shown > 0
    assert "@13800000001" in orjson.loads(body)["markdown"]["text"]


def test_as_much_is_shown_as_fits() -> None:
    body = markdown_body(Digest("t", tuple(Item("", f"SO2026010200{number}") for number in range(5000))), ()).body
    shown, left_out = shown_and_left_out(body)
    assert left_out > 0
    assert len(body) + len(f"\\n- SO2026010200{shown}") > MOST_BYTES


def test_a_line_stays_one_line() -> None:
    body = markdown_body(Digest("a\nb", (Item("", "one\n\n# two"),)), ()).body
    assert orjson.loads(body)["markdown"] == {"title": "a b", "text": "#### a b\n\n- one # two"}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"errcode": 310000, "errmsg": "sign not match"}, Refused),
        ({"errcode": 300001, "errmsg": "token is not exist"}, Refused),
        ({"errcode": 430101, "errmsg": "unsafe"}, Refused),
        ({"errcode": 130101, "errmsg": "send too fast"}, Throttled),
        ({"errcode": 410100, "errmsg": "send too fast"}, Throttled),
        ({"errmsg": "?"}, NotUnderstood),
        (b"<html>", OutcomeUnknown),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.Response(502), OutcomeUnknown),
    ],
)
async def test_what_a_failure_means_and_that_it_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, reply: Any, kind: type[Exception]
) -> None:
    wire = connect(monkeypatch, reply)
    with pytest.raises(kind) as caught:
        await client().send(DIGEST)
    assert type(caught.value) is kind and len(wire.requests) == 1
    assert not isinstance(caught.value, Throttled) or caught.value.seconds == 600


async def test_what_was_not_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, httpx.ConnectError("refused"), OK)
    await client().send(DIGEST)
    assert len(wire.requests) == 2
    connect(monkeypatch, *[httpx.Response(503)] * 3)
    with pytest.raises(Unavailable):
        await client().send(DIGEST)


async def test_the_robot_is_never_driven_into_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the settings allow is kept by whoever sends; here is the robot's own limit."""
    wire = connect(monkeypatch, *[OK] * 21)
    clock = StoppedClock()
    robot = client(clock)
    for _ in range(20):
        await robot.send(DIGEST)
        clock.pass_seconds(1)
    with pytest.raises(Throttled) as wait:
        await robot.send(DIGEST)
    assert (wait.value.seconds, len(wire.requests), robot.per_minute) == (40, 20, 3)
    clock.pass_seconds(wait.value.seconds)
    await robot.send(DIGEST)


async def test_a_doctor_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch)
    assert "not asked" in await client().ping()
    assert wire.requests == []


async def test_secrets_are_in_no_text(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    connect(monkeypatch, OK, httpx.ReadTimeout("slow"))
    robot = client()
    await robot.send(DIGEST)
    with pytest.raises(OutcomeUnknown) as caught:
        await robot.send(DIGEST)
    for text in (str(caught.value), repr(robot), repr(SETTINGS), unquote(caplog.text)):
        assert "robot-token" not in text and SECRET not in text


@pytest.mark.parametrize("name", ["access_token", "secret"])
def test_an_empty_secret_refuses_to_start(name: str) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        Dingtalk(SETTINGS.model_copy(update={name: SecretStr("")}), StoppedClock())
