"""The door of Prefect's automations: who may use it, what it raises, and what a repeat does."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ballast.db.engine import make_engine, rows
from ballast.db.machine_alerts import QUIET, end_about, keys_of, raise_once
from ballast.wiring import House
from tests.times import SettableClock
from tests.web.stage import HOOK_KEY, NOWHERE, Stage, make_house, open_stage
from web.hooks.control import ControlDoor

RUN = {"flow": "lock-stock", "run": "lock-stock nothing due", "state": "Failed", "message": "kingdee: 503", "link": ""}


async def tell(http: httpx.AsyncClient, automation: str, about: Any = None, key: str | None = HOOK_KEY) -> int:
    """What the notification block sends; the status of the answer."""
    headers = {} if key is None else {"x-ballast-key": key}
    body = {"automation": automation, "about": json.dumps({} if about is None else about)}
    return (await http.post("/hooks/prefect", json=body, headers=headers)).status_code


async def alerts(house: House) -> list[Any]:
    async with house.transaction() as tx:
        return list(await rows(tx, "select * from alert order by id"))


async def test_a_step_that_failed_twice_is_an_alert_and_a_repeat_is_none(stage: Stage) -> None:
    assert await tell(stage.http, "step-failed", RUN) == 204
    assert await tell(stage.http, "step-failed", {**RUN, "message": "another"}) == 204
    assert await tell(stage.http, "step-failed", {**RUN, "flow": "ship-out"}) == 204
    first, second = await alerts(stage.house)
    assert (first.level, first.title) == ("warning", "lock-stock failed twice within ten minutes")
    assert "kingdee: 503" in first.text and first.climbs_at is not None
    assert second.title.startswith("ship-out")


async def test_alerts_speak_the_language_of_the_settings(database_url: str, a_house: House) -> None:
    house = make_house(database_url, language="zh")
    async with open_stage(house) as stage:
        assert await tell(stage.http, "step-failed", RUN) == 204
        assert await tell(stage.http, "worker-gone", {"pool": "ballast"}) == 204
    titles = [one.title for one in await alerts(house)]
    assert titles == ["lock-stock 十分钟内失败两次", "工作池 ballast 没有存活的工作进程"]
    await house.close()


async def test_a_worker_that_is_back_ends_its_alert_and_no_other(stage: Stage) -> None:
    await tell(stage.http, "worker-gone", {"pool": "ballast"})
    await tell(stage.http, "worker-gone", {"pool": "ballast-2"})
    assert await tell(stage.http, "worker-back", {"pool": "ballast"}) == 204
    ended, other = await alerts(stage.house)
    assert ended.ended_at is not None
    assert other.ended_at is None
    assert await tell(stage.http, "worker-back", {"pool": "ballast"}) == 204


@pytest.mark.parametrize("key", [None, "", "wrong", HOOK_KEY[:-1], HOOK_KEY + "x"])
async def test_without_the_key_nothing_happens(stage: Stage, key: str | None) -> None:
    assert await tell(stage.http, "step-failed", RUN, key=key) == 401
    assert await alerts(stage.house) == []


async def test_who_guesses_is_slowed_down(database_url: str, a_house: House) -> None:
    limits = a_house.settings.limits.model_copy(update={"forgeries_per_minute": 3})
    house = make_house(database_url, limits=limits)
    async with open_stage(house) as stage:
        seen = [await tell(stage.http, "step-failed", RUN, key="guess") for _ in range(4)]
        assert seen == [401, 401, 401, 429]
    await house.close()


async def test_without_a_key_in_the_settings_there_is_no_door(database_url: str) -> None:
    house = make_house(database_url, prefect_hook_key=None)
    async with open_stage(house) as stage:
        assert await tell(stage.http, "step-failed", RUN) == 404
    await house.close()


@pytest.mark.parametrize(
    ("automation", "about"),
    [
        ("step-failed", {}),
        ("step-failed", {"flow": 7}),
        ("step-failed", {"flow": "x" * 81}),
        ("step-failed", {"flow": "a b"}),
        ("step-failed", {"flow": "a:b"}),
        ("worker-gone", {"pool": ""}),
        ("worker-gone", []),
        ("worker-gone", "text"),
        ("no-such-automation", RUN),
    ],
)
async def test_what_no_automation_sends_is_refused(stage: Stage, automation: str, about: Any) -> None:
    assert await tell(stage.http, automation, about) == 400
    assert await alerts(stage.house) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"automation": 1, "about": "{}"}', b"\xff", b"[" * 5000])
async def test_bodies_of_another_shape_are_refused(stage: Stage, body: bytes) -> None:
    answer = await stage.http.post("/hooks/prefect", content=body, headers={"x-ballast-key": HOOK_KEY})
    assert answer.status_code == 400 and "not what" in answer.text


async def test_a_body_has_an_end(stage: Stage) -> None:
    body = b"x" * 1_000_001
    answer = await stage.http.post("/hooks/prefect", content=body, headers={"x-ballast-key": HOOK_KEY})
    assert answer.status_code == 413


async def test_words_of_runs_are_bounded_and_stay_on_one_line(stage: Stage) -> None:
    await tell(stage.http, "step-failed", {**RUN, "message": "a\nb\x00" + "x" * 100_000})
    [alert] = await alerts(stage.house)
    assert "a b x" in alert.text and len(alert.text) < 1500


async def test_while_the_database_is_down_prefect_is_told(stage: Stage) -> None:
    engine, stage.house.engine = stage.house.engine, make_engine(NOWHERE)
    status = await tell(stage.http, "step-failed", RUN)
    stage.house.engine = engine
    assert status == 503


async def test_doctor_knocks_and_leaves_nothing_behind(stage: Stage) -> None:
    assert await tell(stage.http, "hello") == 204
    assert await alerts(stage.house) == []


async def test_get_is_refused(stage: Stage) -> None:
    assert (await stage.http.get("/hooks/prefect", headers={"x-ballast-key": HOOK_KEY})).status_code in (404, 405)


async def test_people_are_told_after_the_answer_and_one_at_a_time(house: House) -> None:
    sent: list[int] = []
    inside = 0

    async def send(_: House) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0.05)
        sent.append(len(await alerts(house)))
        inside -= 1

    door = ControlDoor(house, HOOK_KEY, send)
    await asyncio.gather(*(door._tell_people() for _ in range(5)))
    assert len(sent) == 2, "the first, and once more for all who came meanwhile"


async def test_a_sending_that_fails_is_nobodys_trouble(house: House) -> None:
    tried = 0

    async def send(_: House) -> None:
        nonlocal tried
        tried += 1
        raise RuntimeError("the robot is on fire")

    door = ControlDoor(house, HOOK_KEY, send)
    await door._tell_people()
    await door._tell_people()
    assert tried == 2


async def raised(house: House, subject: str, at: Any) -> bool:
    alert = {"level": "warning", "title": "t", "text": ""}
    async with house.transaction() as tx:
        return await raise_once(tx, subject, alert, now=at, machine_now=at)


async def test_what_is_open_rings_anew_after_a_day_and_what_is_over_at_once(
    a_house: House, clock: SettableClock
) -> None:
    start = clock.now()
    assert await raised(a_house, "worker-gone:p", start)
    assert not await raised(a_house, "worker-gone:p", start + timedelta(minutes=11))
    assert not await raised(a_house, "worker-gone:p", start + QUIET - timedelta(minutes=10))
    assert await raised(a_house, "worker-gone:p", start + QUIET + timedelta(minutes=11))
    async with a_house.transaction() as tx:
        assert await end_about(tx, "worker-gone:p", start) == 2
    assert await raised(a_house, "worker-gone:p", start + QUIET + timedelta(minutes=22))


async def test_told_many_times_at_the_same_moment_it_rings_once(a_house: House, clock: SettableClock) -> None:
    now = clock.now()
    edge = now.replace(minute=9, second=59)
    new = await asyncio.gather(*(raised(a_house, "s", edge + timedelta(seconds=n % 2)) for n in range(8)))
    assert sum(new) == 1, "also across the edge between two keys"


def test_keys_reach_back_a_day(clock: SettableClock) -> None:
    now = clock.now()
    assert len(keys_of("s", now)) == 145
    assert keys_of("s", now)[1] == keys_of("s", now - timedelta(minutes=10))[0]
