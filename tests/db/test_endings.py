"""What ends an order on hold: its money goes back before the stock is locked. Later nothing but its ordinary way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.storefronts.direct.status import CANCELLED, CODES
from ballast.db import stock
from ballast.domain.stock import Want
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports import News
from ballast.wiring import House
from tests.db.stage import (
    TWO,
    bring,
    captured,
    column,
    fill_shelf,
    hold_by_hand,
    make_order,
    place,
    read_case,
    refunded,
    release,
    said,
    tell,
)
from tests.times import NOON

PAYMENT_CLOSED = said(System.WECHATPAY, Event.PAYMENT_ENDED, "CLOSED", minutes=30, field="trade_state")
SHOP_CANCELLED = said(System.DIRECT, CODES["event", CANCELLED].event, CANCELLED, minutes=30, field="event")
MAPPED = replace(SHOP_CANCELLED, event=Event.CANCELLED)
"""The same, once people said that it means `cancelled`."""


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


async def test_a_cancellation_of_the_shop_ends_nothing(a_house: House) -> None:
    await place(a_house, make_order("unpaid"))
    await bring(a_house, State.STOCK_LOCKED, order=make_order("locked"))
    for order_no in ("unpaid", "locked"):
        await hold_by_hand(a_house, HoldReason.BY_HAND, order_no)
        before = await read_case(a_house, order_no)
        assert await tell(a_house, replace(SHOP_CANCELLED, order_no=order_no)) == ["noted"]
        assert (await read_case(a_house, order_no)).standing == before.standing


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


async def test_a_mapped_cancellation_closes_an_order_that_nobody_paid(a_house: House) -> None:
    await place(a_house, make_order())
    await reserve(a_house)
    assert await tell(a_house, MAPPED) == ["moved"]
    assert (await read_case(a_house)).standing.state is State.CLOSED
    assert await locks(a_house) == ["released"]


@pytest.mark.parametrize("held", [False, True])
async def test_a_mapped_cancellation_asks_a_person_once_money_came(a_house: House, held: bool) -> None:
    await place(a_house, make_order())
    await tell(a_house, captured(1900))
    if held:
        await hold_by_hand(a_house, HoldReason.PAYMENT_MISMATCH)
    assert await tell(a_house, MAPPED) == ["moved"]
    case = await read_case(a_house)
    assert (case.standing.state, case.place) == (State.ON_HOLD, State.PENDING_PAYMENT)
    assert case.standing.reason is HoldReason.CANCEL_ASKED


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("state", [State.STOCK_LOCKED, State.OUTBOUND, State.IN_TRANSIT])
async def test_a_mapped_cancellation_asks_a_person_about_what_others_have(
    a_house: House, state: State, held: bool
) -> None:
    await bring(a_house, state)
    await reserve(a_house)
    if held:
        await hold_by_hand(a_house, HoldReason.STOCK_SHORT)
    assert await tell(a_house, MAPPED) == ["moved"]
    case = await read_case(a_house)
    assert (case.standing.state, case.place) == (State.ON_HOLD, state)
    assert case.standing.reason is HoldReason.CANCEL_ASKED
    assert await locks(a_house) == ["held"]


@pytest.mark.parametrize("state", [State.SIGNED, State.CLOSED])
async def test_a_mapped_cancellation_comes_too_late_for_what_arrived(a_house: House, state: State) -> None:
    await bring(a_house, state)
    assert await tell(a_house, MAPPED) == ["noted"]
    assert (await read_case(a_house)).standing.state is state


async def test_a_cancellation_that_a_person_let_pass_does_not_hold_again(a_house: House) -> None:
    await bring(a_house, State.OUTBOUND)
    await tell(a_house, MAPPED)
    await release(a_house)
    assert await tell(a_house, replace(MAPPED, happened_at=MAPPED.happened_at + timedelta(hours=1))) == ["noted"]
    assert (await read_case(a_house)).standing.state is State.OUTBOUND
