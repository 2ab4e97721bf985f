"""Watching: a breach is a row, an alert, an event and a line of the run; alerts climb until somebody answers."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from ballast.db.answers import answer_alerts
from ballast.db.claims import due_now
from ballast.domain.words import State
from flows.send_alerts import send_alerts
from flows.watch_sla import watch_sla
from tests.contracts.outside import wecom_for
from tests.flows.stage import Stage, artifact, run

HOURS = timedelta(hours=1)
POLICY = """\
through: [dingtalk, wecom]
clocks:
  - {name: unpaid, label: not paid, state: PENDING_PAYMENT, since: placed, until: paid, yellow: 2h, red: 4h}
ladders:
  info: [{after: 0m, to: desk}]
  warning:
    - {after: 0m, to: desk}
    - {after: 20m, to: boss}
    - {after: 40m, to: boss}
  urgent: [{after: 0m, to: boss}]
roles: {desk: zhang, boss: wang}
people: {zhang: {name: Zhang, dingtalk: "13800000001"}, wang: {name: Wang, dingtalk: "13900000002"}}
"""


@pytest.fixture
def policy(stage: Stage, tmp_path: Path) -> Path:
    """A policy file that this house reads from now on."""
    file = tmp_path / "sla.yaml"
    file.write_text(POLICY)
    stage.house.sla.file, stage.house.sla._policy = file, None
    return file


async def texts(stage: Stage, robot: str = "dingtalk") -> list[str]:
    """What people read in the group, since the world began."""
    told = (await stage.world.get("messages", robot=robot))["messages"]
    return [str(one["message"]) for one in told]


async def events(name: str, order_no: str) -> list[dict[str, Any]]:
    """Events of an order as the server has them; they arrive a moment later."""
    body = {"filter": {"event": {"name": [name]}, "resource": {"id": [f"ballast.order.{order_no}"]}}}
    found: list[dict[str, Any]] = []
    async with get_client() as client:
        for _ in range(100):
            found = (await client.request("POST", "/events/filter", json=body)).json()["events"]
            if found:
                break
            await asyncio.sleep(0.1)
    return found


async def test_a_breach_is_a_row_an_alert_an_event_and_a_line_of_the_run(stage: Stage, policy: Path) -> None:
    order_no = await stage.placed()
    assert (await run(watch_sla)).name.startswith("watch-sla 1 new policy")
    assert (await run(watch_sla)).name == "watch-sla nothing due"
    stage.later(2 * HOURS)
    async with stage.house.transaction() as tx:
        assert "sla" in await due_now(tx, stage.house.clock.now())
    ran = await run(watch_sla)
    assert ran.name == "watch-sla 1 yellow unpaid"
    [line] = await artifact(ran)
    assert order_no in line["order"] and line["level"] == "yellow" and line["clock"] == "not paid"
    [event] = await events("ballast.sla.yellow", order_no)
    assert event["payload"]["clock"] == "unpaid" and event["payload"]["state"] == State.PENDING_PAYMENT
    [alert] = [one for one in await stage.alerts() if one.key.startswith("sla:")]
    assert (alert.level, alert.ladder) == ("warning", "warning")
    stage.later(2 * HOURS)
    assert (await run(watch_sla)).name == "watch-sla 1 red unpaid"
    assert len(await events("ballast.sla.red", order_no)) == 1


async def test_nobody_answers_so_others_are_told_and_an_answer_stops_it(stage: Stage, policy: Path) -> None:
    order_no = await stage.placed()
    stage.later(2 * HOURS)
    await run(watch_sla)
    before = len(await texts(stage))
    assert (await run(send_alerts)).name == "send-alerts 1 alerts sent"
    assert (await run(send_alerts)).name == "send-alerts nothing due"
    stage.later(timedelta(minutes=20))
    assert (await run(send_alerts)).name == "send-alerts 1 alerts sent"
    [alert] = await stage.alerts()
    async with stage.house.transaction() as tx:
        await answer_alerts(tx, [alert.id], by="wang", now=stage.house.clock.now(), resolve=False)
    stage.later(timedelta(minutes=60))
    assert (await run(send_alerts)).name == "send-alerts nothing due"
    first, second = (await texts(stage))[before:]
    assert order_no in first and "@13800000001" in first and "@13900000002" not in first
    assert order_no in second and "@13900000002" in second and "nobody has answered, step 2" in second


async def test_rungs_that_were_missed_are_told_as_one_to_all_of_their_people(stage: Stage, policy: Path) -> None:
    await stage.placed()
    stage.later(2 * HOURS)
    await run(watch_sla)
    stage.later(timedelta(minutes=50))
    before = len(await texts(stage))
    assert (await run(send_alerts)).name == "send-alerts 1 alerts sent"
    [message] = (await texts(stage))[before:]
    assert "@13800000001" in message and "@13900000002" in message and "step 3" in message
    assert [notice.rung for notice in await stage.notices()] == [2]


async def test_a_robot_that_refuses_is_left_for_the_next_and_that_is_an_alert(stage: Stage, policy: Path) -> None:
    stage.configure(wecom=wecom_for(stage.world))
    await stage.placed()
    stage.later(2 * HOURS)
    await run(watch_sla)
    before, others = len(await texts(stage)), len(await texts(stage, "wecom"))
    await stage.world.post("robot", {"robot": "dingtalk", "refuse": 310000})
    assert "1 alerts left dingtalk" in (await run(send_alerts)).name
    await run(send_alerts)
    await stage.world.post("robot", {"robot": "dingtalk", "refuse": 0})
    await run(send_alerts)
    assert len(await texts(stage)) == before
    told = "".join((await texts(stage, "wecom"))[others:])
    assert "not paid" in told and "dingtalk does not take alerts" in told
    ends = {(n.channel, n.sent_at is not None, n.due_at) for n in await stage.notices()}
    assert ends == {("dingtalk", False, None), ("wecom", True, None)}
    assert all("310000" in notice.note for notice in await stage.notices() if notice.channel == "dingtalk")


async def test_a_changed_policy_is_taken_on_and_one_with_a_mistake_is_an_alert(stage: Stage, policy: Path) -> None:
    await stage.placed()
    await run(watch_sla)
    policy.write_text(POLICY.replace("yellow: 2h", "yellow: 1h"))
    stage.house.sla._looked_at = 0.0
    stage.later(1 * HOURS)
    assert (await run(watch_sla)).name == "watch-sla 1 new policy, 1 yellow unpaid"
    policy.write_text(POLICY.replace("yellow: 2h", "yellow: 5h"))
    stage.house.sla._looked_at = 0.0
    stage.later(4 * HOURS)
    assert (await run(watch_sla)).name == "watch-sla 1 red unpaid", "by the policy before"
    [alert] = [one for one in await stage.alerts() if one.key.startswith("sla-policy")]
    assert "red comes before yellow" in alert.text and ":3: " in alert.text
    await run(watch_sla)
    assert len([one for one in await stage.alerts() if one.key.startswith("sla-policy")]) == 1
    versions = await stage.rows("select count(*) from sla_policy_version")
    assert versions[0][0] == 2


async def test_orders_of_the_version_before_are_watched_from_the_first_sweep_on(stage: Stage, policy: Path) -> None:
    await stage.placed()
    await stage.rows("update sales_order set sla_due_at = null returning id")
    stage.later(5 * HOURS)
    assert (await run(watch_sla)).name in (
        "watch-sla 1 new policy, 1 yellow unpaid, 1 red unpaid",
        "watch-sla 1 new policy, 1 red unpaid, 1 yellow unpaid",
    )
