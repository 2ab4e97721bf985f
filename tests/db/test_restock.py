"""Short orders go on when the goods are there: the oldest first, only what fits, nobody is held or rung again."""

import asyncio
from datetime import timedelta

import pytest

from ballast.db import stock
from ballast.db.effects import Result, begin, finish
from ballast.db.restock import wake_short
from ballast.domain.stock import Want
from ballast.domain.words import HoldReason, State, Step
from ballast.ports import StockFigure
from ballast.wiring import House
from tests.db.stage import column, fill_shelf, hold_by_hand, make_order, pay, place, read_case, somebody_waits, table
from tests.times import NOON, SettableClock

SKU = "SKU-1"


async def short(house: House, order_no: str, pieces: int, *, age: int = 10) -> int:
    """A paid order, placed `age` minutes before noon, on hold because that many pieces were not there; its id."""
    placed_at = NOON - timedelta(minutes=age)
    ids = await place(house, make_order(order_no, lines=((SKU, pieces),), placed_at=placed_at))
    await pay(house, order_no, transaction=f"T-{order_no}")
    await hold_by_hand(house, HoldReason.STOCK_SHORT, order_no, evidence=f"{SKU} {pieces} short")
    return ids[order_no]


async def erp_says(house: House, on_hand: int, available: int | None = None, warehouse: str = "CK001") -> None:
    left = on_hand if available is None else available
    figure = StockFigure(sku=SKU, warehouse=warehouse, on_hand=on_hand, available=left, locked=on_hand - left)
    async with house.transaction() as tx:
        await stock.take_figures(tx, [figure], asked_at=house.clock.now())


async def wake(house: House, most: int = 100) -> list[str]:
    async with house.transaction() as tx:
        return [one.order_no for one in await wake_short(tx, now=house.clock.now(), waits=house.waits, most=most)]


async def erp_refused(house: House, order_no: str) -> None:
    order_id = (await read_case(house, order_no)).id
    async with house.transaction() as tx:
        await begin(tx, "erp.reserve", [(f"erp.reserve:{order_no}", order_id, "")], NOON)
        await finish(tx, [Result(key=f"erp.reserve:{order_no}", state="refused", receipt={})], NOON)


async def test_what_fits_goes_on_the_oldest_first_with_its_pieces_locked(a_house: House) -> None:
    await short(a_house, "young", 2, age=10)
    await short(a_house, "old", 3, age=30)
    await short(a_house, "large", 9, age=60)
    await erp_says(a_house, 4)

    assert await wake(a_house) == ["old"]

    case = await read_case(a_house, "old")
    assert (case.standing.state, case.due) == (State.PENDING_PAYMENT, (Step.LOCK_STOCK, NOON))
    assert await table(a_house, "select order_id, quantity, state from stock_lock") == [
        {"order_id": case.id, "quantity": 3, "state": "held"}
    ]
    assert await column(a_house, "select released_by from hold where order_id = :id", id=case.id) == ["ballast"]
    events = await table(a_house, "select actor, text from order_event where event = 'RESTOCKED'")
    assert events == [{"actor": "ballast", "text": "3 x SKU-1 are there, locked in CK001"}]


async def test_looking_again_without_news_of_the_stock_changes_nothing(a_house: House) -> None:
    await short(a_house, "old", 3)
    await short(a_house, "large", 9)
    await erp_says(a_house, 4)
    await wake(a_house)
    before = await column(a_house, "select version from sales_order order by id")
    assert await wake(a_house) == []
    assert await column(a_house, "select version from sales_order order by id") == before
    assert await column(a_house, "select count(*) from hold") == [2]
    assert await column(a_house, "select count(*) from alert") == [0]


async def test_pieces_that_another_order_gives_back_wake_it_too(a_house: House) -> None:
    [holder] = (await place(a_house, make_order("holder"))).values()
    await fill_shelf(a_house, {SKU: 3})
    async with a_house.transaction() as tx:
        await stock.lock_stock(tx, [Want(holder, {SKU: 2})], NOON)
    await short(a_house, "waits", 2)
    assert await wake(a_house) == []
    async with a_house.transaction() as tx:
        await stock.end_locks(tx, [holder], NOON)
    assert await wake(a_house) == ["waits"]


async def test_what_the_erp_has_not_got_wakes_nobody(a_house: House) -> None:
    """Our ledger has five, the ERP promised four of them to somebody else: it would refuse the order again."""
    await short(a_house, "waits", 2)
    await erp_says(a_house, 5, available=1)
    assert await wake(a_house) == []


async def test_what_cannot_go_on_does_not_take_the_turn_of_what_can(a_house: House) -> None:
    """One at a time: the older one fits our ledger only, the younger one the ERP, too."""
    await short(a_house, "old", 4, age=30)
    await short(a_house, "young", 1, age=10)
    await erp_says(a_house, 5, available=1)
    assert await wake(a_house, most=1) == ["young"]


async def test_the_pieces_come_from_the_warehouse_that_has_them_in_the_erp_too(a_house: House) -> None:
    await short(a_house, "waits", 2)
    await erp_says(a_house, 5, available=1)
    await erp_says(a_house, 5, warehouse="CK002")
    assert await wake(a_house) == ["waits"]
    assert await column(a_house, "select warehouse from stock_lock") == ["CK002"]


async def test_what_the_erp_refused_waits_until_its_figures_rise(a_house: House, clock: SettableClock) -> None:
    """Its figures said that there is enough when it refused: asking again would hold and ring again."""
    await erp_says(a_house, 5)
    await short(a_house, "waits", 2)
    await erp_refused(a_house, "waits")
    clock.pass_by(minutes=5)
    await erp_says(a_house, 5)
    assert await wake(a_house) == []
    await erp_says(a_house, 4)
    assert await wake(a_house) == [], "fewer is no reason to ask again"
    clock.pass_by(minutes=5)
    await erp_says(a_house, 6)
    assert await wake(a_house) == ["waits"]


async def test_two_wakers_at_once_wake_each_order_once(a_house: House) -> None:
    await short(a_house, "one", 2, age=20)
    await short(a_house, "two", 2, age=10)
    await erp_says(a_house, 4)
    async with a_house.transaction() as first:
        woken = await wake_short(first, now=NOON, waits=a_house.waits, most=1)
        second = asyncio.create_task(wake(a_house))
        await somebody_waits(first)
    assert [one.order_no for one in woken] == ["one"]
    assert await second == ["two"]
    assert await column(a_house, "select locked from stock_level") == [4]
    assert await column(a_house, "select count(*) from order_event where event = 'RESTOCKED'") == [2]


@pytest.mark.parametrize("reason", [HoldReason.CANCEL_ASKED, HoldReason.COMPLAINT])
async def test_another_cause_that_came_on_top_keeps_it_on_hold(a_house: House, reason: HoldReason) -> None:
    await short(a_house, "waits", 2)
    await hold_by_hand(a_house, reason, "waits")
    await erp_says(a_house, 9)
    assert await wake(a_house) == []
    assert (await read_case(a_house, "waits")).standing.reason is reason


async def test_a_release_by_a_person_still_asks_anew(a_house: House) -> None:
    await short(a_house, "waits", 2)
    await erp_says(a_house, 9)
    await wake(a_house)
    await hold_by_hand(a_house, HoldReason.STOCK_SHORT, "waits", evidence="again")
    assert (await read_case(a_house, "waits")).standing.reason is HoldReason.STOCK_SHORT
