"""The report as a run: yesterday by itself, any window by the form, and as a command."""

import json
from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import get_client

from flows.report import report
from tests.flows.stage import Ran, Stage, artifact, run


async def markdown_of(ran: Ran) -> str:
    async with get_client() as client:
        body = {"artifacts": {"flow_run_id": {"any_": [str(ran.id)]}}}
        found = (await client.request("POST", "/artifacts/filter", json=body)).json()
    [text] = [one["data"] for one in found if one["type"] == "markdown"]
    return str(text)


async def test_the_report_of_a_window_by_hand(stage: Stage) -> None:
    signed = await stage.signed()
    ran = await run(report, since="1h")
    assert ran.green and ran.name == "report accuracy not measured, no answers, 0.00 by hand"
    text = await markdown_of(ran)
    assert text.startswith("# Ballast report, ") and "1 orders were placed in it: 1 signed" in text
    assert "- status accuracy: no reconciliation ended in this window" in text and "0.07" in text
    rows = await artifact(ran)
    [whole] = [row for row in rows if row.get("step", "").startswith("placed to signed")]
    assert whole["orders"] == "1" and signed not in json.dumps(rows)
    assert {"Duplicate charges": "none"} in rows


async def test_by_itself_it_is_of_the_day_before(stage: Stage) -> None:
    await stage.placed()
    stage.later(timedelta(days=1))
    ran = await run(report)
    assert ran.green and "1 orders were placed in it" in await markdown_of(ran)


async def test_what_is_no_window_is_said_in_red(stage: Stage) -> None:
    ran = await run(report, since="yesterday")
    assert not ran.green and "since 'yesterday' is no time" in str(ran.state.message)


async def test_the_command_prints_it_and_as_json(stage: Stage) -> None:
    await stage.placed()
    told = json.loads(await stage.command("report", "--since", "1d", "--json"))
    assert told["orders"] == 1 and told["orders_by_state"] == {"PENDING_PAYMENT": 1}
    assert told["numbers"]["status_accuracy"]["share"] is None
    assert datetime.fromisoformat(told["until"]) <= datetime.now(UTC)
    shown = await stage.command("report", "--since", "1d")
    assert shown.index("The three numbers") < shown.index("Lead time by step") and "not measured" in shown
    assert "since 'noon' is no time" in await stage.command("report", "--since", "noon", code=2)
