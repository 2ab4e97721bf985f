"""Old orders into the archive: nothing is lost, nothing is taken for new, and whoever comes late finds them there."""

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from ballast.db import archive, inbox, payments
from ballast.db.alerts import raise_alerts
from ballast.db.archive import Place, archive_chunk, read_archived, recall, unpack
from ballast.db.engine import rows, run
from ballast.db.report import make_report
from ballast.db.timeline import timeline
from ballast.domain.report import Window
from ballast.domain.words import State, System
from ballast.ports import Message
from ballast.wiring import House
from tasks.pruning import Ages, Pruned, PruneRefused, prune
from tasks.report_words import Words
from tests.db.stage import bring, column, fill_shelf, make_order, place, table
from tests.times import SettableClock

YEARS = timedelta(days=800)
AGES = Ages(archive=timedelta(days=400))
TABLES = [one.name for one in SQLModel.metadata.sorted_tables if one.name not in ("archived_order", "archived_money")]


@pytest.fixture
async def old(a_house: House, clock: SettableClock) -> House:
    """One order that closed two years ago, with everything that an order can have."""
    await fill_shelf(a_house, {"SKU-1": 100})
    await bring(a_house, State.CLOSED)
    await surround(a_house, "SO-1")
    clock.set(clock.now() + YEARS)
    return a_house


async def surround(house: House, order_no: str) -> None:
    """Rows in every table that may hold something of an order, all of it over and done with."""
    now = house.clock.now()
    async with house.transaction() as tx:
        letter = Message(event_id=f"e-{order_no}", topic="x", order_no=order_no, payload={"name": "张三"})
        await inbox.store(tx, [(System.WECHATPAY, letter)], now)
        await raise_alerts(tx, [{"key": f"k-{order_no}", "level": "info", "title": "t", "text": "x"}], now)
        for sql in (
            "update inbox set state = 'done', done_at = :now where order_no = :no",
            "update sales_order set sla_due_at = null where order_no = :no",
            "update outbox set due_at = null, done_at = :now where order_id = (select id from o)",
            "update alert set order_id = (select id from o), climbs_at = null, ended_at = :now where key = 'k-' || :no",
            """insert into alert_notice (alert_id, rung, channel, people, created_at, sent_at)
               select id, 0, 'dingtalk', '["li"]', :now, :now from alert where key = 'k-' || :no""",
            """insert into hold (order_id, reason, evidence, held_from, held_at, released_by, released_at, note)
               select id, 'BY_HAND', 'e', 'SIGNED', :now, 'person:li', :now, 'n' from o""",
            """insert into return_case (order_id, return_no, why, asked_by, asked_at, state, closed_at)
               select id, 'RT-' || :no || '-1', 'w', 'li', :now, 'closed', :now from o""",
            """insert into return_line (return_no, line_no, order_id, sku, quantity)
               select 'RT-' || :no || '-1', 1, id, 'SKU-1', 1 from o""",
            """insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state,
               requested_at, done_at) select 'R-' || :no, id, 'wechatpay', 'T-1', 5, 'CNY', 'w', 'done', :now, :now
               from o""",
            """insert into effect (key, order_id, kind, state, attempts, digest, receipt, error, begun_at, done_at)
               select 'erp.reserve:' || :no, id, 'erp.reserve', 'done', 1, 'd', '{"reference": "XSDD1"}', '', :now,
               :now from o""",
            """insert into sla_breach (order_id, clock, level, started_at, due_at, seen_at, ended_at, channel, courier)
               select id, 'ship', 'red', :now, :now, :now, :now, 'direct', 'YTO' from o""",
            """insert into sla_pause (order_id, starts_at, ends_at, asked_by, note)
               select id, :now, :now, 'li', '' from o""",
            """insert into stock_lock (order_id, sku, warehouse, quantity, state, locked_at, ended_at, told_at)
               select id, 'SKU-1', 'CK001', 2, 'shipped', :now, :now, :now from o""",
            """insert into order_check (reconciliation_id, order_id, system, ours, theirs, said, verdict, mended)
               select 1, id, 'erp', 'CLOSED', '', '', 'agrees', '' from o""",
            """insert into order_gate (order_id, stage, looked_at, price_version, promotion_version, risk_version)
               select id, 'intake', :now, 1, 0, 0 from o""",
            """insert into delivery (order_id, number, code, warehouse, items, state, why, made_at, ended_at)
               select id, 2, :no || '.2', 'CK002', '{"1": 1}', 'left', '', :now, :now from o""",
            """insert into order_edit (order_id, change, asked_by, asked_at, state, answer, ended_at)
               select id, '{"receiver": {}, "quantities": {"1": 1}}', 'li', :now, 'done', 'a', :now from o""",
            """insert into order_merge (order_id, leader, lines, transaction_id, merged_by, merged_at)
               select id, 'SO-LEADER', '{"1": [3, 2]}', 'T-1', 'li', :now from o""",
        ):
            statement = f"with o as (select id from sales_order where order_no = :no) {sql}"
            await run(tx, statement if " o)" in sql or "from o" in sql else sql, now=now, no=order_no)


