"""The robots by their own callers: keys and signatures, bytes, pace, refusals on command, yeses that nobody heard."""

import time
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from tests.sim.conftest import OpenStage, Stage

TEXT = {"msgtype": "text", "text": {"content": "x"}}
LARK_TEXT = {"msg_type": "text", "content": {"text": "x"}}
CARD: dict[str, Any] = {
    "msg_type": "interactive",
    "card": {
        "header": {"template": "red", "title": {"tag": "plain_text", "content": "订单异常挂起"}},
        "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": "**单号** SO1"}}],
    },
}
ROBOTS = ("dingtalk", "wecom", "feishu")


async def say(stage: Stage, robot: str) -> int:
    if robot == "feishu":
        return int((await stage.call.feishu(LARK_TEXT))["code"])
    return int((await getattr(stage.call, robot)(TEXT))["errcode"])


async def messages(stage: Stage, robot: str) -> list[dict[str, Any]]:
    return list((await stage.call.ask(f"messages?robot={robot}"))["messages"])


def markdown(content: str) -> dict[str, Any]:
    return {"msgtype": "markdown", "markdown": {"content": content}}


async def test_wecom_counts_bytes(stage: Stage) -> None:
    """1,365 Chinese characters fit into 4,096 bytes, 1,366 do not."""
    assert (await stage.call.wecom(markdown("中" * 1365)))["errcode"] == 0
    assert (await stage.call.wecom(markdown("中" * 1366)))["errcode"] == 40058
    assert (await stage.call.wecom({"msgtype": "text", "text": {"content": "a" * 2048}}))["errcode"] == 0
    assert (await stage.call.wecom({"msgtype": "text", "text": {"content": "中" * 683}}))["errcode"] == 40058
    assert len(await messages(stage, "wecom")) == 2


async def test_wecom_refusals(stage: Stage) -> None:
    assert (await stage.call.wecom(TEXT, key="x"))["errcode"] == 93000
    assert (await stage.call.wecom({"msgtype": "poem"}))["errcode"] == 40008
    assert (await stage.call.wecom({"msgtype": "text", "text": {}}))["errcode"] == 40058
    assert await messages(stage, "wecom") == []


async def test_feishu_takes_texts_and_cards(stage: Stage) -> None:
    assert await stage.call.feishu(LARK_TEXT) == {
        "StatusCode": 0,
        "StatusMessage": "success",
        "code": 0,
        "msg": "success",
        "data": {},
    }
    assert (await stage.call.feishu(CARD))["code"] == 0
    assert [one["message"]["msg_type"] for one in await messages(stage, "feishu")] == ["text", "interactive"]


async def test_feishu_refusals(stage: Stage) -> None:
    assert (await stage.call.feishu(LARK_TEXT, token="x"))["code"] == 19001
    assert (await stage.call.feishu(LARK_TEXT, sign="x"))["code"] == 19021
    assert (await stage.call.feishu(LARK_TEXT, timestamp=int(time.time())))["code"] == 19021
    assert (await stage.call.feishu(LARK_TEXT, at=time.time() - 3700))["code"] == 19021
    assert (await stage.call.feishu({"msg_type": "text", "content": {"text": "中" * 7000}}))["code"] == 9499
    assert (await stage.call.feishu({**CARD, "card": {"elements": CARD["card"]["elements"]}}))["code"] == 9499
    assert (await stage.call.feishu({"msg_type": "poem"}))["code"] == 9499
    assert await messages(stage, "feishu") == []


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the robots count by, turned by hand."""
    at = [1_767_319_200.0]
    monkeypatch.setattr("sim.systems.robots.time", SimpleNamespace(time=lambda: at[0]))
    return at


@pytest.mark.parametrize(
    ("robot", "code", "silence"), [("dingtalk", 130101, 600), ("wecom", 45009, 60)], ids=["dingtalk", "wecom"]
)
async def test_twenty_a_minute(stage: Stage, hands: list[float], robot: str, code: int, silence: int) -> None:
    """DingTalk is mute for ten minutes then; WeCom listens again when its minute has room."""
    assert [await say(stage, robot) for _ in range(22)] == [0] * 20 + [code] * 2
    assert len(await messages(stage, robot)) == 20
    hands[0] += silence - 1
    assert await say(stage, robot) == code
    hands[0] += 1
    assert await say(stage, robot) == 0


async def test_five_a_second_and_a_hundred_a_minute(stage: Stage, hands: list[float]) -> None:
    said = []
    for _ in range(21):
        said += [await say(stage, "feishu") for _ in range(6)]
        hands[0] += 1
    assert said == ([0] * 5 + [11232]) * 20 + [11232] * 6


@pytest.mark.parametrize("robot", ROBOTS)
async def test_above_its_limit_a_robot_is_mute_and_a_command_ends_that(stage: Stage, robot: str) -> None:
    limits = await stage.call.world("robot", {"robot": robot, "per_minute": 1, "mute_seconds": 600})
    assert (limits["robot"], limits["per_minute"], limits["mute_seconds"]) == (robot, 1, 600)
    assert await say(stage, robot) == 0
    assert await say(stage, robot) != 0
    await stage.call.world("robot", {"robot": robot, "per_minute": 1000})
    assert await say(stage, robot) == 0


@pytest.mark.parametrize("robot", ROBOTS)
async def test_one_robot_refuses_on_command_and_the_others_do_not(stage: Stage, robot: str) -> None:
    assert (await stage.call.world("robot", {"robot": robot, "refuse": 4711}))["refuse"] == 4711
    assert [await say(stage, one) for one in ROBOTS] == [4711 if one == robot else 0 for one in ROBOTS]
    assert await messages(stage, robot) == []
    await stage.call.world("robot", {"robot": robot, "per_minute": 1000})
    assert await say(stage, robot) == 4711, "until it is told otherwise"
    await stage.call.world("robot", {"robot": robot, "refuse": 0})
    assert await say(stage, robot) == 0


async def test_without_a_name_it_is_dingtalk(stage: Stage) -> None:
    assert (await stage.call.world("robot", {"per_minute": 7}))["robot"] == "dingtalk"
    await say(stage, "dingtalk")
    assert (await stage.call.ask("messages"))["messages"] == await messages(stage, "dingtalk") != []


@pytest.mark.parametrize("robot", ROBOTS)
async def test_a_yes_that_nobody_heard_is_counted(open_stage: OpenStage, robot: str) -> None:
    stage = await open_stage()
    assert await say(stage, robot) == 0
    await stage.call.world("faults", {"system": robot, "timeout_after_effect": 1.0, "hang_seconds": 0})
    with pytest.raises(aiohttp.ClientError):
        await say(stage, robot)
    await stage.call.world("robot", {"robot": robot, "refuse": 4711})
    with pytest.raises(aiohttp.ClientError):
        await say(stage, robot)
    assert [one["answered"] for one in await messages(stage, robot)] == [True, False]
    counts = (await stage.call.ask("effects"))["counts"]
    assert (counts["robot_message"], counts["robot_unanswered"]) == (2, 1), "no message came in the third time"


@pytest.mark.parametrize("robot", ROBOTS)
async def test_an_outage_of_one_robot_leaves_the_others(stage: Stage, robot: str) -> None:
    await stage.call.world("faults", {"system": robot, "outage_seconds": 600})
    for one in ROBOTS:
        if one == robot:
            with pytest.raises((aiohttp.ClientError, AssertionError)):
                await say(stage, one)
        else:
            assert await say(stage, one) == 0
    assert await messages(stage, robot) == []
