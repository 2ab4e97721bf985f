"""What is kept for unpaid orders: nobody else gets it, nobody keeps it for ever, nothing is promised twice."""

import asyncio
from datetime import timedelta

import pytest

from ballast.db import reservations, stock
from ballast.db.intake import put_in
from ballast.db.promised_anew import promise_anew
from ballast.db.restock import wake_short
from ballast.domain.promising import Basket, Piece
from ballast.domain.stock import Allocation, Want
from ballast.domain.words import Event, HoldReason, State, Step
from ballast.settings import DoorSettings
from ballast.wiring import House
from tasks import promising
from tests.db.stage import (
    captured,
    column,
    fill_shelf,
    hold_by_hand,
    make_order,
    opened_one,
    pay,
    place,
    read_case,
    statements,
    table,
    tell,
    until_blocked,
)
from tests.times import NOON, SettableClock

SKU = "SKU-1"
TERMS = reservations.Terms()
LONG = timedelta(minutes=30)


async def reserve(house: House, order_no: str, pieces: int, *, lasts: timedelta = LONG) -> bool:
    async with house.transaction() as tx:
        [answer] = await reservations.reserve(
            tx, [Basket(order_no, [Piece(1, SKU, pieces)])], TERMS, now=house.clock.now(), lasts={order_no: lasts}
        )
    return answer.ok


async def lock(house: House, *wants: tuple[int, int]) -> dict[int, Allocation]:
    async with house.transaction() as tx:
        return await stock.lock_stock(tx, [Want(order, {SKU: n}) for order, n in wants], house.clock.now())


async def kept(house: House) -> dict[str, int]:
    found = await table(house, "select order_no, quantity from stock_reservation order by order_no")
    return {row["order_no"]: row["quantity"] for row in found}


