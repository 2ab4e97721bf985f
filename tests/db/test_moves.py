"""The one door: row, history and messages together or not at all, in as many statements for a hundred as for five."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from ballast.db import cases, moves, news
from ballast.db.engine import bell
from ballast.domain.life_cycle import NoSuchMove
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.wiring import House
from tests.db.stage import (
    bring,
    column,
    make_order,
    opened_one,
    pay,
    place,
    place_many,
    read_case,
    said,
    scanned,
    shipped,
    somebody_waits,
    statements,
    table,
    tell,
)
from tests.times import NOON


async def test_a_move_is_row_history_and_messages(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    assert await tell(a_house, shipped({"Y-1": {"SKU-1": 2}}, minutes=5)) == ["moved"]
    (row,) = await table(a_house, "select * from sales_order")
    assert (row["state"], row["outbound_at"]) == ("OUTBOUND", NOON + timedelta(minutes=5))
    assert (row["due_step"], row["due_at"]) == ("track_transit", NOON + timedelta(hours=24))
    (last,) = await table(a_house, "select * from order_event order by id desc limit 1")
    assert (last["from_state"], last["to_state"], last["moved"]) == ("STOCK_LOCKED", "OUTBOUND", True)
    assert (last["happened_at"], last["recorded_at"], last["actor"]) == (NOON + timedelta(minutes=5), NOON, "qimen")
    assert await column(a_house, "select key from outbox order by key") == [
        "courier.subscribe:SO-1:Y-1",
        "erp.outbound:SO-1",
        "shop.shipped:SO-1",
    ]


async def test_a_failure_rolls_everything_back(a_house: House) -> None:
    before = await bring(a_house, State.STOCK_LOCKED)
    history = await column(a_house, "select cause from order_event")
    with pytest.raises(DBAPIError, match="check constraint"):
        async with a_house.transaction() as tx:
            (case,) = await cases.load(tx, now=NOON, waits=a_house.waits, order_nos=["SO-1"])
            case.take(Event.SHIPPED, cause="x", actor="qimen")
            case.payments.append(_impossible_payment(case.id))
            await moves.write(tx, [case])
    after = await read_case(a_house)
    assert (after.standing, after.version) == (before.standing, before.version)
    assert await column(a_house, "select cause from order_event") == history
    assert await column(a_house, "select key from outbox") == []


def _impossible_payment(order_id: int) -> dict[str, object]:
    return {
        "order_id": order_id,
        "provider": "wechatpay",
        "transaction_id": "T-0",
        "method": "",
        "amount": 0,
        "currency": "CNY",
        "merchant": "",
        "state": "captured",
        "paid_at": NOON,
        "recorded_at": NOON,
    }


async def test_a_chunk_takes_as_many_statements_as_one_of_any_size(a_house: House) -> None:
    ids = await place_many(a_house, 105)
    few = await _statements_of_a_chunk(a_house, ids[:5])
    many = await _statements_of_a_chunk(a_house, ids[5:])
    assert many == few
    assert len(many) < 25
    assert await column(a_house, "select count(*) from hold") == [105]


async def _statements_of_a_chunk(house: House, ids: list[int]) -> list[str]:
    """Everything that a chunk can bring: charges, parcels, what was said, holds, messages, stock, history."""
    with statements(house.engine) as heard:
        async with house.transaction() as tx:
            found = await cases.load(tx, now=NOON, waits=house.waits, ids=ids)
            await moves.known_causes(tx, {case.id: ["a", "b"] for case in found})
            for case in found:
                case.milestones["paid_at"] = NOON
                case.payments.append(_impossible_payment(case.id) | {"amount": 1, "transaction_id": f"T-{case.id}"})
                case.take(Event.STOCK_LOCKED, cause="lock", actor="ballast")
                _apply_all(case)
            await moves.write(tx, found)
    return [statement for statement, _ in heard]


def _apply_all(case: cases.Case) -> None:
    number = case.order_no
    news.apply(case, shipped({"Y-1": {"SKU-1": 1}, "Y-2": {"SKU-1": 1}}, order_no=number))
    news.apply(case, scanned("Y-1", order_no=number))
    news.apply(case, scanned("Y-1", Event.HELD, "4", order_no=number, minutes=11, reason=HoldReason.COURIER_DAMAGED))


async def test_history_has_each_cause_once(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    once = said(System.QIMEN, Event.WAREHOUSE_PROGRESS, "PICK")
    await tell(a_house, once)
    await tell(a_house, once)
    assert await column(a_house, "select count(*) from order_event where event = 'WAREHOUSE_PROGRESS'") == [1]
    with pytest.raises(DBAPIError, match="one_row_per_cause"):
        await table(
            a_house,
            """insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at,
                 recorded_at, text)
               select order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at, text
               from order_event returning id""",
        )


async def test_a_case_that_somebody_else_moved_is_not_written(a_house: House) -> None:
    """Read without a lock and decided meanwhile: the version tells, and nothing at all is stored."""
    await bring(a_house, State.STOCK_LOCKED)
    stale = await read_case(a_house)
    async with opened_one(a_house) as case:
        case.take(Event.REFUNDED, cause="refund", actor="wechatpay")
    stale.take(Event.SHIPPED, cause="late", actor="qimen")
    with pytest.raises(moves.MovedMeanwhile, match="SO-1"):
        async with a_house.transaction() as tx:
            await moves.write(tx, [stale])
    assert (await read_case(a_house)).standing.state is State.ON_HOLD
    assert await column(a_house, "select count(*) from order_event where cause = 'late'") == [0]
    assert await column(a_house, "select count(*) from outbox") == [0]


async def test_two_writers_of_one_order_both_count(a_house: House) -> None:
    """The second waits for the first, and then sees all that the first wrote: its parcel, not only its row."""
    order = make_order(lines=(("SKU-1", 3),))
    await place(a_house, order)
    await pay(a_house)
    async with opened_one(a_house) as case:
        case.take(Event.STOCK_LOCKED, cause="lock", actor="ballast")

    async with a_house.transaction() as first:
        (case,) = await cases.load(first, now=NOON, waits=a_house.waits, order_nos=["SO-1"])
        second = asyncio.create_task(tell(a_house, shipped({"B": {"SKU-1": 2}}, final=False)))
        await somebody_waits(first)
        news.apply(case, shipped({"A": {"SKU-1": 1}}, final=False))
        await moves.write(first, [case])
    await second
    after = await read_case(a_house)
    assert sorted(after.parcels) == ["A", "B"]
    assert [line.shipped for line in after.lines] == [3]
    assert after.standing.state is State.OUTBOUND


async def test_a_move_that_the_table_does_not_have_changes_nothing(a_house: House) -> None:
    before = await bring(a_house, State.STOCK_LOCKED)
    with pytest.raises(NoSuchMove, match="STOCK_LOCKED cannot take RETURN_WINDOW_ENDED"):
        async with opened_one(a_house) as case:
            case.take(Event.RETURN_WINDOW_ENDED, cause="x", actor="ballast")
    assert (await read_case(a_house)).version == before.version


async def test_what_was_decided_is_stored_with_its_milestones(a_house: House) -> None:
    case = await bring(a_house, State.CLOSED)
    names = ("paid_at", "locked_at", "outbound_at", "signed_at", "closed_at")
    assert all(case.milestones[name] for name in names)
    assert case.due is None
    moved = await column(a_house, "select to_state from order_event where moved order by id")
    assert moved == ["STOCK_LOCKED", "OUTBOUND", "IN_TRANSIT", "SIGNED", "CLOSED"]


async def test_the_database_refuses_a_hold_without_its_place_and_reason(a_house: House) -> None:
    await place(a_house, make_order())
    for change in ("state = 'ON_HOLD'", "held_from = 'OUTBOUND'", "hold_reason = 'BY_HAND'", "due_at = null"):
        with pytest.raises(DBAPIError, match="check constraint"):
            await table(a_house, f"update sales_order set {change} returning id")


async def test_the_bell_rings_when_a_move_makes_a_step_due(a_house: House, database_url: str) -> None:
    await place(a_house, make_order())
    heard = asyncio.Queue[str]()
    async with bell(database_url, heard.put_nowait):
        async with opened_one(a_house) as case:
            case.milestones["paid_at"] = NOON
            case.take(Event.PAYMENT_CONFIRMED, cause="pay", actor="ballast")
        assert await asyncio.wait_for(heard.get(), 5) == Step.LOCK_STOCK


async def test_a_move_that_is_taken_back_rings_nobody(a_house: House, database_url: str) -> None:
    await place(a_house, make_order("SO-1"), make_order("SO-2"))
    heard = asyncio.Queue[str]()
    async with bell(database_url, heard.put_nowait):
        async with a_house.engine.connect() as tx:
            (case,) = await cases.load(tx, now=NOON, waits=a_house.waits, order_nos=["SO-1"])
            case.take(Event.CANCELLED, cause="cancel", actor="person:li")
            case.send("shop.shipped")
            await moves.write(tx, [case])
            await tx.rollback()
        await pay(a_house, "SO-2")  # rings come in order: had the first rung, it would stand before this one
        assert await asyncio.wait_for(heard.get(), 5) == Step.LOCK_STOCK


async def test_moves_that_are_not_announced_send_nothing(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    async with opened_one(a_house) as case:
        case.announce = False
        case.take(Event.SHIPPED, cause="import", actor="import")
    assert await column(a_house, "select count(*) from outbox") == [0]


async def test_receivers_stay_out_of_logs(a_house: House) -> None:
    """What an adapter gets can be printed; nobody reads a name, a number or a street there."""
    case = await bring(a_house, State.STOCK_LOCKED)
    shown = repr(case.order())
    assert "浙江" in shown
    for secret in ("张三", "13912345678", "西湖", "文三路"):
        assert secret not in shown
