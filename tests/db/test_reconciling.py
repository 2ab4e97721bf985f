"""Reconciliations in the books: which orders are drawn, what is kept and for how long, what the others should know."""

from collections import Counter
from datetime import timedelta
from typing import Any

from ballast.db.reconciling import (
    Check,
    begin,
    drifting,
    end,
    history,
    last_checks,
    note_outcome,
    thin_out,
    write_checks,
)
from ballast.db.sampling import LEAST, changed_since, choose_sample, ids_of
from ballast.db.told import books_of, read_traffic
from ballast.domain.judging import is_concerned
from ballast.domain.truth import Place, Witness
from ballast.domain.words import HoldReason, State
from ballast.wiring import House
from tests.db.stage import bring, column, hold_by_hand, make_order, place, read_case, statements, table

SYSTEMS = {"kingdee": Witness.ERP, "qimen": Witness.WMS, "kdniao": Witness.COURIER, "wechatpay": Witness.PAYMENT}

MANY = """
insert into sales_order (order_no, channel, state, version, attempts, held_from, hold_reason, progress, placed_at,
  currency, total, freight, discount, customer_no, receiver, warehouse, recorded_at)
select 'M-' || n, 'direct',
  case when n % 1000 = 0 then 'ON_HOLD' when n % 100 = 1 then 'IN_TRANSIT' else 'CLOSED' end, 0, 0,
  case when n % 1000 = 0 then 'STOCK_LOCKED' end, case when n % 1000 = 0 then 'BY_HAND' end, '', now(),
  'CNY', 0, 0, 0, 'C', '{}'::jsonb, '', now()
from generate_series(1, :count) n returning id
"""


async def make_many(house: House, count: int) -> None:
    """Closed orders for the most part; one in a hundred in transit, one in a thousand on hold."""
    await table(house, MANY, count=count)


async def sample(house: House, wanted: int, seed: int) -> list[int]:
    async with house.transaction() as tx:
        return await choose_sample(tx, wanted, seed)


async def states_of(house: House, ids: list[int]) -> Counter[str]:
    found = await column(house, "select state from sales_order where id = any(cast(:ids as bigint[]))", ids=ids)
    return Counter(found)


async def test_a_sample_has_every_state_in_proportion_and_enough_of_the_rare_ones(a_house: House) -> None:
    await make_many(a_house, 60_000)
    ids = await sample(a_house, 1000, seed=3)
    assert len(ids) == len(set(ids)) == 1000
    assert await states_of(a_house, ids) == {"CLOSED": 960, "IN_TRANSIT": LEAST, "ON_HOLD": LEAST}
    assert await sample(a_house, 1000, seed=3) == ids, "the same seed draws the same orders"
    assert len(set(await sample(a_house, 1000, seed=4)) & set(ids)) < 200


async def test_gaps_between_ids_make_no_order_likelier(a_house: House) -> None:
    await make_many(a_house, 2000)
    await table(a_house, "delete from sales_order where id % 10 <> 0 and id < 1500 returning 1")
    kept = await column(a_house, "select id from sales_order order by id")
    ids = await sample(a_house, 10_000, seed=1)
    assert sorted(ids) == kept, "a sample of more than there are is all of them"


async def test_no_orders_no_sample(a_house: House) -> None:
    assert await sample(a_house, 1000, seed=1) == []


async def test_sampling_reads_no_table_from_end_to_end(a_house: House) -> None:
    """Its plan over many orders: keys and indexes only."""
    await make_many(a_house, 60_000)
    async with a_house.transaction() as tx:
        await tx.exec_driver_sql("analyze sales_order")
        with statements(a_house.engine) as asked:
            await choose_sample(tx, 1000, 5)
    [look_up] = [sql for sql, _ in asked if "any(" in sql and "unnest" not in sql]
    plan = "\n".join(await explain(a_house, look_up, [list(range(1, 12_001))]))
    assert "Seq Scan" not in plan, plan
    assert len(asked) == 3


async def explain(house: House, sql: str, parameters: list[Any]) -> list[str]:
    async with house.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        return [row[0] for row in await driver.fetch(f"explain {sql}", *parameters)]


