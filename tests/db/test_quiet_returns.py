"""Returns of which the warehouse says nothing: it is asked, and its sums and its confirms never add up to more."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import OutcomeUnknown, OutsideError, Refused, Unavailable
from ballast.db import return_requests, returns
from ballast.db.return_steps import goods_in
from ballast.domain.words import Event, State, System
from ballast.ports import GoodsBack, News, PiecesBack
from ballast.wiring import House
from tests.db.stage import column, fill_shelf, opened_one, read_case, refunded, said, tell
from tests.db.test_clocks import sweep
from tests.db.test_returns import came, going_back, handle, inspected, on_hand, send, signed, state
from tests.times import SettableClock

NUMBER = "RT-SO-1-1"
QUIET = timedelta(hours=12)
MINUTE = timedelta(minutes=1)


class Warehouse:
    """Says of a return what it is set to say. `asked`: how often it was asked."""

    system = System.QIMEN

    def __init__(self) -> None:
        self.asked = 0
        self.says: Sequence[News] | OutsideError = ()

    async def ask_return(self, return_no: str) -> Sequence[News]:
        self.asked += 1
        if isinstance(self.says, OutsideError):
            raise self.says
        return self.says

    async def close(self) -> None: ...


@pytest.fixture
def warehouse(a_house: House) -> Warehouse:
    found = Warehouse()
    a_house.roles["wms"] = found
    return found


def so_far(*, final: bool = True, **pieces: tuple[int, int]) -> Sequence[News]:
    """Its answer: `SKU_1=(good, damaged)`, everything that is in."""
    back = tuple(PiecesBack(sku=s.replace("_", "-"), good=g, damaged=d) for s, (g, d) in pieces.items())
    told = GoodsBack(return_no=NUMBER, pieces=back, final=final, so_far=True)
    return (said(System.QIMEN, Event.NOTED, "returnorder.query", field="returnorder", goods_back=told),)


async def waiting(house: House, *lines: tuple[int, int]) -> None:
    """A return that the warehouse took on."""
    await fill_shelf(house, {"SKU-1": 10, "SKU-2": 10})
    await signed(house)
    await inspected(house, *lines)
    async with house.transaction() as tx:
        await tx.exec_driver_sql("update return_case set state = 'waiting_for_goods', awaited_at = approved_at")


async def unsent(house: House) -> list[str]:
    return await column(house, "select key from outbox where done_at is null and kind = 'wms.return'")


async def asked_after(house: House, clock: SettableClock, passed: timedelta) -> None:
    clock.pass_by(hours=passed / timedelta(hours=1))
    await handle(house)


async def test_a_lost_confirm_is_asked_for_and_the_return_ends_all_the_same(
    a_house: House, clock: SettableClock, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2))
    warehouse.says = so_far(SKU_1=(2, 0))
    await asked_after(a_house, clock, QUIET - MINUTE)
    assert (warehouse.asked, await state(a_house)) == (0, "waiting_for_goods")
    await asked_after(a_house, clock, 2 * MINUTE)
    assert (await on_hand(a_house))["SKU-1"] == 12
    assert await going_back(a_house) == {"RF-T-1-R1": 2000}
    await tell(a_house, came(SKU_1=(2, 0)))  # it was not lost, it was late
    async with opened_one(a_house) as case:
        assert case.puzzles == []
    await send(a_house)
    await tell(a_house, refunded(2000, number="RF-T-1-R1", of=5000))
    await asked_after(a_house, clock, QUIET)
    assert (await state(a_house), warehouse.asked) == ("closed", 1)
    assert (await on_hand(a_house))["SKU-1"] == 12
    assert await going_back(a_house) == {"RF-T-1-R1": 2000}
    assert (await read_case(a_house)).standing.state is State.SIGNED
    assert await column(a_house, "select count(*) from alert") == [0]


async def test_a_late_confirm_of_a_part_has_the_warehouse_asked_and_adds_nothing(
    a_house: House, clock: SettableClock, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2), (2, 2))
    warehouse.says = so_far(SKU_1=(1, 0), final=False)
    await asked_after(a_house, clock, QUIET)
    assert (await state(a_house), (await on_hand(a_house))["SKU-1"]) == ("received", 11)
    await tell(a_house, came(SKU_1=(1, 0), final=False))
    await handle(a_house)
    assert (warehouse.asked, (await on_hand(a_house))["SKU-1"]) == (2, 11), "asked at once, and it says the same"
    warehouse.says = so_far(SKU_1=(2, 0), SKU_2=(1, 1))
    await asked_after(a_house, clock, 2 * QUIET)
    assert await on_hand(a_house) == {"SKU-1": 12, "SKU-2": 11}
    assert await column(a_house, "select sum(good), sum(damaged) from return_line") == [3]


async def test_a_rest_that_never_came_is_known_when_the_last_confirm_was_lost(
    a_house: House, clock: SettableClock, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2), (2, 2))
    await tell(a_house, came(SKU_1=(2, 0), final=False))
    warehouse.says = so_far(SKU_1=(2, 0), SKU_2=(1, 0))
    await asked_after(a_house, clock, QUIET)
    assert await on_hand(a_house) == {"SKU-1": 12, "SKU-2": 11}
    assert await going_back(a_house) == {"RF-T-1-R1": 3000}


async def test_a_first_confirm_that_was_lost_is_counted_although_the_last_one_came(
    a_house: House, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2), (2, 2))
    await tell(a_house, came(SKU_2=(1, 0)))
    assert await going_back(a_house) == {}
    warehouse.says = so_far(SKU_1=(2, 0), SKU_2=(1, 0))
    await handle(a_house)
    assert await on_hand(a_house) == {"SKU-1": 12, "SKU-2": 11}
    assert await going_back(a_house) == {"RF-T-1-R1": 3000}


@pytest.mark.parametrize(
    "says",
    [
        Refused(System.QIMEN, "不支持的方法 returnorder.query"),
        (),
        so_far(SKU_1=(1, 0), final=False),
    ],
    ids=["it cannot be asked", "it knows nothing", "it says no end"],
)
async def test_what_the_last_confirm_says_stands_where_nothing_else_is_known(
    a_house: House, clock: SettableClock, warehouse: Warehouse, says: Any
) -> None:
    await waiting(a_house, (1, 2))
    warehouse.says = Unavailable(System.QIMEN, "HTTP 503")
    await tell(a_house, came(SKU_1=(1, 0)))
    await handle(a_house)
    assert (warehouse.asked, await state(a_house)) == (1, "received")
    warehouse.says = says
    await asked_after(a_house, clock, QUIET)
    assert (warehouse.asked, await state(a_house)) == (2, "inspected")
    assert await going_back(a_house) == {"RF-T-1-R1": 1000}
    assert await unsent(a_house) == []


async def test_goods_beyond_what_ended_are_told_to_people(
    a_house: House, clock: SettableClock, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2))
    warehouse.says = so_far(SKU_1=(1, 0))
    await asked_after(a_house, clock, QUIET)
    await tell(a_house, came(SKU_1=(2, 0)))
    async with opened_one(a_house) as case:
        assert goods_in_of(case, await one(a_house), so_far(SKU_1=(2, 0))) == []
        assert any("tells of goods for it: 1 good and 0 damaged of SKU-1" in puzzle for puzzle in case.puzzles)
    assert (await on_hand(a_house))["SKU-1"] == 11


async def test_a_person_and_then_the_warehouse_are_one_count(
    a_house: House, clock: SettableClock, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2))
    async with a_house.transaction() as tx:
        now, waits = a_house.clock.now(), a_house.waits
        what = {"good": {1: 1}, "damaged": {}, "final": False, "by": "li"}
        await return_requests.receive(tx, NUMBER, now=now, waits=waits, **what)  # type: ignore[arg-type]
    await tell(a_house, came(SKU_1=(1, 0), final=False))
    assert (await on_hand(a_house))["SKU-1"] == 11
    warehouse.says = so_far(SKU_1=(2, 0))
    await handle(a_house)
    assert (await on_hand(a_house))["SKU-1"] == 12


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(System.QIMEN, "HTTP 503"),
        OutcomeUnknown(System.QIMEN, "no answer"),
        Refused(System.QIMEN, "不支持的方法 returnorder.query"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_question_without_an_answer_is_asked_again_later(
    a_house: House, clock: SettableClock, warehouse: Warehouse, error: OutsideError
) -> None:
    await waiting(a_house, (1, 2))
    warehouse.says = error
    await asked_after(a_house, clock, QUIET)
    assert (warehouse.asked, await state(a_house)) == (1, "waiting_for_goods")
    assert await unsent(a_house) == [], "not announced again"
    warehouse.says = so_far(SKU_1=(2, 0))
    await asked_after(a_house, clock, QUIET)
    assert (warehouse.asked, (await on_hand(a_house))["SKU-1"]) == (2, 12)


async def test_a_yes_that_was_none_is_announced_once_more(
    a_house: House, clock: SettableClock, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2))
    await asked_after(a_house, clock, QUIET)
    assert await unsent(a_house) == [f"wms.return:SO-1:{NUMBER}"]
    await asked_after(a_house, clock, 9 * QUIET)
    assert warehouse.asked == 1, "nobody is asked about what is on its way there"


async def test_it_is_asked_ever_more_rarely(a_house: House, clock: SettableClock, warehouse: Warehouse) -> None:
    await waiting(a_house, (1, 2))
    warehouse.says = so_far(final=False)
    times = []
    for hours in range(1, 100 * 24):
        clock.pass_by(hours=1)
        before = warehouse.asked
        async with a_house.transaction() as tx:
            due = (await tx.exec_driver_sql("select due_at from return_case")).scalar_one()
        if due <= clock.now():
            await handle(a_house)
        if warehouse.asked > before:
            times.append(hours)
    assert times == [12, 24, 48, 96, 192, 384, 768, 1536]
    assert await column(a_house, "select count(*) from order_event where text like '%good%'") == [0]


async def test_a_person_hears_once_that_goods_are_not_back(
    a_house: House, clock: SettableClock, warehouse: Warehouse
) -> None:
    await waiting(a_house, (1, 2))
    warehouse.says = so_far(final=False)
    told = []
    for _ in range(12):
        await asked_after(a_house, clock, timedelta(days=1))
        told += await sweep(a_house)
    assert told == ["yellow goods_not_back"]
    assert await column(a_house, "select count(*) from alert where ended_at is null") == [1]
    warehouse.says = so_far(SKU_1=(2, 0))
    await asked_after(a_house, clock, timedelta(days=4))
    await sweep(a_house)
    assert await column(a_house, "select ended_at from sla_breach") == [clock.now()]
    assert await column(a_house, "select count(*) from alert where ended_at is null") == [0]


# -- however it is told -------------------------------------------------------------------------------------------

Part = tuple[int, int, str, bool]  # good and damaged pieces, what becomes of its confirm, whether it is asked after it
PARTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(["lost", "now", "late"]), st.booleans()),
    max_size=5,
)


async def one(house: House) -> returns.Return:
    async with house.transaction() as tx:
        return (await returns.load(tx, numbers=[NUMBER]))[0]


def goods_in_of(case: Any, row: returns.Return, told: Sequence[News]) -> list[Any]:
    back = told[0].goods_back
    assert back is not None
    return goods_in(case, row, back)


@settings(max_examples=150)
@given(PARTS)
async def test_lost_late_and_asked_for_it_is_never_more_than_came_and_at_last_all_of_it(
    quiet_one: tuple[Any, returns.Return], parts: list[Part]
) -> None:
    case, row = quiet_one[0], deepcopy(quiet_one[1])
    good = damaged = shelved = 0
    late: list[News] = []
    for place, (some, broken, fate, asks) in enumerate(parts):
        good, damaged = good + some, damaged + broken
        confirm = came(NUMBER, SKU_1=(some, broken), no=f"m{place}", final=False)
        hears = [confirm] if fate == "now" else []
        late += [confirm] if fate == "late" else []
        if asks:
            hears += so_far(SKU_1=(good, damaged), final=False)
            hears, late = hears + late, []
        for news in hears:
            shelved += sum(shelf.pieces for shelf in goods_in_of(case, row, [news]))
            assert row.lines[1].good <= good and row.lines[1].damaged <= damaged
    for news in (*so_far(SKU_1=(good, damaged)), *late, *so_far(SKU_1=(good, damaged))):
        shelved += sum(shelf.pieces for shelf in goods_in_of(case, row, [news]))
    assert (row.lines[1].good, row.lines[1].damaged, shelved) == (good, damaged, good)
    assert row.state == "inspected"


@pytest.fixture
async def quiet_one(a_house: House) -> tuple[Any, returns.Return]:
    await waiting(a_house, (1, 2))
    row = await one(a_house)
    row.lines[1].quantity = 100
    return await read_case(a_house), row
