"""What is due is found without reading the orders that are finished."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from ballast.db import claims, inbox, outbox, payments
from ballast.db.alerts import raise_alerts
from ballast.domain.words import Step
from ballast.ports import Message
from ballast.wiring import House
from tests.db.stage import opened_one, place_many, statements
from tests.times import NOON, SettableClock

FINISHED = """
insert into sales_order (order_no, channel, state, version, attempts, progress, placed_at, closed_at, currency, total,
  freight, discount, customer_no, warehouse, recorded_at)
select 'F-' || n, 'direct', 'CLOSED', 9, 0, '', cast(:now as timestamptz), cast(:now as timestamptz), 'CNY', 100, 0, 0,
  'C', '', cast(:now as timestamptz) from generate_series(1, 20000) n
"""
SENT = """
insert into outbox (key, order_id, kind, payload, attempts, created_at, done_at, note)
select 'shop.shipped:F-' || n, n, 'shop.shipped', '{}', 1, cast(:now as timestamptz), cast(:now as timestamptz), ''
from generate_series(1, 20000) n
"""
ALERTED = """
with raised as (
  insert into alert (key, level, title, text, raised_at)
  select 'A-' || n, 'info', 't', '', cast(:now as timestamptz) from generate_series(1, 20000) n returning id)
insert into alert_notice (alert_id, rung, channel, created_at, sent_at)
select id, 0, 'dingtalk', cast(:now as timestamptz), cast(:now as timestamptz) from raised
"""
RETURNED = """
insert into refund (refund_no, order_id, provider, transaction_id, amount, currency, why, state, requested_at, done_at)
select 'RF-' || n, n, 'wechatpay', 'T-' || n, 100, 'CNY', '', 'done', cast(:now as timestamptz),
  cast(:now as timestamptz) from generate_series(1, 20000) n
"""
ASKED_BACK = """
insert into return_case (order_id, return_no, why, asked_by, asked_at, state, due_at)
select id, 'RT-1-1', '', 'li', :now, 'requested', :now from sales_order limit 1
"""
SENT_BACK = """
insert into return_case (order_id, return_no, why, asked_by, asked_at, state, closed_at)
select n, 'RT-' || n || '-1', '', 'li', cast(:now as timestamptz), 'closed', cast(:now as timestamptz)
from generate_series(1, 20000) n
"""
READ = """
insert into inbox (source, event_id, topic, order_no, payload, state, received_at, done_at, note)
select 'kdniao', 'E-' || n, 'news', 'F-' || n, '{}', 'done', cast(:now as timestamptz), cast(:now as timestamptz), ''
from generate_series(1, 20000) n
"""


DUE = {
    "outbox": "due_at",
    "alert": "climbs_at",
    "alert_notice": "due_at",
    "refund": "due_at",
    "return_case": "due_at",
    "sales_order": "sla_due_at",
}
EMPTY_ONES = ([], ["alert"], ["alert_notice"], ["alert", "alert_notice"])
"""A table without rows is read whole: there is nothing to read."""


@pytest.fixture
async def crowded(a_house: House) -> House:
    """Twenty thousand finished orders and their messages, two hundred orders at work."""
    async with a_house.transaction() as tx:
        for sql in (FINISHED, SENT, READ, RETURNED, SENT_BACK):
            await tx.execute(text(sql), {"now": NOON})
    await place_many(a_house, 200)
    async with a_house.transaction() as tx:
        await tx.execute(text("analyze"))
    return a_house


async def _nodes(house: House, statement: str, parameters: Any) -> list[dict[str, Any]]:
    async with house.engine.connect() as tx:
        answer = (await tx.exec_driver_sql(f"explain (format json) {statement}", parameters)).scalar_one()
        await tx.rollback()
    plan = json.loads(answer) if isinstance(answer, str) else answer
    return list(_walk(plan[0]["Plan"]))


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)


async def test_looking_for_work_reads_indexes_only(crowded: House) -> None:
    with statements(crowded.engine) as heard:
        async with crowded.transaction() as tx:
            assert await claims.due_now(tx, NOON) == {"confirm_payment": 1, "sla": 1}
    ((statement, parameters),) = heard
    nodes = await _nodes(crowded, statement, parameters)
    assert [n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"] in EMPTY_ONES
    scans = {n.get("Index Name") for n in nodes if n["Node Type"] == "Index Only Scan"}
    assert "order_due" in scans


async def test_no_sent_message_is_read_however_the_planner_errs(crowded: House) -> None:
    """Statistics that are old, and plans made without the time, let a table look as if it soon met a due row."""
    async with crowded.transaction() as tx:
        await tx.execute(text(ALERTED), {"now": NOON})
        for table, column in DUE.items():
            await tx.execute(text(f"update {table} set {column} = cast(:now as timestamptz)"), {"now": NOON})
            await tx.execute(text("analyze"))  # when all were due: it does not know yet that they were sent since
            await tx.execute(text(f"update {table} set {column} = null"))
    with statements(crowded.engine) as heard:
        async with crowded.transaction() as tx:
            await claims.due_now(tx, NOON)
    ((statement, parameters),) = heard
    nodes = await _nodes(crowded, statement, parameters)
    assert [n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"] == []
    assert {"outbox_due", "alert_climbs", "notice_due", "refund_due", "return_due", "order_sla"} <= {
        n.get("Index Name") for n in nodes
    }


async def test_claiming_reads_no_finished_order(crowded: House) -> None:
    with statements(crowded.engine) as heard:
        async with crowded.transaction() as tx:
            await claims.claim(tx, Step.CONFIRM_PAYMENT, owner="a", most=100, now=NOON, until=crowded.lease())
            await outbox.claim_messages(tx, owner="a", most=100, now=NOON, until=crowded.lease())
            await inbox.take(tx, "news", 100)
            await inbox.wake_waiting(tx)
            await payments.claim_refunds(tx, most=100, now=NOON, until=crowded.lease())
    for statement, parameters in heard:
        nodes = await _nodes(crowded, statement, parameters)
        assert not [n for n in nodes if n["Node Type"] == "Seq Scan"], statement


async def test_every_kind_of_work_is_seen(a_house: House, clock: SettableClock) -> None:
    async with a_house.transaction() as tx:
        assert await claims.due_now(tx, NOON) == {}
    await place_many(a_house, 1)
    async with opened_one(a_house, "SO-0000") as case:
        case.send("shop.shipped")
        case.due = (Step.SIGN_OFF, NOON)
        case.touched = True
    async with a_house.transaction() as tx:
        topics = ("order.placed", "track")
        told = [Message(event_id=topic, topic=topic, order_no="SO-0000", payload={}) for topic in topics]
        await inbox.store(tx, [("direct", one) for one in told], NOON)
        await raise_alerts(tx, [{"key": "k", "level": "info", "title": "t", "text": ""}], NOON)
        await tx.execute(text(RETURNED.replace("20000", "1")), {"now": NOON})
        await tx.execute(text("update refund set due_at = cast(:now as timestamptz)"), {"now": NOON})
        await tx.execute(text("update sales_order set sla_due_at = cast(:now as timestamptz)"), {"now": NOON})
        await tx.execute(text(ASKED_BACK), {"now": NOON})
        work = await claims.due_now(tx, NOON)
    assert set(work) == {"sign_off", "inbox", "orders", "outbox", "alerts", "refunds", "returns", "sla"}


async def test_what_is_neglected_is_old_and_in_nobodys_hands(a_house: House) -> None:
    """Whoever reads messages holds their rows: they are new until that is stored, and still nobody else's work."""
    since, later = NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)
    await place_many(a_house, 1)  # due for payment long before
    told = [(Message(event_id=t, topic=t, order_no="SO-0000", payload={}), at)
            for t, at in (("order.placed", NOON), ("track", later))]  # fmt: skip
    async with a_house.transaction() as tx:
        for message, at in told:
            await inbox.store(tx, [("direct", message)], at)
    async with a_house.transaction() as tx:
        assert await claims.neglected(tx, since) == {"orders", "confirm_payment", "sla"}
        assert {"inbox", "orders"} <= await claims.neglected(tx, later)
    async with a_house.transaction() as reading, a_house.transaction() as tx:
        assert len(await inbox.take(reading, "order", 9)) == 1
        assert await claims.neglected(tx, since) == {"confirm_payment", "sla"}