async def everything(house: House) -> dict[str, list[Any]]:
    """Every row of every table but the archive."""
    async with house.transaction() as tx:
        found = {}
        for name in TABLES:
            got = await rows(tx, f"select to_jsonb(t) as row from {name} t")  # names of our tables
            found[name] = sorted((row.row for row in got), key=repr)
    return found


async def documents(house: House) -> dict[str, dict[str, list[Any]]]:
    found = await table(house, "select order_no, document from archived_order")
    return {row["order_no"]: unpack(row["document"]) for row in found}


def merged(*parts: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: sorted((row for part in parts for row in part.get(name, ())), key=repr) for name in TABLES}


async def pruned(house: House, **more: Any) -> Pruned:
    return await prune(house, AGES, **more)


def test_no_table_with_an_order_is_forgotten() -> None:
    """A new table whose rows belong to orders has to go with them; a reservation goes before, when the order closes."""
    of_orders = {t.name for t in SQLModel.metadata.sorted_tables if {"order_id", "order_no"} & {*t.columns.keys()}}
    beside = {"archived_order", "archived_money", "stock_reservation", "ticket"}  # tickets go by their age
    assert of_orders - beside == archive.TAKEN.keys() - {"alert_notice"} | {"stock_correction"}


async def test_what_is_archived_and_what_stays_is_what_was(old: House) -> None:
    await place(old, make_order("SO-NEW"))
    before = await everything(old)
    empty = [name for name in archive.TAKEN if not before[name]]
    assert empty == [], "the test has to have rows everywhere"
    done = await pruned(old)
    assert (done.archived, done.kept) == (1, {})
    after, documented = await everything(old), await documents(old)
    assert merged(after, documented["SO-1"]) == merged(before)
    of_new = {"sales_order", "order_line", "order_event", "order_origin"}
    assert [name for name in archive.TAKEN if after[name]] == [name for name in archive.TAKEN if name in of_new]
    assert await column(old, "select order_no from sales_order") == ["SO-NEW"]


async def test_an_order_comes_back_as_it_was(old: House) -> None:
    before = await everything(old)
    await pruned(old)
    async with old.transaction() as tx:
        count = await recall(tx, "SO-1")
    assert await everything(old) == before
    assert count == sum(len(before[name]) for name in archive.TAKEN)
    assert await column(old, "select count(*) from archived_order") == [0]
    async with old.transaction() as tx:
        with pytest.raises(archive.NotInArchive, match="SO-9 is not in the archive"):
            await recall(tx, "SO-9")


async def test_the_page_of_an_archived_order_says_the_same(old: House) -> None:
    async with old.transaction() as tx:
        before = await timeline(tx, "SO-1")
    await pruned(old)
    async with old.transaction() as tx:
        after = await timeline(tx, "SO-1")
    assert before is not None and after is not None
    assert after.archived_at == old.clock.now() and before.archived_at is None
    assert {**after.as_dict(), "archived_at": None} == before.as_dict()
    assert before.events and before.effects[0].reference == "XSDD1"


OPEN = {
    "an open return": "update return_case set state = 'requested', closed_at = null",
    "money that has to go back": "update refund set state = 'requested', done_at = null",
    "an open hold": "update hold set released_at = null",
    "an alert that nobody answered": "update alert set ended_at = null, level = 'warning'",
    "a message that was not sent": "update outbox set done_at = null where id = (select min(id) from outbox)",
    "a message that was not read": "update inbox set state = 'parked' where event_id = 'e-SO-1'",
    "a step or a clock has to look at it": "update sales_order set due_step = 'sign_off', due_at = now()",
}


@pytest.mark.parametrize("why", OPEN)
async def test_what_is_open_stays_whole(old: House, why: str) -> None:
    async with old.transaction() as tx:
        await run(tx, OPEN[why])
    before = await everything(old)
    done = await pruned(old)
    assert (done.archived, done.kept) == (0, {why: 1})
    assert await everything(old) == before
    said = [what for what, _ in done.said("en")]
    assert said == [f"stay: {why.replace('at it', 'at them').replace('has to look', 'has to look')}"]


async def test_a_surplus_that_was_not_given_back_stays(old: House) -> None:
    async with old.transaction() as tx:
        await run(tx, "update payment set state = 'surplus', refunding = 0")
    assert (await pruned(old)).kept == {"money that has to go back": 1}


