"""`/metrics`: who may read it, what it says, what it costs, and what never stands in it."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

import web.metrics
from adapters.observing import Call
from ballast.clock import Clock
from ballast.counters import CHUNKS, RUN_OUTCOMES
from ballast.db.engine import dumps, make_engine, run
from ballast.domain.words import HoldReason, State, System
from ballast.settings import SettingsError
from ballast.wiring import House
from tests.db.stage import bring, hold_by_hand, make_order, place, release, statements
from tests.times import SettableClock
from tests.web.senders import kdniao
from tests.web.stage import NOWHERE, Stage, make_house, open_stage
from web.app import make_app

KEY = "a-long-random-text"
DASHBOARD = Path(__file__).parents[2] / "docs/grafana/ballast.json"
Seen = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(http: httpx.AsyncClient, **headers: str) -> Seen:
    """(name, labels) -> value of every line."""
    answer = await http.get("/metrics", headers=headers)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    return read(answer.text)


def read(text: str) -> Seen:
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples}


def value(seen: Seen, name: str, **labels: str) -> float | None:
    return seen.get((f"ballast_{name}", tuple(sorted(labels.items()))))


# -- who may read it ---------------------------------------------------------------------------------------------


async def test_without_a_key_only_this_machine_may_read_it(stage: Stage) -> None:
    assert (await stage.http.get("/metrics")).status_code == 200
    for header in ("x-forwarded-for", "forwarded", "via", "x-real-ip"):
        answer = await stage.http.get("/metrics", headers={header: "127.0.0.1"})
        assert answer.status_code == 403 and "BALLAST_METRICS_KEY" in answer.text and "ballast_" not in answer.text


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False),
     ("::ffff:10.0.0.1", False), ("testclient", False), ("", False)],
)  # fmt: skip
def test_what_this_machine_is(host: str, here: bool) -> None:
    from starlette.requests import Request

    request = Request({"type": "http", "headers": [], "client": (host, 1) if host else None})
    assert web.metrics.is_here(request) is here


async def test_with_a_key_nobody_reads_it_without(a_house: House, database_url: str) -> None:
    house = make_house(database_url, metrics_key=SecretStr(KEY))
    async with open_stage(house) as stage:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": KEY},
            {"authorization": f"Basic {KEY}"},
        ):
            answer = await stage.http.get("/metrics", headers=headers)
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
            assert "ballast_" not in answer.text and KEY not in answer.text
        assert value(await scrape(stage.http, authorization=f"Bearer {KEY}"), "books_up") == 1
        assert (await stage.http.get(f"/metrics?key={KEY}")).status_code == 401, "a query would stand in logs"
        for _ in range(house.settings.limits.wrong_keys_per_minute):
            last = await stage.http.get("/metrics", headers={"authorization": b"Bearer \xe9"})
        assert last.status_code == 429 and int(last.headers["retry-after"]) > 0
        guessed = await stage.http.get("/metrics", headers={"authorization": f"Bearer {KEY}"})
        assert guessed.status_code == 429, "who guesses does not learn that it was right"
    await house.close()


async def test_an_empty_key_is_none_and_refused(database_url: str) -> None:
    house = make_house(database_url, metrics_key=SecretStr(" "))
    with pytest.raises(SettingsError, match="BALLAST_METRICS_KEY is empty"):
        make_app(house)
    await house.close()


async def test_it_takes_no_body(stage: Stage) -> None:
    assert (await stage.http.request("GET", "/metrics", content=b"x")).status_code == 413
    assert (await stage.http.post("/metrics")).status_code == 405


# -- what it says ------------------------------------------------------------------------------------------------


async def fill(house: House) -> None:
    """One of everything that is shown, of this very hour."""
    assert isinstance(house.clock, SettableClock)
    house.clock.set(Clock().now())
    ids = await place(house, *(make_order(f"SO-{n}") for n in range(1, 4)))
    await bring(house, State.SIGNED, order=make_order("SO-SIGNED"))
    await hold_by_hand(house, HoldReason.COMPLAINT, "SO-2")
    await hold_by_hand(house, HoldReason.COMPLAINT, "SO-3")
    await release(house, "SO-3")
    now = house.clock.now()
    early = now - timedelta(minutes=10)
    alerts = [("a", "urgent", None, None), ("b", "warning", now, None), ("c", "urgent", None, now)]
    async with house.transaction() as tx:
        await run(tx, "update sales_order set placed_at = :now", now=early)
        for key, level, acknowledged, ended in [*alerts, ("d", "info", None, None)]:
            await run(
                tx,
                """
                insert into alert (key, level, title, text, raised_at, acknowledged_at, ended_at)
                values (:key, :level, '', '', :at, :acknowledged, :ended)""",
                key=key, level=level, at=early, acknowledged=acknowledged, ended=ended,
            )  # fmt: skip
        for table, columns in {
            "alert_notice": "alert_id, rung, channel, due_at, created_at) values (1, 0, 'dingtalk', :at, :at",
            "sla_breach": "order_id, clock, level, started_at, due_at, seen_at, channel, courier) values "
            f"({ids['SO-1']}, 'transit', 'red', :at, :at, :at, '', ''",
            "inbox": "source, event_id, topic, order_no, payload, state, received_at, note) values "
            "('kdniao', 'e', 'news', 'SO-9', '{}', 'waiting', :at, ''",
        }.items():
            await run(tx, f"insert into {table} ({columns})", at=early)
        await run(tx, "update outbox set due_at = :at where id = (select min(id) from outbox)", at=early)
        figures = {"asked": 10, "agreeing": 9, "systems": {"erp": {"asked": 0, "agreeing": 0}}}
        await run(
            tx,
            """
            insert into reconciliation (scope, wanted, asked_by, began_at, ended_at, figures)
            values ('sample', 10, 'schedule', :at, :at, cast(:figures as jsonb))""",
            at=early, figures=dumps(figures),
        )  # fmt: skip


@pytest.fixture
def an_adapter_call() -> Iterator[None]:
    """What only the process counts that makes the calls."""
    with Call(System.KINGDEE, "POST", "http://h/x", order_no="SO-1", operation="Save") as call:
        call.answered(httpx.Response(200))
    RUN_OUTCOMES.labels("lock-stock", "locked").inc()
    CHUNKS.labels("lock-stock", "done").inc()
    yield


async def test_how_things_stand(stage: Stage, a_house: House) -> None:
    await fill(a_house)
    seen = await scrape(stage.http)
    assert value(seen, "books_up") == 1
    by_state = {state: value(seen, "orders", state=state) for state in State}
    assert by_state == {
        "PENDING_PAYMENT": 2, "STOCK_LOCKED": 0, "OUTBOUND": 0, "IN_TRANSIT": 0, "ON_HOLD": 1, "SIGNED": None,
        "CLOSED": None,
    }  # fmt: skip
    assert value(seen, "orders_held", reason="COMPLAINT") == 1
    assert value(seen, "inbox_messages", state="waiting") == 1 and value(seen, "inbox_messages", state="new") == 0
    assert value(seen, "alerts_open", level="urgent") == 1 and value(seen, "alerts_open", level="warning") == 1
    assert value(seen, "alerts_unanswered", level="urgent") == 1
    assert value(seen, "alerts_unanswered", level="warning") == 0
    assert 599 < (value(seen, "alert_oldest_unanswered_seconds", level="urgent") or 0) < 700
    assert value(seen, "notices_unsent") == 1 and (value(seen, "notice_oldest_due_seconds") or 0) > 599
    assert (value(seen, "outbox_due") or 0) >= 1 and (value(seen, "outbox_oldest_due_seconds") or 0) > 599
    assert value(seen, "sla_breaches_open", clock="transit", level="red") == 1
    assert value(seen, "status_accuracy", system="overall") == 0.9
    assert value(seen, "status_accuracy", system="erp") is None, "nobody was asked: that is no accuracy"
    assert value(seen, "status_asked", system="erp") == 0
    assert 599 < (value(seen, "reconciliation_age_seconds") or 0) < 700
    assert (value(seen, "interventions"), value(seen, "orders_placed")) == (1, 4)
    assert value(seen, "interventions_per_order") == 0.25
    assert value(seen, "response_minutes", stat="mean") == pytest.approx(10, abs=0.1)
    assert value(seen, "step_oldest_due_seconds", step="sign_off") == 0


async def test_what_was_not_measured_is_absent(stage: Stage) -> None:
    names = {name for name, _ in await scrape(stage.http)}
    assert not names & {"ballast_status_accuracy", "ballast_response_minutes", "ballast_interventions_per_order"}
    assert "ballast_interventions" in names


async def test_webhooks_are_counted_by_source_and_outcome(stage: Stage) -> None:
    before = await scrape(stage.http)
    assert (await kdniao().post(stage.http)).status_code == 200
    await stage.http.post("/hooks/qimen", content=b"forged")
    await stage.http.post("/hooks/no-such-source", content=b"x")
    after = await scrape(stage.http)

    def more(**labels: str) -> float:
        return (value(after, "webhooks_total", **labels) or 0) - (value(before, "webhooks_total", **labels) or 0)

    assert more(source="qimen", outcome="401") == 1 and more(source="kdniao", outcome="accepted") == 1
    assert not [labels for _, labels in after if ("source", "no-such-source") in labels]


async def test_no_order_and_no_secret_stands_in_it(stage: Stage, a_house: House, an_adapter_call: None) -> None:
    await fill(a_house)
    text = (await stage.http.get("/metrics")).text
    assert "SO-" not in text and "13912345678" not in text and "张三" not in text
    for secret in re.findall(r"SecretStr\('(.+?)'\)", repr(stage.house.settings)):
        assert secret not in text


# -- what it costs -----------------------------------------------------------------------------------------------


async def test_many_who_ask_cost_the_books_one_look(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with statements(stage.house.engine) as first:
        await scrape(stage.http)
    assert 0 < len(first) <= 12
    with statements(stage.house.engine) as again:
        for _ in range(5):
            await scrape(stage.http)
    assert again == []
    monkeypatch.setattr(web.metrics, "GAUGES_EVERY", 0.0)
    with statements(stage.house.engine) as later:
        await scrape(stage.http)
    assert 0 < len(later) < len(first), "the three numbers hold longer"


async def test_the_cost_does_not_grow_with_what_is_finished(stage: Stage, a_house: House) -> None:
    """20,000 finished orders, messages, alerts and breaches: every statement still reads an index of what is not."""
    await fill(a_house)
    async with a_house.transaction() as tx:
        await run(
            tx,
            """
            insert into sales_order (order_no, channel, state, version, attempts, progress, placed_at, signed_at,
              closed_at, currency, total, freight, discount, customer_no, receiver, warehouse, recorded_at)
            select 'OLD-' || n, 'direct', case n % 2 when 0 then 'SIGNED' else 'CLOSED' end, 1, 0, '',
              t, t, t, 'CNY', 1, 0, 0, 'C', '{}', '', t
            from generate_series(1, 20000) n,
              lateral (select now() - interval '90 days' - n * interval '1 minute' t) x""",
        )
        await run(
            tx,
            """
            insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at,
              recorded_at, text)
            select id, 'e', 'NOTED', state, state, false, 'ballast', placed_at, placed_at, '' from sales_order""",
        )
        await run(
            tx,
            """
            insert into alert (key, level, title, text, raised_at, ended_at)
            select order_no, 'urgent', '', '', placed_at, placed_at from sales_order where order_no like 'OLD-%'""",
        )
        await run(
            tx,
            """
            insert into sla_breach (order_id, clock, level, started_at, due_at, seen_at, ended_at, channel, courier)
            select id, 'transit', 'red', placed_at, placed_at, placed_at, placed_at, '', ''
            from sales_order where order_no like 'OLD-%'""",
        )
    async with a_house.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await run(connection, "vacuum analyze")  # type: ignore[arg-type]  # one statement outside a transaction
    with statements(stage.house.engine) as asked:
        seen = await scrape(stage.http)
    assert value(seen, "orders", state="PENDING_PAYMENT") == 2
    assert 15_000 < (value(seen, "orders_estimate") or 0) < 25_000
    for sql, parameters in asked:
        assert await rows_read(a_house, sql, parameters) < 1000, sql
        assert not await scans(a_house, sql, len(parameters or ())) & GROWING, sql


GROWING = {"sales_order", "order_event", "alert", "sla_breach"}


async def scans(house: House, sql: str, parameters: int) -> set[str]:
    """Tables that are read from end to end once the server plans for any values, as it does after a few times."""
    values = f"({', '.join(['null'] * parameters)})" if parameters else ""
    async with house.engine.connect() as connection:
        await connection.exec_driver_sql("set local plan_cache_mode = force_generic_plan")
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.execute(f"prepare looked as {sql}")
        plan = await driver.fetchval(f"explain (format json) execute looked{values}")
        await driver.execute("deallocate looked")
    return _scanned(_plan(plan))


def _scanned(node: dict[str, Any]) -> set[str]:
    here = {str(node["Relation Name"])} if node["Node Type"] == "Seq Scan" else set()
    return here.union(*(_scanned(below) for below in node.get("Plans", [])))


async def rows_read(house: House, sql: str, parameters: Any) -> int:
    """How many rows the plan of a statement touches, filtered ones too."""
    async with house.engine.connect() as connection:
        plain = (await connection.exec_driver_sql(f"explain (analyze, format json) {sql}", parameters)).scalar()
    return int(_touched(_plan(plain)))


def _plan(told: Any) -> dict[str, Any]:
    """SQLAlchemy's connections read JSON by themselves."""
    read_: list[dict[str, Any]] = told if isinstance(told, list) else json.loads(str(told))
    return dict(read_[0]["Plan"])