async def test_a_message_behind_one_that_was_given_up_is_no_work(a_house: House) -> None:
    """Else the listener would start a run for it every second, and every run would find nothing that it may take."""
    await place_many(a_house, 2)
    async with a_house.transaction() as tx:
        await tx.execute(text("update sales_order set due_at = null, due_step = null, sla_due_at = null"))
    async with opened_one(a_house, "SO-0000") as case:
        case.send("shop.shipped")
        case.send("shop.received")
    async with a_house.transaction() as tx:
        await tx.execute(text("update outbox set due_at = null where kind = 'shop.shipped'"))
        assert "outbox" not in await claims.due_now(tx, NOON)
        assert await outbox.claim_messages(tx, owner="a", most=9, now=NOON, until=a_house.lease()) == []
    async with opened_one(a_house, "SO-0001") as case:
        case.send("erp.outbound")
    async with a_house.transaction() as tx:
        assert "outbox" in await claims.due_now(tx, NOON)


WAITING = """
insert into outbox (key, order_id, kind, payload, attempts, due_at, created_at, note)
select 'erp.outbound:' || order_no, id, 'erp.outbound', '{}', 0, cast(:now as timestamptz),
  cast(:now as timestamptz), ''
from sales_order
"""


async def _pairs(house: House, statement: str, parameters: Any) -> float:
    """How many pairs of rows a statement compares and finds no match. It is run, and rolled back."""
    async with house.engine.connect() as tx:
        explain = f"explain (analyze, format json) {statement}"
        answer = (await tx.exec_driver_sql(explain, parameters)).scalar_one()
        await tx.rollback()
    plan = json.loads(answer) if isinstance(answer, str) else answer
    nodes = _walk(plan[0]["Plan"])
    return sum(n.get("Rows Removed by Join Filter", 0.0) * n["Actual Loops"] for n in nodes)


async def test_messages_that_wait_are_not_compared_with_each_other(a_house: House) -> None:
    """The planner knows nothing of the table yet, as after an upgrade, or less than it should, as in a busy minute."""
    async with a_house.transaction() as tx:
        for sql in (FINISHED, WAITING):
            await tx.execute(text(sql.replace("20000", "2200")), {"now": NOON})
    with statements(a_house.engine) as claiming:
        async with a_house.transaction() as tx:
            claimed = await outbox.claim_messages(tx, owner="a", most=400, now=NOON, until=NOON, systems=("erp",))
    assert len(claimed) == 400
    with statements(a_house.engine) as ending:
        async with a_house.transaction() as tx:
            ends = [{"id": one.id, "done": True, "due_at": None, "note": ""} for one in claimed]
            assert len(await outbox.end_messages(tx, "a", ends, NOON)) == 400
    for statement, parameters in (*claiming, *ending):
        assert await _pairs(a_house, statement, parameters) < 10_000, statement