async def test_the_young_and_the_unfinished_stay(a_house: House, clock: SettableClock) -> None:
    await fill_shelf(a_house, {"SKU-1": 100})
    await bring(a_house, State.SIGNED)
    clock.set(clock.now() + YEARS)
    before = await everything(a_house)
    assert (await pruned(a_house)).counts() == {}
    assert await everything(a_house) == before


async def test_a_dry_run_counts_and_changes_nothing(old: House) -> None:
    before = await everything(old)
    done = await pruned(old, dry_run=True)
    assert (done.archived, await everything(old)) == (1, before)
    assert await documents(old) == {}


async def test_an_old_number_is_no_new_order(old: House) -> None:
    await pruned(old)
    assert await place(old, make_order("SO-1"), make_order("SO-2")) == {"SO-2": 2}
    assert await column(old, "select order_no from sales_order") == ["SO-2"]


async def test_a_number_that_goes_to_the_archive_while_it_comes_in_is_no_new_order(old: House) -> None:
    """The insert waits for the prune, finds the number free, and has to look into the archive once more."""
    async with old.transaction() as tx:
        await archive_chunk(tx, before=old.clock.now(), after=Place(), now=old.clock.now())
        coming = asyncio.create_task(place(old, make_order("SO-1")))
        await somebody_waits_for_us(old)
    assert await coming == {}
    assert await column(old, "select count(*) from sales_order") == [0]
    assert await column(old, "select count(*) from order_line") == [0]


async def somebody_waits_for_us(house: House) -> None:
    async with asyncio.timeout(10):
        while not await column(house, "select 1 from pg_locks where not granted"):
            await asyncio.sleep(0.01)


async def test_a_charge_of_an_archived_order_is_still_its_own(old: House) -> None:
    await pruned(old)
    async with old.transaction() as tx:
        found = await payments.owners(tx, {("wechatpay", "t-1"), ("wechatpay", "t-2")})
        known = await read_archived(tx, ["SO-1", "SO-2"])
    assert found == {("wechatpay", "t-1"): "SO-1"}
    assert known.keys() == {"SO-1"} and known["SO-1"].charges == {("wechatpay", "t-1")}
    assert known["SO-1"].refunds == {"R-SO-1"} and "placed" in known["SO-1"].causes


async def test_two_prunes_at_once_share_the_work(a_house: House, clock: SettableClock) -> None:
    await place_closed(a_house, 450)
    clock.set(clock.now() + YEARS)
    before = await everything(a_house)
    one, two = await asyncio.gather(pruned(a_house), pruned(a_house))
    assert one.archived + two.archived == 450 and one.archived and two.archived
    assert await column(a_house, "select count(*) from sales_order") == [0]
    assert merged(await everything(a_house), *(await documents(a_house)).values()) == merged(before)


async def place_closed(house: House, count: int) -> None:
    await place(house, *(make_order(f"SO-{number:04}") for number in range(count)))
    async with house.transaction() as tx:
        await run(
            tx,
            """update sales_order set state = 'CLOSED', closed_at = placed_at + id * interval '1 minute',
            due_step = null, due_at = null, sla_due_at = null""",
        )


async def test_an_order_that_somebody_works_on_is_left_for_the_next_time(old: House) -> None:
    async with old.transaction() as tx:
        await rows(tx, "select id from sales_order for no key update")
        assert (await pruned(old)).archived == 0
    assert (await pruned(old)).archived == 1


async def test_the_number_of_statements_does_not_grow(a_house: House, clock: SettableClock) -> None:
    from tests.db.stage import statements

    await place_closed(a_house, 150)
    clock.set(clock.now() + YEARS)
    counts = []
    for upto in (10, 150):
        closed = await column(a_house, "select closed_at from sales_order order by closed_at")
        before = closed[10] if upto == 10 else clock.now()
        with statements(a_house.engine) as heard:
            async with a_house.transaction() as tx:
                chunk = await archive_chunk(tx, before=before, after=Place(), now=clock.now())
        counts.append(len(heard))
        assert len(chunk.archived) == (10 if upto == 10 else 140)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("point", ["stored", "moved"])
async def test_killed_in_between_it_goes_on(a_house: House, clock: SettableClock, point: str) -> None:
    """The second chunk dies with its process: the first is whole in the archive, the second whole in one place."""
    await place_closed(a_house, 450)
    before = await everything(a_house)
    url = a_house.engine.url.render_as_string(hide_password=False)
    env = {name: value for name, value in os.environ.items() if not name.startswith("BALLAST_")}
    env |= {"BALLAST_DATABASE_URL": url, "CRASH_AT": f"prune/{point}:2", "PYTHONPATH": str(Path.cwd())}
    ended = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ballast.cli", "db", "prune", "--older-than", "30d", env=env, cwd="/",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await ended.wait() == -SIGKILL
    documented = await documents(a_house)
    assert len(documented) == (200 if point == "stored" else 400)
    assert merged(await everything(a_house), *documented.values()) == merged(before)
    clock.set(clock.now() + YEARS)
    done = await pruned(a_house)
    assert done.archived == 450 - len(documented)
    assert merged(await everything(a_house), *(await documents(a_house)).values()) == merged(before)


