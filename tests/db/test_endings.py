"""What ends an order on hold: its money goes back before the stock is locked. Later nothing but its ordinary way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.storefronts.direct.status import CANCELLED, CODES
from ballast.db import stock
from ballast.domain.stock import Want
from ballast.domain.words import Event, HoldReason, State, Step, System
from ballast.ports import News
from ballast.wiring import House
from tests.db.stage import (
    TWO,
    bring,
    captured,
    column,
    fill_shelf,
    hold_by_hand,
    lock,
    make_order,
    pay,
    place,
    read_case,
    refunded,
    release,
    said,
    shipped,
    tell,
)
from tests.times import NOON

PAYMENT_CLOSED = said(System.WECHATPAY, Event.PAYMENT_ENDED, "CLOSED", minutes=30, field="trade_state")
SHOP_CANCELLED = said(System.DIRECT, CODES["event", CANCELLED].event, CANCELLED, minutes=30, field="event")


async def reserve(house: House, order_no: str = "SO-1") -> None:
    """Our ledger holds the pieces; the state is what it was."""
    await fill_shelf(house, {"SKU-1": 9})
    case = await read_case(house, order_no)
    async with house.transaction() as tx:
        await stock.lock_stock(tx, [Want.of(case.id, TWO)], NOON)


async def locks(house: House) -> list[str]:
    return await column(house, "select state from stock_lock")


@pytest.mark.parametrize("ends", [refunded(1900, of=1900), PAYMENT_CLOSED], ids=["refunded", "payment closed"])
async def test_the_payment_ends_a_held_order_that_was_not_locked_yet(a_house: House, ends: News) -> None:
    await place(a_house, make_order())
    await tell(a_house, captured(1900))
    await reserve(a_house)
    await hold_by_hand(a_house, HoldReason.PAYMENT_MISMATCH)

    assert await tell(a_house, ends) == ["moved"]

    case = await read_case(a_house)
    assert (case.standing.state, case.standing.reason, case.due) == (State.CLOSED, None, None)
    assert await locks(a_house) == ["released"]
    assert await column(a_house, "select locked from stock_level") == [0]
    assert await column(a_house, "select released_by from hold") == ["wechatpay"]


@pytest.mark.parametrize("state", [State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT])
@pytest.mark.parametrize(
    "reason",
    [HoldReason.WAREHOUSE_EXCEPTION, HoldReason.COURIER_STOPPED, HoldReason.NO_ANSWER, HoldReason.COMPLAINT],
)
async def test_a_refund_leaves_a_held_order_on_hold_once_it_was_locked(
    a_house: House, state: State, reason: HoldReason
) -> None:
    await bring(a_house, state)
    await reserve(a_house)
    await hold_by_hand(a_house, reason)

    assert await tell(a_house, PAYMENT_CLOSED, refunded()) == ["noted", "moved"]

    case = await read_case(a_house)
    assert (case.standing.state, case.place) == (State.ON_HOLD, state)
    assert case.standing.reason is HoldReason.REFUNDED_ON_THE_WAY
    assert await locks(a_house) == ["held"]


async def test_a_refunded_order_that_has_not_left_is_closed_by_a_release(a_house: House) -> None:
    """It is not handed over (again): its stock is free, and no step is due."""
    await bring(a_house, State.STOCK_LOCKED)
    await reserve(a_house)
    await hold_by_hand(a_house, HoldReason.NO_ANSWER)
    await tell(a_house, refunded())

    await release(a_house)

    case = await read_case(a_house)
    assert (case.standing.state, case.due) == (State.CLOSED, None)
    assert await locks(a_house) == ["released"]


@pytest.mark.parametrize("reason", [None, HoldReason.PAYMENT_MISMATCH, HoldReason.STOCK_SHORT])
@pytest.mark.parametrize("money", ["none", "captured", "confirmed"])
@pytest.mark.parametrize("state", [State.PENDING_PAYMENT, State.STOCK_LOCKED])
async def test_a_cancellation_of_the_shop_is_called_off_at_once(
    a_house: House, state: State, money: str, reason: HoldReason | None
) -> None:
    """Nobody outside can close an order for all the others: it is held until everybody let go of it."""
    await place(a_house, make_order())
    if money == "captured":
        await tell(a_house, captured(1900))
    if money == "confirmed":
        await pay(a_house)
    if state is State.STOCK_LOCKED:
        await lock(a_house)
    await reserve(a_house)
    if reason:
        await hold_by_hand(a_house, reason)

    assert await tell(a_house, SHOP_CANCELLED) == ["moved"]

    case = await read_case(a_house)
    assert (case.standing.state, case.place) == (State.ON_HOLD, state)
    assert case.standing.reason is HoldReason.CANCEL_ASKED
    assert case.due is not None
    assert case.due[0] is Step.CALL_OFF
    assert await locks(a_house) == ["held"]


async def test_what_people_mapped_to_cancelled_asks_for_it_too(a_house: House) -> None:
    await place(a_house, make_order())
    assert await tell(a_house, replace(SHOP_CANCELLED, event=Event.CANCELLED)) == ["moved"]
    assert (await read_case(a_house)).standing.reason is HoldReason.CANCEL_ASKED


@pytest.mark.parametrize("state", [State.OUTBOUND, State.IN_TRANSIT, State.SIGNED])
async def test_a_cancellation_of_what_has_left_is_a_return(a_house: House, state: State) -> None:
    await bring(a_house, state)
    assert await tell(a_house, SHOP_CANCELLED) == ["noted"]
    assert (await read_case(a_house)).standing.state is state
    assert await column(a_house, "select state from return_case") == ["requested"]


async def test_a_parcel_of_which_the_contents_were_not_told_has_left_all_the_same(a_house: House) -> None:
    """Closing the order would give back all the money, and its pieces to the next."""
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, shipped({"SF-1": {}}, final=False))
    assert (await read_case(a_house)).lines[0].shipped == 0
    await tell(a_house, SHOP_CANCELLED)
    case = await read_case(a_house)
    assert (case.standing.state, case.standing.reason) == (State.STOCK_LOCKED, None)
    assert await column(a_house, "select state from return_case") == ["requested"]


async def test_a_return_is_opened_once(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    await tell(a_house, SHOP_CANCELLED)
    await tell(a_house, replace(SHOP_CANCELLED, happened_at=SHOP_CANCELLED.happened_at + timedelta(hours=1)))
    assert await column(a_house, "select state from return_case") == ["requested"]


async def test_a_cancellation_of_a_closed_order_changes_nothing(a_house: House) -> None:
    await bring(a_house, State.CLOSED)
    assert await tell(a_house, SHOP_CANCELLED) == ["noted"]
    assert await column(a_house, "select state from return_case") == []


async def test_a_cancellation_that_a_person_let_pass_does_not_hold_again(a_house: House) -> None:
    await bring(a_house, State.STOCK_LOCKED)
    await tell(a_house, SHOP_CANCELLED)
    await release(a_house)
    later = replace(SHOP_CANCELLED, happened_at=SHOP_CANCELLED.happened_at + timedelta(hours=1))
    assert await tell(a_house, later) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.STOCK_LOCKED


async def test_a_refund_before_the_lock_is_called_off_once_the_order_was_confirmed(a_house: House) -> None:
    """Its sale order may be on its way to the ERP."""
    await place(a_house, make_order())
    await pay(a_house)
    await tell(a_house, refunded())
    case = await read_case(a_house)
    assert (case.standing.reason, case.due and case.due[0]) == (HoldReason.REFUNDED_ON_THE_WAY, Step.CALL_OFF)