def _touched(node: dict[str, Any]) -> float:
    here = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return here + sum(_touched(below) for below in node.get("Plans", []))


async def test_without_the_books_it_says_so_and_shows_the_rest(stage: Stage, an_adapter_call: None) -> None:
    engine, stage.house.engine = stage.house.engine, make_engine(NOWHERE)
    seen = await scrape(stage.http)
    assert value(seen, "books_up") == 0 and value(seen, "orders", state="ON_HOLD") is None
    assert (value(seen, "adapter_calls_total", system="kingdee", method="Save", outcome="answered") or 0) >= 1
    stage.house.engine = engine


# -- the dashboard -----------------------------------------------------------------------------------------------


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


async def test_every_figure_of_the_dashboard_exists_in_a_scrape(
    stage: Stage, a_house: House, an_adapter_call: None
) -> None:
    await fill(a_house)
    await stage.http.post("/hooks/qimen", content=b"forged")
    names = {name for name, _ in await scrape(stage.http)}
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in panels(board) for target in panel.get("targets", [])]
    assert len(asked) >= 15
    for expression in asked:
        used = set(re.findall(r"\bballast_[a-z0-9_]+", expression))
        assert used and used <= names, expression
    shown = {name for expression in asked for name in re.findall(r"\bballast_[a-z0-9_]+", expression)}
    ours = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in names}
    missing = {name for name in ours if name.startswith("ballast_")} - {one.removesuffix("_bucket") for one in shown}
    assert not missing, "what is measured is shown"


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert board["id"] is None and board["uid"] == "ballast" and board["schemaVersion"] >= 36
    [source] = [one for one in board["templating"]["list"] if one["type"] == "datasource"]
    assert source["query"] == "prometheus"
    found = list(panels(board))
    assert len({panel["id"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        grid = panel["gridPos"]
        assert grid["x"] >= 0 and grid["x"] + grid["w"] <= 24
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{source['name']}}}"}
            assert panel["title"] and panel["description"] and panel["targets"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
