"""The ledger: as many locked as there was, each piece ended once, older figures bring nothing back."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from ballast.db import stock
from ballast.db.engine import rows
from ballast.domain.stock import Allocation, Want
from ballast.domain.words import Event, HoldReason, State
from ballast.ports import StockFigure
from ballast.wiring import House
from tests.db.stage import (
    bring,
    captured,
    column,
    fill_shelf,
    make_order,
    opened_one,
    place,
    place_many,
    read_case,
    refunded,
    shipped,
    somebody_waits,
    table,
    tell,
)
from tests.times import NOON, SettableClock

SHELF = ("SKU-1", "CK001")


async def lock(house: House, *wants: Want) -> dict[int, Allocation]:
    async with house.transaction() as tx:
        return await stock.lock_stock(tx, wants, house.clock.now())


async def figure(house: House, on_hand: int, *, asked_at: datetime | None = None) -> int:
    one = StockFigure(sku="SKU-1", warehouse="CK001", on_hand=on_hand, available=on_hand, locked=0)
    async with house.transaction() as tx:
        return len(await stock.take_figures(tx, [one], asked_at=asked_at or house.clock.now()))


async def level(house: House) -> tuple[int, int]:
    async with house.transaction() as tx:
        return (await stock.levels(tx))[SHELF]


async def leave(house: House, *ids: int) -> None:
    """All that these orders hold is out of the door."""
    await table(
        house,
        """update order_line l set shipped = k.quantity from stock_lock k
           where k.order_id = l.order_id and k.sku = l.sku and l.order_id = any(:ids) returning 1""",
        ids=list(ids),
    )
    await end(house, *ids)


async def end(house: House, *ids: int) -> list[stock.Ended]:
    async with house.transaction() as tx:
        return await stock.end_locks(tx, ids, house.clock.now())


async def test_two_hundred_lockers_get_exactly_what_there_was(a_house: House) -> None:
    ids = await place_many(a_house, 200)
    await fill_shelf(a_house, {"SKU-1": 250})
    made = await asyncio.gather(*(lock(a_house, Want(order_id, {"SKU-1": 2})) for order_id in ids))
    got = [a for one in made for a in one.values() if a.warehouse]
    assert len(got) == 125
    assert await level(a_house) == (250, 250)
    assert await column(a_house, "select sum(quantity) from stock_lock where state = 'held'") == [250]


async def test_lockers_of_many_skus_in_any_order_do_not_block_each_other_for_ever(a_house: House) -> None:
    ids = await place_many(a_house, 40)
    await fill_shelf(a_house, {"A": 30, "B": 30, "C": 30})
    wants = [Want(i, dict.fromkeys(("ABC", "CBA", "BCA")[i % 3], 1)) for i in ids]
    made = await asyncio.gather(*(lock(a_house, *reversed(wants[n : n + 4])) for n in range(0, 40, 4)))
    assert sum(bool(a.warehouse) for one in made for a in one.values()) == 30
    assert await column(a_house, "select locked from stock_level") == [30, 30, 30]


async def test_the_whole_order_or_nothing(a_house: House) -> None:
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"A": 5, "B": 1})
    made = await lock(a_house, Want(order_id, {"A": 1, "B": 2}))
    assert made[order_id] == Allocation(order_id, (), {"B": 1})
    assert await column(a_house, "select sum(locked) from stock_level") == [0]
    assert await column(a_house, "select count(*) from stock_lock") == [0]


async def test_locking_again_locks_nothing_more(a_house: House) -> None:
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"SKU-1": 9})
    want = Want(order_id, {"SKU-1": 2})
    assert (await lock(a_house, want))[order_id] == (await lock(a_house, want))[order_id]
    assert await level(a_house) == (9, 2)


async def test_one_order_locked_by_two_at_once_is_locked_once(a_house: House) -> None:
    """The second finds the first warehouse empty; it must not take the second one for the same order."""
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"SKU-1": 2})
    await fill_shelf(a_house, {"SKU-1": 2}, warehouse="CK002")
    want = Want(order_id, {"SKU-1": 2})
    async with a_house.transaction() as first:
        await stock.lock_stock(first, [want], NOON)
        second = asyncio.create_task(lock(a_house, want))
        await somebody_waits(first)
    assert (await second)[order_id].warehouse == "CK001"
    assert await column(a_house, "select sum(locked) from stock_level") == [2]


async def test_releasing_twice_releases_once(a_house: House) -> None:
    ids = await place_many(a_house, 2)
    await fill_shelf(a_house, {"SKU-1": 9})
    await lock(a_house, *(Want(i, {"SKU-1": 2}) for i in ids))

    ended = await asyncio.gather(*(end(a_house, ids[0]) for _ in range(3)))
    assert sorted(len(one) for one in ended) == [0, 0, 1]
    assert await level(a_house) == (9, 2)
    await leave(a_house, ids[0])  # what was released cannot leave
    assert await level(a_house) == (9, 2)


async def test_what_was_released_can_be_locked_again(a_house: House) -> None:
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"SKU-1": 2})
    await lock(a_house, Want(order_id, {"SKU-1": 2}))
    await end(a_house, order_id)
    assert (await lock(a_house, Want(order_id, {"SKU-1": 1})))[order_id].warehouse == "CK001"
    assert await level(a_house) == (2, 1)


async def test_the_database_refuses_what_the_code_would_not_do(a_house: House) -> None:
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"SKU-1": 2})
    await lock(a_house, Want(order_id, {"SKU-1": 2}))
    for change in ("locked = 3", "locked = -1", "on_hand = 1", "on_hand = -1"):
        with pytest.raises(DBAPIError, match="check constraint"):
            await table(a_house, f"update stock_level set {change} returning sku")
    with pytest.raises(DBAPIError, match="stock_lock_pkey"):
        await table(
            a_house,
            """insert into stock_lock (order_id, sku, warehouse, quantity, state, locked_at)
               values (:id, 'SKU-1', 'CK001', 1, 'held', now()) returning sku""",
            id=order_id,
        )


async def test_stock_leaves_the_shelf_with_the_order_and_comes_back_when_it_closes_before(a_house: House) -> None:
    ids = await place(a_house, make_order("goes"), make_order("stays"))
    await fill_shelf(a_house, {"SKU-1": 9})
    await lock(a_house, *(Want(i, {"SKU-1": 2}) for i in ids.values()))
    for number in ids:
        async with opened_one(a_house, number) as case:
            case.take(Event.STOCK_LOCKED, cause="lock", actor="ballast")
    await tell(a_house, shipped({"Y-1": {"SKU-1": 2}}, order_no="goes"))
    async with opened_one(a_house, "stays") as case:
        case.take(Event.REFUNDED, cause="refund", actor="wechatpay")
        case.take(Event.RELEASED, cause="release", actor="person:li")
    assert await level(a_house) == (7, 0)
    locks = await table(a_house, "select order_id, state from stock_lock")
    assert {row["order_id"]: row["state"] for row in locks} == {ids["goes"]: "shipped", ids["stays"]: "released"}


async def test_figures_count_what_is_under_way_to_the_erp(a_house: House, clock: SettableClock) -> None:
    """Nine on the shelf, two leave: nine is old news until the ERP has the outbound bill."""
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"SKU-1": 9})
    await lock(a_house, Want(order_id, {"SKU-1": 2}))
    await leave(a_house, order_id)
    assert await level(a_house) == (7, 0)
    asked_at = clock.pass_by(minutes=1)
    await figure(a_house, 9)
    assert await level(a_house) == (7, 0)
    clock.pass_by(minutes=1)
    async with a_house.transaction() as tx:
        await stock.booked(tx, [order_id], clock.now())
    await figure(a_house, 9, asked_at=asked_at)  # asked before the bill was written
    assert await level(a_house) == (7, 0)
    clock.pass_by(minutes=1)
    await figure(a_house, 7)
    assert await level(a_house) == (7, 0)


async def test_an_older_figure_is_dropped(a_house: House, clock: SettableClock) -> None:
    await fill_shelf(a_house, {"SKU-1": 9})
    clock.pass_by(minutes=5)
    assert await figure(a_house, 4) == 1
    assert await figure(a_house, 8, asked_at=NOON + timedelta(minutes=2)) == 0
    assert await level(a_house) == (4, 0)


async def test_a_figure_below_the_locks_stops_new_locks_and_keeps_the_old(a_house: House, clock: SettableClock) -> None:
    ids = await place_many(a_house, 2)
    await fill_shelf(a_house, {"SKU-1": 5})
    await lock(a_house, Want(ids[0], {"SKU-1": 5}))
    clock.pass_by(minutes=1)
    await figure(a_house, 3)
    assert await level(a_house) == (3, 5)
    assert (await lock(a_house, Want(ids[1], {"SKU-1": 1})))[ids[1]].warehouse is None


async def test_what_the_erp_took_away_may_still_have_left_the_shelf(a_house: House, clock: SettableClock) -> None:
    """The warehouse ships five although the ERP counts three: that is news of the goods, not an error of ours."""
    ids = await place_many(a_house, 2)
    await fill_shelf(a_house, {"SKU-1": 5})
    await lock(a_house, Want(ids[0], {"SKU-1": 5}))
    clock.pass_by(minutes=1)
    await figure(a_house, 3)
    await leave(a_house, ids[0])
    assert await level(a_house) == (0, 0)


async def test_a_figure_meets_pieces_that_leave_at_the_same_moment(a_house: House, clock: SettableClock) -> None:
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"SKU-1": 9})
    await lock(a_house, Want(order_id, {"SKU-1": 2}))
    clock.pass_by(minutes=1)
    async with a_house.transaction() as first:
        await rows(first, "update order_line set shipped = quantity where order_id = :id returning 1", id=order_id)
        await stock.end_locks(first, [order_id], clock.now())
        second = asyncio.create_task(figure(a_house, 10))
        await somebody_waits(first)
    await second
    assert await level(a_house) == (8, 0)


async def test_a_parcel_more_for_an_order_that_left_takes_no_more_stock(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 9})
    case = await bring(a_house, State.STOCK_LOCKED)
    await lock(a_house, Want(case.id, {"SKU-1": 2}))
    await tell(a_house, shipped({"A": {"SKU-1": 2}}))
    await tell(a_house, shipped({"B": {"SKU-1": 2}}, minutes=1))
    assert await level(a_house) == (7, 0)


FIVE = (("SKU-1", 3), ("SKU-1", 2), ("SKU-2", 1))
"""Two lines of one SKU: pieces are counted per SKU, whichever line they are handed to."""


async def partly_shipped(house: House, parcels: dict[str, dict[str, int]], *, final: bool) -> None:
    """SO-1, stock-locked with its pieces; so much of it left."""
    await fill_shelf(house, {"SKU-1": 9, "SKU-2": 9})
    case = await bring(house, State.STOCK_LOCKED, order=make_order(lines=FIVE))
    await lock(house, Want.of(case.id, FIVE))
    await tell(house, shipped(parcels, final=final))


async def books(house: House) -> list[tuple[int, int]]:
    """(on hand, locked) of SKU-1 and SKU-2."""
    return [tuple(row.values()) for row in await table(house, "select on_hand, locked from stock_level order by sku")]


async def locks(house: House) -> list[tuple[str, int, int]]:
    sql = "select state, quantity, given_back from stock_lock order by sku"
    return [tuple(row.values()) for row in await table(house, sql)]


async def test_a_partly_shipped_order_that_is_refunded_gives_back_only_what_stayed(a_house: House) -> None:
    await partly_shipped(a_house, {"Y-1": {"SKU-1": 4}}, final=False)
    assert await books(a_house) == [(9, 5), (9, 1)]
    await tell(a_house, captured(6000), refunded(6000, of=6000))
    async with opened_one(a_house) as case:
        assert case.standing.reason is HoldReason.REFUNDED_ON_THE_WAY
        case.take(Event.RELEASED, cause="release", actor="person:li")
    assert (await read_case(a_house)).standing.state is State.CLOSED
    assert await books(a_house) == [(5, 0), (9, 0)]
    assert await locks(a_house) == [("shipped", 4, 1), ("released", 1, 0)]


async def test_who_accepts_fewer_pieces_gives_the_others_back(a_house: House) -> None:
    await partly_shipped(a_house, {"Y-1": {"SKU-1": 4}}, final=True)
    async with opened_one(a_house) as case:
        assert case.standing.reason is HoldReason.SHIPPED_SHORT
        case.take(Event.RELEASED, cause="release", actor="person:li")
    assert (await read_case(a_house)).standing.state is State.OUTBOUND
    assert await books(a_house) == [(5, 0), (9, 0)]
    assert await locks(a_house) == [("shipped", 4, 1), ("released", 1, 0)]


async def test_two_lines_of_one_sku_are_one_want(a_house: House) -> None:
    """Each alone would fit."""
    (order_id,) = await place_many(a_house, 1)
    await fill_shelf(a_house, {"SKU-1": 4, "SKU-2": 9})
    assert (await lock(a_house, Want.of(order_id, FIVE)))[order_id].warehouse is None
    assert await books(a_house) == [(4, 0), (9, 0)]
