"""Channel return and charts as runs: what their artifacts say and link to, and as commands."""

import json
import re
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from ballast.report_folder import ReportFolder
from ballast.settings import ReportSettings
from ballast.wiring import report_key
from flows.draw_charts import draw_charts
from flows.report_channels import report_channels
from tests.flows.stage import Ran, Stage, run
from tests.web.stage import CONSOLE_KEY


@pytest.fixture(autouse=True)
def folder(stage: Stage, tmp_path: Path) -> ReportFolder:
    """Where the runs of a test put their reports."""
    stage.configure(reports=ReportSettings(folder=tmp_path / "reports"))
    return ReportFolder(tmp_path / "reports")


async def artifacts(ran: Ran) -> dict[str, str]:
    """Key -> what it shows: markdown, or the address of a picture."""
    async with get_client() as client:
        body = {"artifacts": {"flow_run_id": {"any_": [str(ran.id)]}}}
        found = (await client.request("POST", "/artifacts/filter", json=body)).json()
    return {one["key"]: one["data"] for one in found}


async def test_the_channels_of_today(stage: Stage, folder: ReportFolder) -> None:
    await stage.signed()
    today = f"{stage.house.clock.now():%Y-%m-%d}"
    ran = await run(report_channels, first=today)
    assert ran.green and re.match(r"report-channels 1 channels, CNY [0-9.]+ net, ROI no data$", ran.name), ran.name
    shown = await artifacts(ran)
    assert set(shown) == {"channels", "chart-radar-cny"}
    assert shown["channels"].startswith("# Channel return, ") and "| orders | 1 |" in shown["channels"]
    links = dict(re.findall(r"\[([^]]+)\]\(\S+\?key=([0-9a-f]{32})\)", shown["channels"]))
    assert [name.rpartition(".")[2] for name in links] == ["html", "png", "xlsx"]
    for name, key in links.items():
        assert folder.find(name) is not None and key == report_key(CONSOLE_KEY, name)
    assert shown["chart-radar-cny"].startswith(f"{stage.house.settings.web_url}/reports/channels-")


async def test_the_charts_note_the_stock_of_the_day(stage: Stage, folder: ReportFolder) -> None:
    await stage.signed()
    ran = await run(draw_charts)
    assert ran.green and ran.name == "draw-charts 3 charts, 0 stock levels noted"
    shown = await artifacts(ran)
    assert set(shown) == {"charts", "chart-lead-times", "chart-holds", "chart-stock"}
    assert len(list(folder.folder.iterdir())) == 4


async def test_the_commands(stage: Stage, tmp_path: Path) -> None:
    await stage.signed()
    today = f"{stage.house.clock.now():%Y-%m-%d}"
    costs = tmp_path / "costs.csv"
    costs.write_text(f"channel,day,amount\nwechat,{today},3.00\ndirect,{today},2.00\nnobody,{today},x\n")
    said = await stage.command("channels", "cost", "import", str(costs), code=1)
    assert "2 row(s) are in the books, 1 refused" in said and "line 4, column amount" in said
    told = json.loads(await stage.command("channels", "report", "--from", today, "--json"))
    [total] = told["totals"]
    assert total["orders"] == 1 and total["acquisition_cost"] == 500
    into = str(tmp_path / "charts")
    shown = await stage.command("channels", "report", "--from", today, "--charts", into)
    assert "acquisition cost" in shown and "no data" in shown
    drawn = json.loads(await stage.command("charts", "--into", into, "--json"))
    assert all(Path(name).is_file() for name in drawn["files"]) and len(drawn["files"]) == 4
    assert "is no month" in await stage.command("channels", "report", "--month", "May", code=2)
