"""The nightly run that puts old orders away, and what happens when somebody speaks of them later."""

from datetime import timedelta
from typing import Any

import pytest

from ballast.db.archive import recall, unpack
from ballast.db.engine import dumps, run
from ballast.domain.words import State, Step
from flows.prune_books import prune_books
from tasks.calling_off import cancel_order
from tasks.holding import hold_order
from tasks.inbox import tell_overdue
from tasks.rerun import rerun_order
from tests.flows.stage import Stage, artifact
from tests.flows.stage import run as run_flow

YEARS = timedelta(days=500)


async def closed(stage: Stage) -> str:
    """An order that went all the way and closed."""
    order_no = await stage.signed()
    stage.later(timedelta(days=8))
    await stage.work(Step.SIGN_OFF)
    assert await stage.state(order_no) is State.CLOSED
    return order_no


async def put_away(stage: Stage) -> str:
    order_no = await closed(stage)
    stage.later(YEARS)
    assert (await run_flow(prune_books)).name == "prune-books 1 archived"
    return order_no


async def document(stage: Stage, order_no: str) -> dict[str, list[dict[str, Any]]]:
    found = await stage.rows("select document from archived_order where order_no = :no", no=order_no)
    return unpack(found[0].document)


async def everything_comes_again(stage: Stage, order_no: str) -> int:
    """Every message of the order that is in the archive, once more by its old id, as a sender repeats it."""
    letters = (await document(stage, order_no))["inbox"]
    async with stage.house.transaction() as tx:
        return await run(
            tx,
            """insert into inbox (source, event_id, topic, order_no, payload, state, received_at, note)
            select source, event_id, topic, order_no, payload, 'new', cast(:now as timestamptz), ''
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(source text, event_id text, topic text, order_no text,
              payload jsonb)""",
            rows=dumps(letters),
            now=stage.house.clock.now(),
        )


async def test_the_run_says_what_it_did(stage: Stage) -> None:
    order_no = await closed(stage)
    young = await stage.outbound()
    assert (await run_flow(prune_books)).name == "prune-books nothing due"
    stage.later(YEARS)
    counted = await run_flow(prune_books, dry_run=True)
    assert counted.name == "prune-books would be 1 archived, 0 stay"
    assert await stage.state(order_no) is State.CLOSED
    ran = await run_flow(prune_books)
    assert ran.name == "prune-books 1 archived"
    assert await artifact(ran) == [{"what": "orders put into the archive", "rows": "1"}]
    assert [row.order_no for row in await stage.rows("select order_no from sales_order")] == [young]


async def test_repeated_messages_of_an_archived_order_change_nothing_and_wait_for_nothing(stage: Stage) -> None:
    order_no = await put_away(stage)
    alerts, before = len(await stage.alerts()), await document(stage, order_no)
    count = await everything_comes_again(stage, order_no)
    assert count >= 5
    await stage.take_orders()
    said = await stage.read()
    assert said["repeated"] and not said.keys() - {"repeated", "late", "noted"}
    assert await stage.inbox() == {"done": count}
    stage.later(YEARS)
    assert await tell_overdue() == {} and len(await stage.alerts()) == alerts
    assert await stage.rows("select 1 from sales_order") == []
    assert await document(stage, order_no) == before


async def test_a_late_scan_of_an_archived_order_is_noted(stage: Stage) -> None:
    order_no = await put_away(stage)
    await stage.world.act(order_no, "scan", state_ex="201")
    assert await stage.read() == {"late": 1}
    [row] = await stage.rows("select state, note from inbox")
    assert (row.state, row.note) == ("done", "late: its order is in the archive")


async def test_new_money_for_an_archived_order_rings_and_acts_once_it_is_back(stage: Stage) -> None:
    order_no = await put_away(stage)
    await stage.world.act(order_no, "pay", twice=True)
    assert (await stage.read())["parked"] == 1
    [alert] = [one for one in await stage.alerts() if one.key.startswith("unread:wechatpay")]
    assert f"`ballast db recall {order_no}`" in alert.text and alert.level == "warning"
    async with stage.house.transaction() as tx:
        await recall(tx, order_no)
    await stage.read()
    charges = await stage.rows("select state from payment order by id")
    assert [row.state for row in charges] == ["counted", "surplus"]
    [refund] = await stage.rows("select state from refund")
    assert refund.state == "asked"
    stage.later(timedelta(days=1))
    ran = await run_flow(prune_books)
    assert ran.name == "prune-books 1 stay", "money has to go back"


async def test_who_names_an_archived_order_hears_where_it_is(stage: Stage) -> None:
    order_no = await put_away(stage)
    said = [
        await cancel_order.fn(order_no, "why", "li", False),
        await hold_order.fn(order_no, "why", "li", False),
        await rerun_order.fn(order_no, "li", "", False),
    ]
    assert len(set(said)) == 1 and said[0].startswith("in the archive since 20")
    assert f"`ballast db recall {order_no}` brings it back" in said[0]
    shown = await stage.command("order", "show", order_no)
    assert order_no in shown and "in the archive since" in shown and "SIGNED" in shown


async def test_finance_s_list_says_that_the_archive_is_not_in_it(stage: Stage) -> None:
    assert "archive" not in await stage.command("finance", "list", notes=True)
    await put_away(stage)
    assert "the archive" in await stage.command("finance", "list", notes=True)
    assert "the archive" in await stage.command("finance", "list", "--json", notes=True)
    assert "archive" not in await stage.command("finance", "list", "--since", "2040-01-01", notes=True)


async def test_the_commands(stage: Stage) -> None:
    order_no = await closed(stage)
    await stage.rows("update sales_order set closed_at = closed_at - interval '5 years' returning id")
    assert "at the earliest" in await stage.command("db", "prune", "--older-than", "5d", code=2)
    assert "is no age" in await stage.command("db", "prune", "--older-than", "soon", code=2)
    assert "never be archived" in await stage.command("db", "prune", "--forget-older-than", "100d", code=2)
    counted = await stage.command("db", "prune", "--dry-run")
    assert "dry run, nothing was changed" in counted and "orders put into the archive" in counted
    done = await stage.command("db", "prune", "--older-than", "400d")
    assert "orders put into the archive │ 1" in done and "bytes per order in the archive" in done
    assert f"{order_no}: back in the books" in await stage.command("db", "recall", order_no)
    assert "not in the archive" in await stage.command("db", "recall", order_no, code=1)
    assert await stage.state(order_no) is State.CLOSED
    gone = await stage.command("db", "prune", "--forget-older-than", "1000d")
    assert "taken out of the archive for good" in gone
    assert await stage.rows("select 1 from archived_order") == []


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_what_happened_is_said_in_the_house_s_language(stage: Stage, language: str) -> None:
    stage.configure(language=language)
    await closed(stage)
    stage.later(YEARS)
    [row] = await artifact(await run_flow(prune_books))
    assert row["what"] == {"en": "orders put into the archive", "zh": "归档订单"}[language]
