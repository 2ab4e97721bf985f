"""The Prefect UI as a control room: every deployment, task and run says what it is, what it did, and where to look."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import Task
from prefect.client.orchestration import get_client
from prefect.utilities.callables import parameter_schema

from ballast.db.alerts import raise_alerts
from deployments.apply import flow_of, read_deployments
from flows.sum_up import sum_up
from tasks.overview import plain
from tests.flows.stage import Ran, Stage, artifact, run

ROOT = Path(__file__).parents[2]
ENTRIES = {entry["name"]: entry for entry in read_deployments()}
SCHEDULED = [name for name, entry in ENTRIES.items() if entry["schedules"]]
KINDS = {"step", "duty", "by-hand"}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_deployment_says_what_it_does(name: str) -> None:
    entry = ENTRIES[name]
    flow = flow_of(entry["entrypoint"])
    assert re.search(r"[\u4e00-\u9fff]{3}", entry["description"]), "in Chinese"
    assert re.search(r"([A-Za-z]+[:,;]? ){3}", entry["description"]), "in English"
    assert "ballast" in entry["tags"] and len(KINDS & set(entry["tags"])) == 1
    assert flow.description is not None and len(flow.description) > 60
    assert flow.flow_run_name == name, "a run is called by its name until it says what it did"


@pytest.mark.parametrize("name", ENTRIES)
def test_every_field_of_a_form_is_described_in_both_languages(name: str) -> None:
    for field, shown in parameter_schema(flow_of(ENTRIES[name]["entrypoint"])).properties.items():
        said = shown.get("description", "")
        assert re.search(r"[A-Za-z]{3}", said) and re.search(r"[\u4e00-\u9fff]{2}", said), field


@pytest.mark.parametrize(
    ("name", "setting"),
    [("confirm-payment", "UNPAID"), ("ship-out", "WAREHOUSE_QUIET"), ("track-transit", "COURIER_QUIET")],
)
def test_a_step_that_asks_names_its_quiet_time(name: str, setting: str) -> None:
    assert f"BALLAST_PATIENCE__{setting}" in ENTRIES[name]["description"]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_run_is_named_after_its_outcome_and_leaves_its_artifact(name: str) -> None:
    """`Run.finish` names it and writes the artifact; what works through orders has a bar when it takes long."""
    source = (ROOT / ENTRIES[name]["entrypoint"].split(":")[0]).read_text(encoding="utf-8")
    assert re.search(r"run\.finish\(|run_step\(|run_messages\(|answer_each\(", source)


def tasks() -> list[Task[Any, Any]]:
    modules = [import_module(f"tasks.{file.stem}") for file in sorted((ROOT / "tasks").glob("[a-z]*.py"))]
    found = {id(one): one for module in modules for one in vars(module).values() if isinstance(one, Task)}
    return list(found.values())


def test_every_task_has_a_name_a_tag_and_a_description() -> None:
    assert len(tasks()) > 20
    for one in tasks():
        assert one.tags and " " in one.name and one.name[0].islower() and one.description, one.name
    assert len({one.name for one in tasks()}) == len(tasks())


@pytest.mark.parametrize("name", SCHEDULED)
async def test_with_nothing_to_do_a_run_says_so(stage: Stage, name: str) -> None:
    ran = await run(flow_of(ENTRIES[name]["entrypoint"]))
    assert ran.green and ran.name.startswith(f"{name} "), ran.name
    if ran.name.endswith("nothing due"):
        assert await artifact(ran) == []


async def page_of(ran: Ran) -> str:
    async with get_client() as client:
        body = {"artifacts": {"flow_run_id": {"any_": [str(ran.id)]}, "type": {"any_": ["markdown"]}}}
        [found] = (await client.request("POST", "/artifacts/filter", json=body)).json()
    assert found["key"] == "control-room"
    return str(found["data"])


async def test_the_page_shows_states_holds_and_alerts_with_links(stage: Stage) -> None:
    held, locked = await stage.outbound(), await stage.locked()
    await stage.world.act(held, "scan", state_ex="404")
    await stage.read()
    async with stage.house.transaction() as tx:
        row = {"key": "k", "level": "urgent", "title": "a | <b> [x](http://evil)\n# h", "text": "", "order_id": None}
        await raise_alerts(tx, [row], stage.house.clock.now())
    ran = await run(sum_up)
    assert ran.name.startswith("sum-up 2 under way, ") and "1 on hold" in ran.name
    page = await page_of(ran)
    assert f"[{held}](http://127.0.0.1:8100/orders/{held}?key=" in page
    assert "| COURIER_REFUSED | the customer refused the parcel | 1 |" in page
    assert "| pending payment | stock locked |" in page and "| 0 | 1 | 0 | 0 | 0 | 1 | 0 |" in page
    assert locked not in page
    assert r"a \| \<b\> \[x\](http://evil) \# h" in page
    assert re.search(r"\[#\d+\]\(http://127\.0\.0\.1:8100/alerts/\d+\?key=\w+\) urgent \|", page)


async def test_the_page_speaks_chinese(stage: Stage) -> None:
    await stage.locked()
    config = stage.house.settings.model_copy(update={"language": "zh"})
    object.__setattr__(stage.house, "settings", config)
    page = await page_of(await run(sum_up))
    assert "各状态订单" in page and "| 待支付 | 已锁定库存 |" in page


def test_words_of_others_cannot_leave_their_cell() -> None:
    assert plain("a|b\nc `d`") == r"a\|b c \`d\`"
    assert len(plain("x" * 1000)) == 200
