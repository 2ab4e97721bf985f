"""Alerts: everything that has to be said, in one message, within the robot's limit."""

import asyncio
from datetime import timedelta

import pytest

from adapters.alerts.dingtalk.client import Dingtalk
from adapters.errors import NotUnderstood, Unavailable
from ballast import sending
from ballast.db.alerts import raise_alerts
from ballast.domain.words import System
from ballast.points import Point
from ballast.ports import Digest, Receipt
from flows.send_alerts import send_alerts
from tasks.alerts import send_digests
from tests.flows.races import LEASE_IS_OVER, Stall
from tests.flows.stage import Stage, run


async def alarm(stage: Stage, *keys: str) -> None:
    alerts = [{"key": key, "level": "warning", "title": key, "text": "look at it"} for key in keys]
    async with stage.house.transaction() as tx:
        await raise_alerts(tx, alerts, stage.house.clock.now())


async def heard(stage: Stage) -> list[str]:
    """What people read, since the test began."""
    told = (await stage.world.get("messages"))["messages"]
    return [one["message"]["markdown"]["text"] for one in told]


async def test_all_alerts_go_out_in_one_message_once(stage: Stage) -> None:
    before = len(await heard(stage))
    await alarm(stage, "red", "green")
    await alarm(stage, "red")
    assert (await run(send_alerts)).name == "send-alerts 2 alerts sent"
    assert (await run(send_alerts)).name == "send-alerts nothing due"
    [text] = (await heard(stage))[before:]
    assert "red" in text and "green" in text


async def test_a_mute_robot_gets_one_digest_of_everything_later(stage: Stage) -> None:
    before = len(await heard(stage))
    await stage.world.post("robot", {"per_minute": 0})
    await alarm(stage, "first")
    assert (await run(send_alerts)).name == "send-alerts 1 alerts again later"
    await stage.world.post("robot", {"per_minute": 1000})
    assert (await run(send_alerts)).name == "send-alerts nothing due", "it is left alone while it is mute"
    stage.later(timedelta(minutes=11))
    await alarm(stage, "second")
    assert (await run(send_alerts)).name == "send-alerts 2 alerts sent"
    [text] = (await heard(stage))[before:]
    assert "first" in text and "second" in text


async def test_our_own_limit_is_kept_before_the_robot_s(stage: Stage) -> None:
    dingtalk = stage.house.settings.dingtalk
    assert dingtalk is not None
    stage.configure(dingtalk=dingtalk.model_copy(update={"per_minute": 1}))
    before = len(await heard(stage))
    await alarm(stage, "one")
    await run(send_alerts)
    await alarm(stage, "two")
    await alarm(stage, "three")
    assert (await run(send_alerts)).name == "send-alerts 2 alerts waiting for the robot's next minute"
    assert len(await heard(stage)) == before + 1


async def test_waiting_for_the_robot_s_next_minute_is_no_attempt(stage: Stage) -> None:
    """Else an alert that waited for its turn would be given up at the first blip."""
    dingtalk = stage.house.settings.dingtalk
    assert dingtalk is not None
    stage.configure(dingtalk=dingtalk.model_copy(update={"per_minute": 1}))
    await alarm(stage, "first")
    assert await send_digests.fn() == {"alerts sent": 1}
    await alarm(stage, "patient")
    for _ in range(sending.ATTEMPTS + 1):
        assert await send_digests.fn() == {"alerts waiting for the robot's next minute": 1}
        stage.later(timedelta(seconds=6))
    stage.house.channels["dingtalk"].per_minute = 20
    await stage.world.faults(system="dingtalk", error_rate=1.0)
    assert await send_digests.fn() == {"alerts again later": 1}
    _, alert = await stage.notices()
    assert (alert.attempts, alert.sent_at) == (1, None)
    assert alert.due_at is not None
    await stage.world.calm()