async def test_a_lock_takes_nothing_that_is_kept_for_another_and_ends_its_own(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"))
    await fill_shelf(a_house, {SKU: 3})
    assert await reserve(a_house, "SO-1", 2)
    assert (await lock(a_house, (ids["SO-2"], 2)))[ids["SO-2"]].missing == {SKU: 1}
    assert (await lock(a_house, (ids["SO-1"], 2)))[ids["SO-1"]].warehouse == "CK001"
    assert await kept(a_house) == {}
    assert (await lock(a_house, (ids["SO-2"], 1)))[ids["SO-2"]].warehouse == "CK001"


async def test_within_a_chunk_what_is_kept_goes_to_whom_it_is_kept_for(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"))
    await fill_shelf(a_house, {SKU: 3})
    assert await reserve(a_house, "SO-2", 2)
    made = await lock(a_house, (ids["SO-1"], 2), (ids["SO-2"], 2))
    assert [made[ids[number]].warehouse for number in ("SO-1", "SO-2")] == [None, "CK001"]


async def test_when_the_figures_fall_who_pays_first_gets_what_was_kept_for_several(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"))
    await fill_shelf(a_house, {SKU: 6})
    assert await reserve(a_house, "SO-1", 3) and await reserve(a_house, "SO-2", 3)
    await fill_shelf(a_house, {SKU: 3})
    made = await lock(a_house, (ids["SO-2"], 3), (ids["SO-1"], 3))
    assert [made[ids[number]].warehouse for number in ("SO-1", "SO-2")] == [None, "CK001"]


async def test_an_expired_reservation_has_to_compete_again(a_house: House, clock: SettableClock) -> None:
    ids = await place(a_house, make_order("SO-1"), make_order("SO-2"))
    await fill_shelf(a_house, {SKU: 2})
    await reserve(a_house, "SO-1", 2)
    clock.pass_by(minutes=30)
    assert (await lock(a_house, (ids["SO-2"], 2)))[ids["SO-2"]].warehouse == "CK001"
    assert await reserve(a_house, "SO-1", 2) is False
    async with a_house.transaction() as tx:
        assert await reservations.sweep(tx, clock.now()) == 1
    assert await kept(a_house) == {}


async def test_a_person_sees_what_is_kept_and_gives_it_back(a_house: House, clock: SettableClock) -> None:
    await fill_shelf(a_house, {SKU: 5})
    await reserve(a_house, "SO-1", 2)
    await reserve(a_house, "SO-2", 1, lasts=timedelta(minutes=1))
    clock.pass_by(minutes=1)
    async with a_house.transaction() as tx:
        [one] = await reservations.list_reservations(tx, now=clock.now(), sku=SKU)
        assert (one.order_no, one.quantity, one.expires_at) == ("SO-1", 2, NOON + LONG)
        freed = await reservations.free_reservations(tx, ["SO-1", "SO-2", "SO-3"], now=clock.now())
    assert freed == {"SO-1": 2, "SO-2": 0, "SO-3": 0}
    assert await reserve(a_house, "SO-4", 5)


async def test_where_reservations_do_not_count_nobody_waits_for_them(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1"))
    await fill_shelf(a_house, {SKU: 2})
    await column(
        a_house,
        "insert into stock_limit (sku, warehouse, counts_reservations, changed_by, changed_at) "
        "values (:sku, '', false, 'li', now()) returning 1",
        sku=SKU,
    )
    assert await reserve(a_house, "SO-2", 2) and await reserve(a_house, "SO-3", 2)
    assert (await lock(a_house, (ids["SO-1"], 2)))[ids["SO-1"]].warehouse == "CK001"


async def test_who_checks_while_the_last_piece_is_taken_hears_of_it(a_house: House) -> None:
    """The check waits for the lock and reads afterwards: with the figures of before it would promise it twice."""
    await fill_shelf(a_house, {SKU: 2})
    async with a_house.transaction() as tx:
        basket = Basket("SO-1", [Piece(1, SKU, 2)])
        await reservations.reserve(tx, [basket], TERMS, now=NOON, lasts={"SO-1": LONG})
        second = asyncio.create_task(reserve(a_house, "SO-2", 2))
        third = asyncio.create_task(lock(a_house, ((await place(a_house, make_order("SO-3")))["SO-3"], 2)))
        await until_blocked(a_house, 2)
    assert await second is False
    assert [one.warehouse for one in (await third).values()] == [None]


async def test_many_are_answered_by_as_many_statements_as_one(a_house: House) -> None:
    await fill_shelf(a_house, {f"SKU-{n}": 200 for n in range(50)})

    async def count(baskets: list[Basket]) -> int:
        with statements(a_house.engine) as heard:
            async with a_house.transaction() as tx:
                lasts = {basket.order_no: LONG for basket in baskets}
                await reservations.reserve(tx, baskets, TERMS, now=NOON, lasts=lasts)
        return len(heard)

    many = [Basket(f"SO-{n}", [Piece(1, f"SKU-{n}", 2), Piece(2, "SKU-0", 2)]) for n in range(50)]
    assert await count(many[:1]) == await count(many) == 4


@pytest.mark.parametrize("event", [Event.PAYMENT_ENDED, Event.CANCELLED])
async def test_an_order_that_is_closed_keeps_nothing(a_house: House, event: Event) -> None:
    await place(a_house, make_order("SO-1"))
    await fill_shelf(a_house, {SKU: 2})
    await reserve(a_house, "SO-1", 2)
    async with opened_one(a_house, "SO-1") as case:
        case.take(event, cause="closed", actor="ballast")
    assert await kept(a_house) == {}


# -- the intake ----------------------------------------------------------------------------------------------------


async def take_in(house: House, *wanted: tuple[str, int]) -> frozenset[int]:
    orders = [make_order(number, lines=((SKU, pieces),)) for number, pieces in wanted]
    async with house.transaction() as tx:
        put = await put_in(tx, orders, source="direct", now=house.clock.now(), waits=house.waits)
        return await promising.at_intake(house, tx, orders, put)


async def test_what_cannot_be_promised_is_held_at_once_with_its_lines(a_house: House) -> None:
    await fill_shelf(a_house, {SKU: 5})
    held = await take_in(a_house, ("SO-1", 3), ("SO-2", 4))
    case = await read_case(a_house, "SO-2")
    assert held == {case.id} and case.standing.reason is HoldReason.STOCK_SHORT
    evidence = await column(a_house, "select evidence from hold")
    assert evidence == ["line 1 wants 4 x SKU-1, 2 can be promised: free are 2 in CK001"]
    assert len(await column(a_house, "select key from alert")) == 1
    assert await kept(a_house) == {"SO-1": 3}
    assert await take_in(a_house, ("SO-2", 4)) == frozenset(), "an order that is known is not held again"


async def test_what_the_door_has_kept_is_not_asked_for_again(a_house: House) -> None:
    await fill_shelf(a_house, {SKU: 3})
    await reserve(a_house, "SO-1", 3)
    with statements(a_house.engine) as heard:
        assert await take_in(a_house, ("SO-1", 3)) == frozenset()
    assert not any("for update" in statement for statement, _ in heard)


async def test_a_shop_that_lets_everything_in_has_nothing_checked(a_house: House) -> None:
    a_house.settings = a_house.settings.model_copy(update={"door": DoorSettings(intake="let_in")})
    await fill_shelf(a_house, {SKU: 1})
    assert await take_in(a_house, ("SO-1", 3)) == frozenset() and await kept(a_house) == {}


# -- what was short ------------------------------------------------------------------------------------------------


async def anew(house: House) -> list[str]:
    async with house.transaction() as tx:
        some = await promise_anew(
            tx, TERMS, lambda _: LONG, now=house.clock.now(), waits=house.waits, most=100
        )  # fmt: skip
    return [case.order_no for case in some]


async def test_an_unpaid_short_order_goes_on_with_a_reservation_and_no_lock(a_house: House) -> None:
    await take_in(a_house, ("SO-0", 1))  # nothing is known of the SKU: it is let in
    await fill_shelf(a_house, {SKU: 1})
    await take_in(a_house, ("SO-1", 3), ("SO-2", 9))
    assert await anew(a_house) == []
    await fill_shelf(a_house, {SKU: 5})
    async with a_house.transaction() as tx:
        assert await wake_short(tx, now=NOON, waits=a_house.waits, most=9) == []
    assert await anew(a_house) == ["SO-1"]
    case = await read_case(a_house, "SO-1")
    assert (case.standing.state, case.due and case.due[0]) == (State.PENDING_PAYMENT, Step.CONFIRM_PAYMENT)
    assert await kept(a_house) == {"SO-1": 3} and await column(a_house, "select 1 from stock_lock") == []
    assert await anew(a_house) == []


async def test_who_was_charged_while_short_goes_first_and_is_confirmed_at_once(a_house: House) -> None:
    await fill_shelf(a_house, {SKU: 1})
    await take_in(a_house, ("SO-1", 3), ("SO-2", 3))
    await tell(a_house, captured(3000, "T-2", "SO-2"))
    assert (await read_case(a_house, "SO-2")).standing.reason is HoldReason.STOCK_SHORT
    await fill_shelf(a_house, {SKU: 3})
    assert await anew(a_house) == ["SO-2"]
    assert (await read_case(a_house, "SO-2")).due == (Step.CONFIRM_PAYMENT, NOON)


async def test_paid_orders_that_are_short_leave_alone_what_is_kept_for_others(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-1", lines=((SKU, 3),)))
    await pay(a_house, "SO-1")
    await hold_by_hand(a_house, HoldReason.STOCK_SHORT, "SO-1")
    await fill_shelf(a_house, {SKU: 5})
    await reserve(a_house, "SO-2", 3)
    async with a_house.transaction() as tx:
        assert await wake_short(tx, now=NOON, waits=a_house.waits, most=9) == []
    await column(a_house, "delete from stock_reservation returning 1")
    async with a_house.transaction() as tx:
        assert [case.id for case in await wake_short(tx, now=NOON, waits=a_house.waits, most=9)] == [ids["SO-1"]]
