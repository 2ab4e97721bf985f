"""What every alert adapter must do, against a world that keeps what people were shown: subclass it, give alerts."""

from typing import Any, ClassVar
from uuid import uuid4

import orjson
import pytest

from adapters.errors import OutcomeUnknown, Refused, Throttled, Unavailable
from ballast.ports import Alerts, Digest, Item, Person
from tests.contracts.outside import World

WANG = Person("王五", mobile="13800000001", wecom="wangwu", feishu="ou_wangwu", email="wang@example.com")
STRANGER = Person("赵六")
LINK = "https://ballast.example/alerts/7?key=0123456789abcdef"

HOSTILE = (
    "库存不足，请立即处理" * 2000,
    "😀" * 3000,
    'a"b\\c' * 2000,
    "中" * 341 + "😀中",
    '<@all> <at id=all></at> <at user_id="all">所有人</at>',
    "[点击领奖](https://evil.example) ![](https://evil.example/x.png)",
    "one\n\n# two\r\n> three\t\x07\x00\u202e four \ud800",
    "**",
    "",
    " ",
)


class AlertsContract:
    robot: ClassVar[str]  # its name in the world
    ring: ClassVar[str]  # how WANG is rung there

    async def test_ping_answers_without_ringing_anybody(self, alerts: Alerts, world: World) -> None:
        before = len(await self._messages(world))
        assert await alerts.ping()
        assert len(await self._messages(world)) == before

    def test_it_says_how_much_it_takes(self, alerts: Alerts) -> None:
        assert 0 < alerts.per_minute <= 100

    async def test_people_see_title_items_links_and_who_is_rung(self, alerts: Alerts, world: World) -> None:
        digest = _digest(Item("SO1 缺货", "等待补货", LINK), Item("SO2 拒收"), people=(WANG, STRANGER))
        await alerts.send(digest)
        [shown] = await self._shown(world, digest)
        for words in ("**SO1 缺货** 等待补货", LINK, "**SO2 拒收**", self.ring, "@赵六"):
            assert words in str(shown)

    async def test_a_very_long_list_arrives_cut_and_says_so(self, alerts: Alerts, world: World) -> None:
        digest = _digest(*(Item(f"SO{number}", "超时未揽收", LINK) for number in range(5000)), people=(WANG,))
        receipt = await alerts.send(digest)
        [shown] = await self._shown(world, digest)
        text = str(shown)
        last = text.count("**SO") - 1
        assert receipt.detail["shown"] == last + 1, "so that the others can be told in the next message"
        assert f"**SO{last}** 超时未揽收" in text
        assert f"… and {4999 - last} more / 另有 {4999 - last} 条" in text
        assert text.count(LINK) == last + 1, "whole items only"
        assert self.ring in text

    @pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
    @pytest.mark.parametrize("count", [1, 40])
    async def test_whatever_other_systems_say_arrives_and_is_only_read(
        self, alerts: Alerts, world: World, words: str, count: int
    ) -> None:
        digest = _digest(*[Item(f"SO1 {words}", words, LINK)] * count, people=(WANG,))
        await alerts.send(digest)
        [shown] = await self._shown(world, digest)
        text = orjson.dumps(shown).decode()
        assert "SO1" in text and "\ufffd" not in text
        assert "<@all>" not in text and "<at id=all" not in text and "<at user_id" not in text
        assert "](https://evil" not in text

    async def test_after_a_time_out_nothing_is_repeated_by_the_adapter(self, alerts: Alerts, world: World) -> None:
        digest = _digest()
        await world.faults(system=self.robot, timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown):
            await alerts.send(digest)
        [message] = [one for one in await self._messages(world) if digest.title in str(one)]
        assert message["answered"] is False, "the world knows that nobody heard its yes"

    async def test_what_was_answered_counts_as_answered(self, alerts: Alerts, world: World) -> None:
        digest = _digest()
        await alerts.send(digest)
        [message] = [one for one in await self._messages(world) if digest.title in str(one)]
        assert message["answered"] is True

    async def test_an_outage_is_unavailable_and_nobody_is_rung(self, alerts: Alerts, world: World) -> None:
        digest = _digest()
        await world.faults(system=self.robot, error_rate=1.0)
        with pytest.raises(Unavailable):
            await alerts.send(digest)
        assert await self._shown(world, digest) == []

    async def test_a_mute_robot_says_how_long(self, alerts: Alerts, world: World) -> None:
        await world.post("robot", {"robot": self.robot, "per_minute": 0, "mute_seconds": 600.0})
        digest = _digest()
        with pytest.raises(Throttled) as wait:
            await alerts.send(digest)
        await world.post("robot", {"robot": self.robot, "per_minute": 1000})
        assert wait.value.seconds >= 60
        assert await self._shown(world, digest) == []

    async def test_a_refusal_is_no_success_though_http_says_200(self, alerts: Alerts, world: World) -> None:
        await world.post("robot", {"robot": self.robot, "refuse": 777})
        digest = _digest()
        with pytest.raises(Refused) as no:
            await alerts.send(digest)
        await world.post("robot", {"robot": self.robot, "refuse": 0})
        assert no.value.code == "777"
        assert await self._shown(world, digest) == []
        await alerts.send(digest)

    async def _messages(self, world: World) -> list[dict[str, Any]]:
        return list((await world.get("messages", robot=self.robot))["messages"])

    async def _shown(self, world: World, digest: Digest) -> list[dict[str, Any]]:
        return [one["message"] for one in await self._messages(world) if digest.title in str(one)]


def _digest(*items: Item, people: tuple[Person, ...] = ()) -> Digest:
    return Digest(f"订单异常挂起 {uuid4().hex}", items or (Item("SO1"),), people)
