"""What every alert adapter must do, against a world that keeps what people were shown: subclass it, give alerts."""

from typing import Any
from uuid import uuid4

import pytest

from adapters.errors import OutcomeUnknown, Throttled, Unavailable
from ballast.ports import Alerts, Digest
from tests.contracts.outside import World


class AlertsContract:
    async def test_ping_answers_without_ringing_anybody(self, alerts: Alerts, world: World) -> None:
        before = len(await _messages(world))
        assert await alerts.ping()
        assert len(await _messages(world)) == before

    async def test_people_see_title_lines_and_who_is_rung(self, alerts: Alerts, world: World) -> None:
        digest = _digest(lines=("SO1 缺货", "SO2 拒收"), mentions=("13800000001",))
        await alerts.send(digest)
        [shown] = await _shown(world, digest)
        for words in ("SO1 缺货", "SO2 拒收", "@13800000001"):
            assert words in str(shown)

    async def test_a_very_long_list_arrives_cut(self, alerts: Alerts, world: World) -> None:
        digest = _digest(lines=tuple(f"SO{number} 超时未揽收" for number in range(5000)))
        await alerts.send(digest)
        [shown] = await _shown(world, digest)
        assert "SO0 " in str(shown)
        assert "SO4999" not in str(shown)

    async def test_after_a_time_out_nothing_is_repeated_by_the_adapter(self, alerts: Alerts, world: World) -> None:
        digest = _digest()
        await world.faults(system="*", timeout_after_effect=1.0, hang_seconds=0.0)
        with pytest.raises(OutcomeUnknown):
            await alerts.send(digest)
        assert len(await _shown(world, digest)) == 1

    async def test_an_outage_is_unavailable_and_nobody_is_rung(self, alerts: Alerts, world: World) -> None:
        digest = _digest()
        await world.faults(system="*", error_rate=1.0)
        with pytest.raises(Unavailable):
            await alerts.send(digest)
        assert await _shown(world, digest) == []

    async def test_a_mute_robot_says_how_long(self, alerts: Alerts, world: World) -> None:
        await world.post("robot", {"per_minute": 0, "mute_seconds": 600.0})
        digest = _digest()
        with pytest.raises(Throttled) as wait:
            await alerts.send(digest)
        await world.post("robot", {"per_minute": 1000})
        assert wait.value.seconds >= 60
        assert await _shown(world, digest) == []


def _digest(**changes: Any) -> Digest:
    values: dict[str, Any] = {"title": f"订单异常挂起 {uuid4().hex}", "lines": ("SO1",)}
    return Digest(**{**values, **changes})


async def _messages(world: World) -> list[dict[str, Any]]:
    return list((await world.get("messages"))["messages"])


async def _shown(world: World, digest: Digest) -> list[dict[str, Any]]:
    return [message for message in await _messages(world) if digest.title in str(message)]
