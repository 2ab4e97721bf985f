"""The robot: what fits into its bytes, who is rung how, and what its refusals mean."""

from typing import Any
from urllib.parse import unquote

import httpx
import orjson
import pytest
from pydantic import SecretStr

from adapters.alerts.wecom.client import Wecom
from adapters.alerts.wecom.documents import MOST_BYTES, MOST_TEXT_BYTES, write
from adapters.errors import NotUnderstood, OutcomeUnknown, Refused, Throttled, Unavailable
from ballast.ports import Digest, Item, Person
from ballast.settings import SettingsError, WecomSettings
from tests.adapters.wire import StoppedClock, connect

KEY = "693a91f6-7aaa-4bc4-97a0-0ec2sifa5aaa"
SETTINGS = WecomSettings(key=SecretStr(KEY), per_minute=3)
LINK = "https://b.example/a/1"
WANG, QIAN = Person("王五", mobile="13800000001", wecom="wangwu"), Person("钱七", mobile="13800000007")
DIGEST = Digest("订单异常挂起", (Item("SO20260102001", "超时 30 分钟", LINK),), (WANG,))
OK = {"errcode": 0, "errmsg": "ok"}


def client(clock: StoppedClock | None = None, **changes: Any) -> Wecom:
    return Wecom(SETTINGS.model_copy(update=changes), clock or StoppedClock())


async def test_the_key_is_in_the_query_and_people_in_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    await client().send(DIGEST)
    assert str(wire.requests[0].url) == f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}"
    assert wire.json(0) == {
        "msgtype": "markdown",
        "markdown": {
            "content": f"### 订单异常挂起\n> **SO20260102001** 超时 30 分钟 [处理 / Answer]({LINK})\n<@wangwu>"
        },
    }


async def test_who_has_only_a_mobile_makes_it_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK)
    await client().send(Digest("t", DIGEST.items, (WANG, QIAN, Person("赵六"))))
    assert wire.json(0) == {
        "msgtype": "text",
        "text": {
            "content": f"t\n- SO20260102001: 超时 30 分钟 {LINK}\n@赵六",
            "mentioned_list": ["wangwu"],
            "mentioned_mobile_list": ["13800000007"],
        },
    }


async def test_the_standing_people_are_rung_when_nobody_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = connect(monkeypatch, OK, OK, OK)
    robot = client(mentions=("lisi",))
    for people in ((), (Person("赵六"),), (WANG,)):
        await robot.send(Digest("t", DIGEST.items, people))
    assert [wire.json(number)["markdown"]["content"].splitlines()[-1] for number in range(3)] == [
        "<@lisi>",
        "<@lisi> @赵六",
        "<@wangwu>",
    ]


@pytest.mark.parametrize("count", [1, 10, 300])
@pytest.mark.parametrize("line", ["SO1", "库存不足😀" * 20, "中" * 5000, "😀" * 5000, '"\\' * 3000])
@pytest.mark.parametrize(("people", "kind"), [((WANG,), "markdown"), ((WANG, QIAN), "text")])
def test_a_long_list_is_cut_to_whole_items_by_bytes(
    count: int, line: str, people: tuple[Person, ...], kind: str
) -> None:
    """3,000 Chinese characters are 9,000 bytes: who counts characters is cut or refused."""
    message = write(Digest("标" * 900, (Item(line, line, LINK),) * count, people), ())
    content = orjson.loads(message.body)[kind]["content"]
    assert len(content.encode()) <= (MOST_BYTES if kind == "markdown" else MOST_TEXT_BYTES)
    assert "\ufffd" not in content
    shown = content.count(LINK)
    assert message.shown == shown > 0
    assert (f"… and {count - shown} more / 另有 {count - shown} 条" in content) == (shown < count)


def test_a_hundred_people_leave_room_for_what_happened() -> None:
    crowd = tuple(Person("名" * 200, wecom=f"{'u' * 60}{number:03d}") for number in range(100))
    for people in (crowd, tuple(Person("名" * 200) for _ in range(100)), (*crowd, QIAN)):
        document = orjson.loads(
            write(Digest("标" * 900, (Item("中" * 900, "中" * 900, f"https://b/{'y' * 480}"),), people), ()).body
        )
        content = document[document["msgtype"]]["content"]
        assert len(content.encode()) <= (MOST_BYTES if document["msgtype"] == "markdown" else MOST_TEXT_BYTES)
        assert "https://b/yyy" in content


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"errcode": 93000, "errmsg": "invalid webhook url"}, Refused),
        ({"errcode": 40058, "errmsg": "invalid"}, Refused),
        ({"errcode": -1, "errmsg": "system busy"}, Refused),
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, Throttled),
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
    assert not isinstance(caught.value, Throttled) or caught.value.seconds == 60


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


async def test_the_key_is_in_no_text(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    connect(monkeypatch, OK, {"errcode": 93000, "errmsg": f"invalid webhook url, key={KEY}"})
    robot = client()
    await robot.send(DIGEST)
    with pytest.raises(Refused, match="BALLAST_WECOM__KEY") as caught:
        await robot.send(DIGEST)
    for text in (str(caught.value), repr(robot), repr(SETTINGS), unquote(caplog.text)):
        assert KEY not in text


def test_an_empty_key_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="BALLAST_WECOM__KEY"):
        client(key=SecretStr(" "))