async def test_what_changed_since_is_read_off_the_history(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"))
    await hold_by_hand(a_house, HoldReason.BY_HAND, "SO-2")
    await table(a_house, "update order_event set recorded_at = recorded_at - interval '1 h' where event = 'NOTED' "
                "or cause = 'placed' returning 1")  # fmt: skip
    async with a_house.transaction() as tx:
        assert await changed_since(tx, a_house.clock.now() - timedelta(minutes=1)) == [ids["SO-2"]]
        assert await changed_since(tx, a_house.clock.now() - timedelta(days=1)) == sorted(ids.values())
        assert await ids_of(tx, ["SO-2", "NO", "SO-1"]) == {"SO-2": ids["SO-2"], "SO-1": ids["SO-1"]}


# -- what is kept


def check(order_id: int, system: str = "erp", verdict: str = "agrees", **parts: str) -> Check:
    values = {"ours": "OUTBOUND", "theirs": "OUTBOUND", "said": "C", **parts}
    return Check(order_id=order_id, system=system, verdict=verdict, **values)


async def one_run(house: House, *checks: Check) -> int:
    async with house.transaction() as tx:
        now = house.clock.now()
        number = await begin(tx, scope="sample", wanted=1, asked_by="li", now=now, figures={"seed": 1})
        await write_checks(tx, number, checks)
        await end(tx, number, {"share": 1.0}, now)
    return number


async def test_a_chunk_that_is_repeated_replaces_its_rows(a_house: House) -> None:
    [order_id] = (await place(a_house, make_order())).values()
    number = await one_run(a_house, check(order_id, verdict="ahead"), check(order_id, "wms"))
    async with a_house.transaction() as tx:
        await write_checks(tx, number, [check(order_id, verdict="behind", mended="sent again: erp.outbound")])
        await note_outcome(tx, number, {(order_id, "erp"): "then agrees"})
        rows = await drifting(tx, number)
        assert [(row["system"], row["verdict"], row["mended"]) for row in rows] == [
            ("erp", "behind", "sent again: erp.outbound; then agrees"),
            ("wms", "agrees", ""),
        ]
        at, checks = await last_checks(tx, "SO-1")
        assert at == a_house.clock.now() and [one.system for one in checks] == ["erp", "wms"]
        assert await last_checks(tx, "NO-SUCH") == (None, [])
        [past] = await history(tx)
        assert past.figures == {"seed": 1, "share": 1.0} and past.asked_by == "li"


async def test_old_runs_keep_what_differed_and_very_old_ones_their_figures(a_house: House, monkeypatch: Any) -> None:
    monkeypatch.setattr("ballast.db.reconciling.WHOLE", 2)
    monkeypatch.setattr("ballast.db.reconciling.KEPT", 4)
    [order_id] = (await place(a_house, make_order())).values()
    for _ in range(6):
        await one_run(a_house, check(order_id), check(order_id, "wms", "contradicts"))
        async with a_house.transaction() as tx:
            await thin_out(tx)
    kept = await table(
        a_house, "select reconciliation_id as run, count(*) as rows from order_check group by 1 order by 1"
    )
    assert [(row["run"], row["rows"]) for row in kept] == [(3, 1), (4, 1), (5, 2), (6, 2)]
    assert await column(a_house, "select count(*) from reconciliation") == [6]


async def test_thinning_takes_so_many_rows_at_most_and_the_rest_later(a_house: House, monkeypatch: Any) -> None:
    monkeypatch.setattr("ballast.db.reconciling.WHOLE", 0)
    monkeypatch.setattr("ballast.db.reconciling.AT_ONCE", 2)
    await one_run(a_house, *(check(number) for number in range(1, 6)))
    async with a_house.transaction() as tx:
        assert [await thin_out(tx) for _ in range(4)] == [2, 2, 1, 0]


# -- what the others should know


async def test_books_tell_what_went_out_and_what_is_under_way(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    case = await read_case(a_house)
    async with a_house.transaction() as tx:
        traffic = (await read_traffic(tx, ["SO-1"]))[case.id]
    books = books_of(case, traffic, SYSTEMS)
    assert (books.place, books.charges) == (Place.LEFT, frozenset({"t-1"}))
    assert {"shop.shipped", "erp.outbound", "courier.subscribe:Y-1"} <= books.decided
    assert books.under_way == {Witness.SHOP, Witness.ERP, Witness.COURIER}
    assert is_concerned(Witness.ERP, books) and not is_concerned(Witness.WMS, books), "nothing was handed over by us"
    await table(a_house, "update outbox set due_at = null where kind = 'shop.shipped' returning 1")
    async with a_house.transaction() as tx:
        given_up = books_of(case, (await read_traffic(tx, ["SO-1"]))[case.id], SYSTEMS)
    assert given_up.given_up == {"shop.shipped"} and Witness.SHOP not in given_up.under_way


async def test_a_message_that_waits_to_be_read_is_under_way(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    for source, state in (("qimen", "new"), ("kdniao", "waiting"), ("wechatpay", "done")):
        await table(
            a_house,
            "insert into inbox (source, event_id, topic, order_no, payload, state, received_at, note) "
            "values (:source, :source, 'news', 'SO-1', '{}'::jsonb, :state, now(), '') returning 1",
            source=source,
            state=state,
        )
    case = await read_case(a_house)
    async with a_house.transaction() as tx:
        books = books_of(case, (await read_traffic(tx, ["SO-1"]))[case.id], SYSTEMS)
    assert books.under_way == {Witness.WMS, Witness.COURIER}


async def test_what_a_file_reports_was_dealt_with_elsewhere(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    case = await read_case(a_house)
    insert = (
        "insert into effect (key, order_id, kind, state, attempts, digest, receipt, error, begun_at) "
        "values (:kind, :id, :kind, 'done', 1, '', cast(:receipt as jsonb), '', now()) returning 1"
    )
    await table(a_house, insert, kind="erp.reserve", id=case.id, receipt='{"reference": "before the import"}')
    await table(a_house, insert, kind="wms.create", id=case.id, receipt='{"reference": "WH-1"}')
    async with a_house.transaction() as tx:
        assert (await read_traffic(tx, ["SO-1"]))[case.id].dealt == {"wms.create"}