# -- what belongs to no order ------------------------------------------------------------------------------------


async def test_old_rows_of_no_order_go_and_what_waits_for_a_person_stays(old: House) -> None:
    late = old.clock.now() - YEARS
    async with old.transaction() as tx:
        letters = [
            (System.KDNIAO, Message(event_id=f"m-{state}", topic="x", order_no=f"NO-{state}", payload={}))
            for state in ("done", "waiting", "parked", "new")
        ]
        await inbox.store(tx, letters, late)
        await run(tx, "update inbox set state = split_part(event_id, '-', 2) where event_id like 'm-%'")
        await raise_alerts(tx, [{"key": k, "level": "warning", "title": "t", "text": ""} for k in "ab"], late)
        await run(tx, "update alert set climbs_at = null, ended_at = raised_at where key = 'a'")
        await run(
            tx,
            """insert into reconciliation (scope, wanted, asked_by, began_at) values ('sample', 1, 'x', :at)""",
            at=late,
        )
        await ticket_and_score(tx, "C-SO-1", at=late)
        await ticket_and_score(tx, "C-SO-1", at=old.clock.now())
    done = await pruned(old)
    assert done.counts() == {
        "archived": 1, "messages": 2, "alerts": 1, "reconciliations": 1, "tickets": 1, "health figures": 1
    }  # fmt: skip
    assert await column(old, "select opened_at from ticket union all select scored_at from customer_health") == [
        old.clock.now(), old.clock.now(),
    ]  # fmt: skip
    assert await column(old, "select state from inbox order by id") == ["parked", "new"]
    assert await column(old, "select key from alert") == ["b"]


async def ticket_and_score(tx: AsyncConnection, customer_no: str, *, at: datetime) -> None:
    """A ticket and a score of that time."""
    for sql in (
        """insert into ticket (source, ticket_no, customer_no, kind, severity, opened_at, recorded_at)
        values ('crm', :no || cast(cast(:at as timestamptz) as text), :no, 'complaint', 'high', :at, :at)""",
        "insert into customer_health (customer_no, scored_at, days, orders, value) values (:no, :at, 180, 1, 1)",
    ):
        await run(tx, sql, no=customer_no, at=at)


async def test_forgetting_leaves_nothing_of_a_person(old: House) -> None:
    await place(old, make_order("SO-2", customer_no="C-SO-2"))
    async with old.transaction() as tx:
        for customer_no in ("C-SO-1", "C-SO-2"):
            await ticket_and_score(tx, customer_no, at=old.clock.now())
    ages = Ages(archive=timedelta(days=400), forget=timedelta(days=700))
    done = await prune(old, ages)
    assert done.counts() == {"archived": 1, "forgotten": 1, "customers": 1}
    for whose in ("customer", "ticket", "customer_health"):
        assert await column(old, f"select customer_no from {whose}") == ["C-SO-2"]
    assert await documents(old) == {}
    left = await everything(old)
    assert "SO-1" not in repr(left)


async def test_a_customer_of_an_archived_order_stays(old: House) -> None:
    done = await prune(old, Ages(archive=timedelta(days=400), forget=timedelta(days=900)))
    assert done.counts() == {"archived": 1}
    assert await column(old, "select customer_no from customer") == ["C-SO-1"]


@pytest.mark.parametrize(
    ("archive_days", "forget_days", "why"),
    [(29, None, "30 days after they closed"), (400, 399, "would never be archived"), (-5, None, "30 days")],
)
def test_too_short_an_age_is_refused(archive_days: int, forget_days: int | None, why: str) -> None:
    with pytest.raises(PruneRefused, match=why):
        Ages(archive=timedelta(days=archive_days), forget=None if forget_days is None else timedelta(days=forget_days))


async def test_a_report_says_what_it_does_not_count(old: House) -> None:
    closed = (await column(old, "select closed_at from sales_order"))[0]
    window = Window(closed - timedelta(hours=1), closed + timedelta(hours=1))
    async with old.transaction() as tx:
        before = await make_report(tx, window, old.clock.now())
    await pruned(old)
    async with old.transaction() as tx:
        after = await make_report(tx, window, old.clock.now())
        elsewhere = await make_report(tx, Window(closed + timedelta(hours=1), old.clock.now()), old.clock.now())
    assert (before.archived, after.archived, elsewhere.archived) == (0, 1, 0)
    assert before.states == {State.CLOSED: 1} and after.states == {}
    assert after.as_dict()["archived"] == 1
    assert "in the archive" in Words("en").states(after) and "归档" in Words("zh").states(after)
    assert "archive" not in Words("en").states(before)
