"""Several channels: who refuses is left for the next one, and what has no room in one message is in the next."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from ballast.db.alerts import raise_alerts
from ballast.settings import AppriseSettings
from tasks.alerts import send_digests
from tests.adapters.apprise.receivers import Mailbox, mail_server
from tests.contracts.outside import feishu_for, wecom_for
from tests.flows.stage import Stage


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mail_server() as found:
        yield found


async def alarm(stage: Stage, count: int, text: str = "看一下") -> None:
    alerts = [
        {"key": f"k{number}", "level": "warning", "title": f"SO{number:04d} 超时", "text": text}
        for number in range(count)
    ]
    async with stage.house.transaction() as tx:
        await raise_alerts(tx, alerts, stage.house.clock.now())


async def told(stage: Stage, robot: str, before: int = 0) -> Counter[str]:
    """Order -> how often people read of it there."""
    messages = (await stage.world.get("messages", robot=robot))["messages"][before:]
    return Counter(
        number for one in messages for number in re.findall(r"\*\*#\d+ (SO\d{4}) 超时\*\*", str(one["message"]))
    )


async def count(stage: Stage, robot: str) -> int:
    return len((await stage.world.get("messages", robot=robot))["messages"])


async def run_for(stage: Stage, rounds: int) -> None:
    for _ in range(rounds):
        await send_digests.fn()
        stage.later(timedelta(seconds=30))


async def test_what_one_robot_refuses_the_next_one_tells_once(stage: Stage) -> None:
    stage.configure(wecom=wecom_for(stage.world), feishu=feishu_for(stage.world))
    before = {robot: await count(stage, robot) for robot in ("dingtalk", "wecom", "feishu")}
    await stage.world.post("robot", {"robot": "dingtalk", "refuse": 310000})
    await alarm(stage, 3)
    await run_for(stage, 4)
    assert await told(stage, "wecom", before["wecom"]) == {"SO0000": 1, "SO0001": 1, "SO0002": 1}
    assert await told(stage, "dingtalk", before["dingtalk"]) == await told(stage, "feishu", before["feishu"]) == {}
    said = str((await stage.world.get("messages", robot="wecom"))["messages"][before["wecom"] :])
    assert "dingtalk does not take alerts" in said and "310000" in said


@pytest.mark.parametrize("robot", ["wecom", "feishu"])
async def test_what_has_no_room_in_one_message_is_told_in_the_next(stage: Stage, robot: str) -> None:
    """Else 180 of 200 alerts would count as told by a line that says how many they are."""
    settings = wecom_for(stage.world) if robot == "wecom" else feishu_for(stage.world)
    stage.configure(dingtalk=None, **{robot: settings})
    before = await count(stage, robot)
    await alarm(stage, 60, "物流在途超过 72 小时，请联系快递" * 8)
    await run_for(stage, 12)
    assert await told(stage, robot, before) == {f"SO{number:04d}": 1 for number in range(60)}
    assert await count(stage, robot) > before + 1
    assert [notice.attempts for notice in await stage.notices()] == [1] * 60, "waiting for room is no attempt"


async def test_a_robot_that_throttles_loses_nothing_and_tells_nothing_twice(stage: Stage) -> None:
    stage.configure(wecom=wecom_for(stage.world))
    before = {robot: await count(stage, robot) for robot in ("dingtalk", "wecom")}
    await stage.world.post("robot", {"robot": "dingtalk", "per_minute": 0, "mute_seconds": 600})
    await alarm(stage, 40)
    await run_for(stage, 30)
    heard = await told(stage, "dingtalk", before["dingtalk"]) + await told(stage, "wecom", before["wecom"])
    assert heard == {f"SO{number:04d}": 1 for number in range(40)}


async def test_when_every_robot_refuses_there_is_e_mail(stage: Stage, box: Mailbox) -> None:
    url = f"mailto://127.0.0.1:{box.port}?from=ballast@example.com&smtp=127.0.0.1&to=ops@example.com"
    stage.configure(wecom=wecom_for(stage.world), apprise=AppriseSettings(urls={"email": SecretStr(url)}))
    assert list(stage.house.channels) == ["dingtalk", "wecom", "email"]
    for robot in ("dingtalk", "wecom"):
        await stage.world.post("robot", {"robot": robot, "refuse": 4711})
    await alarm(stage, 2)
    await run_for(stage, 6)
    assert box.receivers[0] == ["ops@example.com"]
    assert "2 alerts, SO0000 超时" in str(box.letters[0]["subject"])
