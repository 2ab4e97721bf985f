"""The form `answer-alerts` and `ballast alerts`: by number, by order, and what they leave behind."""

import asyncio
import json
import sys

import pytest

from ballast.db.alerts import raise_alerts
from flows.answer_alerts import Answer, answer_alerts
from tests.contracts.outside import ROOT
from tests.flows.serving import environment
from tests.flows.stage import Ran, Stage, artifact, run


async def raised(stage: Stage, *keys: str, order_no: str | None = None) -> list[int]:
    """Numbers of new alerts, of an order or of none."""
    order_id = (await stage.order(order_no)).id if order_no else None
    async with stage.house.transaction() as tx:
        row = {"level": "urgent", "text": "", "order_id": order_id}
        rows = [{"key": key, "title": f"{key} <b>", **row} for key in keys]
        await raise_alerts(tx, rows, stage.house.clock.now())
    return [row.id for row in await stage.rows("select id from alert where key = any(:keys) order by id", keys=[*keys])]


async def said(ran: Ran) -> dict[str, str]:
    return {row["alert"].split("]")[0].strip("["): row["what happened"] for row in await artifact(ran)}


async def test_by_number_and_by_order(stage: Stage) -> None:
    order_no = await stage.placed()
    [one] = await raised(stage, "a")
    of_order = await raised(stage, "b", "c", order_no=order_no)
    ran = await run(answer_alerts, alert_numbers=[f"#{one}, 4711"], order_numbers=[order_no], by="li", note="on it")
    assert ran.name == "answer-alerts 3 acknowledged, 1 unknown alert"
    assert await said(ran) == {
        f"#{one}": "acknowledged", "4711": "unknown alert", **{f"#{id}": "acknowledged" for id in of_order},
    }  # fmt: skip
    rows = {row["alert"].split("]")[0]: row for row in await artifact(ran)}
    assert f"/alerts/{of_order[0]}?key=" in rows[f"[#{of_order[0]}"]["alert"]
    assert f"/orders/{order_no}?key=" in rows[f"[#{of_order[0]}"]["order"]
    kept = await stage.rows("select acknowledged_by, note, resolved_by from alert")
    assert {(row.acknowledged_by, row.note, row.resolved_by) for row in kept} == {("li", "on it", None)}


async def test_resolving_and_a_dry_run(stage: Stage) -> None:
    [one] = await raised(stage, "a")
    dry = await run(answer_alerts, alert_numbers=[str(one)], answer=Answer.RESOLVE, dry_run=True)
    assert dry.name == "answer-alerts 1 would be resolved"
    assert (await stage.rows("select ended_at from alert"))[0].ended_at is None
    ran = await run(answer_alerts, alert_numbers=[str(one)], answer="resolve", by="li")
    assert ran.name == "answer-alerts 1 resolved"
    [row] = await stage.rows("select resolved_by, ended_at from alert")
    assert row.resolved_by == "li" and row.ended_at is not None


async def test_an_empty_form_says_so(stage: Stage) -> None:
    [_] = await raised(stage, "a")
    ran = await run(answer_alerts, alert_numbers=[" "])
    assert ran.state.is_failed() and "say which alerts" in str(ran.state.message)


@pytest.mark.parametrize("wrong", [{"answer": "ignore"}, {"by": ""}, {"note": "x" * 501}, {"dry_run": "perhaps"}])
async def test_the_form_is_typed(stage: Stage, wrong: dict[str, str]) -> None:
    ran = await answer_alerts(**{"alert_numbers": ["1"], **wrong}, return_state=True)  # type: ignore[call-overload]
    assert ran.is_failed() and "invalid parameters" in str(ran.message)


async def ballast(stage: Stage, *words: str) -> tuple[int, str]:
    """The command line, without a Prefect server."""
    url = stage.house.settings.database_url
    assert url is not None
    env = environment(url.get_secret_value(), stage.world, BALLAST_CONSOLE_KEY="k", COLUMNS="200")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ballast.cli", *words, cwd="/tmp", env={**env, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_the_command_line_lists_and_answers(stage: Stage) -> None:
    order_no = await stage.placed()
    first, second = await raised(stage, "a", "b", order_no=order_no)
    code, out = await ballast(stage, "alerts")
    assert code == 0 and f"#{first}" in out and "a <b>" in out and "urgent" in out
    assert await ballast(stage, "alerts", "ack", str(first), "--by", "li") == (0, f"#{first}: acknowledged\n")
    code, out = await ballast(stage, "alerts", "resolve", f"{first},99", "--by", "wang", "--note", "sent anew")
    assert (code, out.splitlines()) == (1, [f"#{first}: resolved", "99: unknown alert"])
    open_now = json.loads((await ballast(stage, "alerts", "--json"))[1])
    assert [(one["id"], one["order_no"], one["acknowledged_by"]) for one in open_now] == [(second, order_no, None)]
    assert open_now[0]["link"].startswith("http") and "key=" in open_now[0]["link"]
    every = json.loads((await ballast(stage, "alerts", "--all", "--json"))[1])
    assert {one["id"]: (one["resolved_by"], one["note"]) for one in every}[first] == ("wang", "sent anew")
    code, out = await ballast(stage, "alerts", "resolve", "--order", order_no, "--by", "li")
    assert (code, out) == (0, f"#{second}: resolved\n")
    assert (await ballast(stage, "alerts"))[1] == "no open alert\n"
    code, out = await ballast(stage, "alerts", "ack")
    assert code == 2 and "say which alerts" in out