@pytest.mark.parametrize("answer", [None, Unavailable(System.DINGTALK, "HTTP 503")], ids=["sent", "failed"])
@pytest.mark.parametrize("next_one", ["sent", "at work"])
async def test_who_comes_late_changes_nothing_for_the_next(
    stage: Stage, next_one: str, answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease ran out: what the next one sent is not sent a third time, whatever the first one found."""
    before = len(await heard(stage))
    await alarm(stage, "once")
    first = Stall(monkeypatch, stage.house.channels["dingtalk"], "send")
    slow = asyncio.create_task(send_digests.fn())
    await first.wait()
    stage.later(LEASE_IS_OVER)
    second = Stall(monkeypatch, stage.house.channels["dingtalk"], "send")
    quick = asyncio.create_task(send_digests.fn())
    await second.wait()
    if next_one == "sent":
        second.go.set()
        assert await quick == {"alerts sent": 1}
    first.answer = answer
    first.go.set()
    await slow
    stage.later(timedelta(seconds=30))
    assert await send_digests.fn() == {}
    second.go.set()
    await quick
    [alert] = await stage.notices()
    assert alert.sent_at is not None
    assert (alert.attempts, alert.due_at) == (2, None)
    assert len(await heard(stage)) == before + 2


@pytest.mark.parametrize("fault", ["timeout_after_effect", "success_without_effect"])
async def test_a_robot_is_told_at_most_twice(stage: Stage, fault: str) -> None:
    before = len(await heard(stage))
    await stage.world.faults(system="dingtalk", **{fault: 1.0}, hang_seconds=0.0)
    await alarm(stage, "once")
    for _ in range(4):
        await send_digests.fn()
        stage.later(timedelta(minutes=1))
    alert, *others = await stage.notices()
    assert alert.due_at is None, "nobody goes on sending it"
    if fault == "timeout_after_effect":
        assert [text.count("once") for text in (await heard(stage))[before:] if "once" in text] == [2, 2]
        assert [other.title for other in others] == ["dingtalk does not take alerts"]
        assert (alert.attempts, alert.sent_at) == (2, None), "it stays visible as unsent"
    else:
        assert (alert.attempts, len(await heard(stage))) == (1, before), "a robot's yes is all there is"


@pytest.mark.parametrize("before", [0, 3])
async def test_a_robot_whose_senders_die_is_told_at_most_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """Killed after the call, before what came of it was stored; calls that were not taken `before` do not count."""
    heard_before = len(await heard(stage))
    await alarm(stage, "once")
    await stage.world.faults(system="dingtalk", error_rate=1.0)
    for _ in range(before):
        await send_digests.fn()
        stage.later(timedelta(minutes=1))
    await stage.world.calm()

    class Killed(BaseException):
        pass

    def die(_: str, point: Point) -> None:
        if point is Point.CALLED:
            raise Killed

    monkeypatch.setattr(sending, "reached", die)
    for _ in range(2):
        with pytest.raises(Killed):
            await send_digests.fn()
        stage.later(timedelta(minutes=1))
    assert await send_digests.fn() == {}
    assert len(await heard(stage)) == heard_before + 2
    [alert] = await stage.notices()
    assert (alert.due_at, alert.sent_at) == (None, None), "it stays visible as unsent"


async def test_an_answer_in_no_known_words_counts_as_perhaps_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Digest] = []

    async def send(_: Dingtalk, digest: Digest) -> Receipt:
        sent.append(digest)
        raise NotUnderstood(System.DINGTALK, "no errcode")

    monkeypatch.setattr(Dingtalk, "send", send)
    await alarm(stage, "once")
    for _ in range(4):
        await send_digests.fn()
        stage.later(timedelta(minutes=1))
    assert len([digest for digest in sent if "once" in digest.title]) == 2


async def test_alerts_survive_a_robot_that_is_down(stage: Stage) -> None:
    before = len(await heard(stage))
    await alarm(stage, "kept")
    await stage.world.faults(system="dingtalk", error_rate=1.0)
    assert (await run(send_alerts)).name == "send-alerts 1 alerts again later"
    await stage.world.calm()
    stage.later(timedelta(seconds=10))
    assert (await run(send_alerts)).name == "send-alerts 1 alerts sent"
    assert len(await heard(stage)) == before + 1
