"""Returns in the books: refused with the figures, answered, come in once, paid back once, exchanged, closed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from ballast.db import archive, news, return_requests, returning, returns, stock
from ballast.db.moves import MovedMeanwhile
from ballast.db.return_report import one_return, step_times
from ballast.db.returning import ReturnRefused, Wanted
from ballast.domain.money import Money
from ballast.domain.returns import ReturnReason
from ballast.domain.words import Event, HoldReason, State, System
from ballast.ports import GoodsBack, News, PiecesBack, ReturnAsked, StockFigure
from ballast.wiring import House
from tasks.returns import take_further
from tests.db.stage import (
    bring,
    column,
    fill_shelf,
    make_order,
    opened_one,
    read_case,
    refunded,
    said,
    scanned,
    table,
    tell,
)
from tests.times import NOON, SettableClock

DAY = timedelta(days=1)
LINES = (("SKU-1", 2), ("SKU-2", 3))


async def signed(house: House, lines: Any = LINES, **changes: Any) -> None:
    await bring(house, State.SIGNED, order=make_order(lines=lines, **{"warehouse": "CK001", **changes}))


async def ask(house: House, *lines: tuple[int, int], order_no: str = "SO-1", **more: Any) -> str:
    """The number of a new return."""
    values = {"reason": ReturnReason.NO_REASON, "by": "person:li", **more}
    async with house.transaction() as tx:
        wanted = Wanted(lines=lines or None, **values)
        done = await return_requests.request(tx, order_no, wanted, now=house.clock.now(), waits=house.waits)
    return done.return_no


async def refusal(house: House, *lines: tuple[int, int], **more: Any) -> str:
    """Its words; and nothing was written."""
    before = await column(house, "select count(*) from return_case")
    with pytest.raises(ReturnRefused) as refused:
        await ask(house, *lines, **more)
    assert await column(house, "select count(*) from return_case") == before
    return str(refused.value)


async def by_person(house: House, what: str, number: str, **more: Any) -> return_requests.Done:
    values = {"by": "li", "words": "", **more}
    async with house.transaction() as tx:
        done: return_requests.Done = await getattr(return_requests, what)(
            tx, number, now=house.clock.now(), waits=house.waits, **values
        )
    return done


async def handle(house: House) -> None:
    """What `handle-returns` does, until nothing is due."""
    for _ in range(10):
        async with house.transaction() as tx:
            now = house.clock.now()
            claimed = await returns.claim(tx, most=100, now=now, until=now + timedelta(minutes=1))
        if not claimed:
            return
        await take_further(house, claimed)
    raise AssertionError("the same is due again and again")


async def send(house: House) -> None:
    """Warehouse and ERP take whatever there is."""
    async with house.transaction() as tx:
        await tx.exec_driver_sql("update outbox set done_at = now() where kind in ('wms.return', 'erp.return')")


def came(
    number: str = "RT-SO-1-1", *, final: bool = True, minutes: int = 60, no: str = "m1", **pieces: tuple[int, int]
) -> News:
    """The warehouse's confirm: `SKU_1=(good, damaged)`."""
    back = tuple(PiecesBack(sku=s.replace("_", "-"), good=g, damaged=d) for s, (g, d) in pieces.items())
    told = GoodsBack(return_no=number, pieces=back, final=final)
    return said(
        System.QIMEN, Event.NOTED, "returnorder.confirm", minutes=minutes, field="returnorder", text=no, goods_back=told
    )


async def state(house: House, number: str = "RT-SO-1-1") -> str:
    return str((await column(house, "select state from return_case where return_no = :no", no=number))[0])


async def on_hand(house: House) -> dict[str, int]:
    return {row["sku"]: row["on_hand"] for row in await table(house, "select sku, on_hand from stock_level")}


async def going_back(house: House) -> dict[str, int]:
    """Refund number -> amount."""
    found = await table(house, "select refund_no, amount from refund order by refund_no")
    return {row["refund_no"]: row["amount"] for row in found}


# -- refused with the figures ------------------------------------------------------------------------------------


async def test_more_than_was_delivered_is_refused_with_the_figures(a_house: House) -> None:
    await signed(a_house)
    words = await refusal(a_house, (1, 3))
    assert "3 of line 1 asked for" in words and "ordered 2, delivered 2, in other returns 0" in words
    assert await ask(a_house, (1, 1), (2, 3)) == "RT-SO-1-1"
    assert "delivered 2, in other returns 1" in await refusal(a_house, (1, 2))
    assert "delivered 3, in other returns 3" in await refusal(a_house, (2, 1))
    assert await ask(a_house, (1, 1)) == "RT-SO-1-2"
    assert "nothing can come back" in await refusal(a_house)


async def test_what_is_on_its_way_is_not_delivered(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT, order=make_order(lines=LINES))
    assert "ordered 2, delivered 0" in await refusal(a_house, (1, 1))
    await tell(a_house, scanned("Y-1", Event.PARCEL_SIGNED, "3", minutes=20))
    assert await ask(a_house, (1, 2)) == "RT-SO-1-1"


async def test_twice_the_same_line_and_lines_that_are_none(a_house: House) -> None:
    await signed(a_house)
    assert "line 1 stands twice" in await refusal(a_house, (1, 1), (1, 1))
    assert "has no line 7" in await refusal(a_house, (7, 1))
    assert "at least one" in await refusal(a_house, (1, 0))
    assert "unknown order" in await refusal(a_house, order_no="SO-9")


async def test_after_the_window_it_is_refused_with_its_end(a_house: House, clock: SettableClock) -> None:
    await signed(a_house)
    clock.set(NOON + timedelta(minutes=20) + 7 * DAY)
    async with opened_one(a_house) as case:
        assert returning.free(case)  # just in time
    clock.pass_by(minutes=1)
    words = await refusal(a_house, (1, 1))
    assert "its return window of 7 days ended on" in words and "finance refund SO-1" in words


async def test_another_customers_order_is_refused(a_house: House) -> None:
    await signed(a_house)
    assert "SO-1 is not an order of customer C-9" in await refusal(a_house, (1, 1), customer_no="C-9")
    assert await ask(a_house, (1, 1), customer_no="C-SO-1")


async def test_two_at_once_take_no_more_than_there_is(a_house: House) -> None:
    await signed(a_house)
    ends = await asyncio.gather(*(ask(a_house, (1, 2)) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(end, str) for end in ends) == 1, ends
    assert all(isinstance(end, str | ReturnRefused | MovedMeanwhile) for end in ends)
    assert await column(a_house, "select sum(quantity) from return_line") == [2]


async def test_a_shops_wish_that_is_refused_is_told_with_its_figures(a_house: House) -> None:
    await signed(a_house)
    asked = ReturnAsked(lines=((1, 5),), reason=ReturnReason.QUALITY, customer_no="C-SO-1")
    wish = said(System.DIRECT, Event.NOTED, "order.return_requested", field="event", return_asked=asked)
    async with opened_one(a_house) as case:
        news.apply(case, wish)
        assert "5 of line 1 asked for" in case.puzzles[0]
    assert any("refused: SO-1: 5 of line 1" in text for text in await column(a_house, "select text from order_event"))
    assert await column(a_house, "select count(*) from return_case") == [0]


# -- the way -----------------------------------------------------------------------------------------------------


async def test_by_rule_to_the_warehouse_to_the_shelf_to_the_customer_and_closed(
    a_house: House, clock: SettableClock
) -> None:
    await fill_shelf(a_house, {"SKU-1": 10, "SKU-2": 10})
    await signed(a_house, discount=Money(100), total=Money(4900))
    clock.set(NOON + timedelta(hours=1))
    number = await ask(a_house, (1, 1))
    await handle(a_house)
    assert await state(a_house) == "approved"
    assert await column(a_house, "select key from outbox where kind = 'wms.return'") == ["wms.return:SO-1:RT-SO-1-1"]
    await send(a_house)
    clock.pass_by(hours=20)
    assert await tell(a_house, came(SKU_1=(1, 0))) == ["moved"]
    assert await state(a_house) == "inspected"
    assert (await on_hand(a_house))["SKU-1"] == 11
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 980}, "its share of the order's discount is 20"
    assert await tell(a_house, refunded(980, number="RF-T-1-R1", of=4900)) == ["noted"]
    await handle(a_house)
    assert await state(a_house) == "refunded", "the ERP's bill is not booked yet"
    await send(a_house)
    clock.pass_by(hours=7)
    await handle(a_house)
    assert await state(a_house) == "closed"
    assert (await read_case(a_house)).standing.state is State.SIGNED
    texts = "\n".join(await column(a_house, "select text from order_event"))
    for words in (
        "asked for: 1 of line 1",
        "by rule seven_days",
        "1 good, 0 damaged of 1",
        "9.80 CNY goes back",
        "closed",
    ):
        assert words in texts
    async with a_house.transaction() as tx:
        whole = await one_return(tx, number)
        times = {one.step: one.median for one in await step_times(tx, since=NOON)}
    assert whole is not None and whole["refunds"][0]["state"] == "done"
    assert times["received"] == 20.0 and set(times) == {"answered", "received", "inspected", "paid back", "whole"}


async def inspected(house: House, *lines: tuple[int, int], reason: ReturnReason = ReturnReason.NO_REASON) -> None:
    """A return of these lines is with the warehouse, which has told nothing yet."""
    await ask(house, *lines, reason=reason)
    await handle(house)
    await send(house)


async def test_the_same_confirm_twice_restocks_once(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 10})
    await signed(a_house)
    await inspected(a_house, (1, 2))
    await tell(a_house, came(SKU_1=(2, 0)))
    await tell(a_house, came(SKU_1=(2, 0), no="sent again under another number", minutes=61))
    assert (await on_hand(a_house))["SKU-1"] == 12
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 2000}


async def test_in_parts_each_part_is_counted_and_more_than_asked_is_not(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 10, "SKU-2": 10})
    await signed(a_house)
    await inspected(a_house, (1, 2), (2, 1))
    await tell(a_house, came(SKU_1=(1, 0), final=False))
    assert await state(a_house) == "received"
    await handle(a_house)
    assert await going_back(a_house) == {}, "not all of it was looked at"
    async with opened_one(a_house) as case:
        news.apply(case, came(SKU_1=(3, 0), SKU_2=(1, 0), no="m2", minutes=70))
    assert await state(a_house) == "inspected"
    assert await on_hand(a_house) == {"SKU-1": 12, "SKU-2": 11}
    assert any("more came back than was asked for: 2 of SKU-1" in one for one in case.puzzles)
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 3000}


async def test_damaged_pieces_are_written_off_and_a_person_judges(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 10})
    await signed(a_house)
    await inspected(a_house, (1, 2))
    await tell(a_house, came(SKU_1=(1, 1)))
    await handle(a_house)
    assert (await on_hand(a_house))["SKU-1"] == 11
    assert await going_back(a_house) == {}
    assert any("1 piece(s) came back damaged" in text for text in await column(a_house, "select text from alert"))
    done = await by_person(a_house, "judge", "RT-SO-1-1", pay=True)
    assert done.text == "what came is paid for"
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 2000}
    with pytest.raises(ReturnRefused, match="RF-T-1-R1 is asked for already"):
        await by_person(a_house, "judge", "RT-SO-1-1", pay=False)


async def test_damaged_by_the_sellers_fault_is_paid_without_a_question_and_a_no_frees_the_pieces(
    a_house: House,
) -> None:
    await signed(a_house)
    await inspected(a_house, (1, 1), reason=ReturnReason.QUALITY)
    await tell(a_house, came(SKU_1=(0, 1)))
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 1000}
    await inspected(a_house, (1, 1))
    await tell(a_house, came("RT-SO-1-2", SKU_1=(0, 1), no="m2"))
    await by_person(a_house, "judge", "RT-SO-1-2", pay=False)
    assert await state(a_house, "RT-SO-1-2") == "rejected"
    await handle(a_house)
    assert await state(a_house, "RT-SO-1-2") == "closed"
    assert await ask(a_house, (1, 1)) == "RT-SO-1-3"


@settings(max_examples=12)
@given(st.permutations([(1, 1), (1, 1), (2, 1), (2, 2)]), st.integers(0, 4999), st.integers(0, 600))
async def test_piece_by_piece_in_any_order_gives_back_what_was_paid(
    a_house: House, parts: list[tuple[int, int]], discount: int, freight: int
) -> None:
    async with a_house.transaction() as tx:
        await tx.exec_driver_sql("truncate sales_order, order_event, outbox, refund, payment, effect, hold cascade")
    total = 5000 + freight - discount
    await signed(a_house, discount=Money(discount), freight=Money(freight), total=Money(total))
    for place, (line_no, pieces) in enumerate(parts, 1):
        number = await ask(a_house, (line_no, pieces), reason=ReturnReason.QUALITY)
        await handle(a_house)
        await tell(a_house, came(number, **{f"SKU_{line_no}": (pieces, 0)}, no=f"m{place}"))
        await handle(a_house)
    assert sum((await going_back(a_house)).values()) == total, "goods and freight, each once"


async def test_never_more_than_is_left_of_the_charges(a_house: House) -> None:
    await signed(a_house)
    await tell(a_house, refunded(4500, number="IN-THE-CONSOLE", of=5000))
    await inspected(a_house, (1, 2))
    await tell(a_house, came(SKU_1=(2, 0)))
    await handle(a_house)
    assert (await going_back(a_house))["RF-T-1-R1"] == 500
    texts = await column(a_house, "select text from order_event")
    assert any("5.00 CNY goes back (15.00 CNY of it had gone back before)" in text for text in texts)


async def test_without_goods_the_money_goes_at_once(a_house: House) -> None:
    await signed(a_house, freight=Money(300), total=Money(5300))
    await ask(a_house, (1, 1), reason=ReturnReason.OTHER)
    await handle(a_house)
    assert await state(a_house) == "requested", "no rule answers it"
    await by_person(a_house, "answer", "SO-1", approve=True, goods=False, freight=True)
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 1300}
    assert await column(a_house, "select count(*) from outbox where kind = 'wms.return'") == [0]


async def test_a_failed_refund_waits_for_a_person(a_house: House) -> None:
    await signed(a_house)
    await inspected(a_house, (1, 1))
    await tell(a_house, came(SKU_1=(1, 0)))
    await handle(a_house)
    with pytest.raises(ReturnRefused, match="RF-T-1-R1 is under way"):
        await by_person(a_house, "paid", "RT-SO-1-1")
    await tell(a_house, refunded(1000, number="RF-T-1-R1", of=5000, code="ABNORMAL"))
    await handle(a_house)
    assert await state(a_house) == "inspected"
    assert list(await going_back(a_house)) == ["RF-T-1-R1"], "no second one by itself"
    assert (await by_person(a_house, "paid", "RT-SO-1-1")).state == "refunded"


# -- exchanges, parcels that come back ---------------------------------------------------------------------------


async def test_an_exchange_is_a_new_order_with_nothing_to_pay(a_house: House) -> None:
    await signed(a_house)
    await ask(a_house, (1, 1), exchange={"SKU-2": 1})
    await handle(a_house)
    await send(a_house)
    await tell(a_house, came(SKU_1=(1, 0)))
    await handle(a_house)
    await handle(a_house)
    new = await read_case(a_house, "SO-1-HH1")
    assert (new.head["total"], [(one.line.sku, one.line.quantity) for one in new.lines]) == (0, [("SKU-2", 1)])
    assert new.due is not None and new.due[0] == "confirm_payment"
    assert await going_back(a_house) == {}
    found = await table(a_house, "select state, exchange_order_no from return_case")
    assert found == [{"state": "exchanged", "exchange_order_no": "SO-1-HH1"}]


async def test_a_refused_parcel_comes_back_by_itself_once(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT, order=make_order(lines=LINES))
    refused = scanned("Y-1", Event.HELD, "404", minutes=30, reason=HoldReason.COURIER_REFUSED)
    back = scanned("Y-1", Event.HELD, "406", minutes=90, reason=HoldReason.COURIER_RETURNED)
    await tell(a_house, refused)
    await tell(a_house, back)
    found = await table(a_house, "select kind, state, waybill, answered_by from return_case")
    assert found == [
        {"kind": "refused_parcel", "state": "waiting_for_goods", "waybill": "Y-1", "answered_by": "ballast"}
    ]
    assert await column(a_house, "select quantity from return_line order by line_no") == [2, 3]
    await handle(a_house)
    assert await column(a_house, "select key from outbox where kind = 'wms.return'") == ["wms.return:SO-1:RT-SO-1-1"]
    assert await refusal(a_house, (1, 1))


async def test_an_order_of_which_everything_came_back_ends_and_its_money_goes_back(a_house: House) -> None:
    await bring(a_house, State.IN_TRANSIT, order=make_order(lines=LINES))
    await tell(a_house, scanned("Y-1", Event.HELD, "404", minutes=30, reason=HoldReason.COURIER_REFUSED))
    await handle(a_house)
    await tell(a_house, came(SKU_1=(2, 0), final=False))
    assert (await read_case(a_house)).standing.reason is HoldReason.COURIER_REFUSED, "a part of it only"
    await tell(a_house, came(SKU_2=(3, 0), no="m2", minutes=70))
    assert (await read_case(a_house)).standing.state is State.CLOSED
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 5000}
    assert await tell(a_house, refunded(5000, number="RF-T-1-R1", of=5000, minutes=90)) == ["noted"]
    await handle(a_house)
    assert await state(a_house) == "refunded"


async def test_a_parcel_that_is_signed_for_after_all_gives_its_return_up(a_house: House, clock: SettableClock) -> None:
    await bring(a_house, State.IN_TRANSIT)
    await tell(a_house, scanned("Y-1", Event.HELD, "404", minutes=30, reason=HoldReason.COURIER_REFUSED))
    await handle(a_house)
    await tell(a_house, scanned("Y-1", minutes=40), scanned("Y-1", Event.PARCEL_SIGNED, "3", minutes=50))
    clock.pass_by(days=1)
    await handle(a_house)
    assert await table(a_house, "select state, counts from return_case") == [{"state": "closed", "counts": False}]
    assert await ask(a_house, (1, 1)) == "RT-SO-1-2"


# -- the ledger and the ERP --------------------------------------------------------------------------------------


async def figure(house: House, pieces: int) -> int:
    """The ledger after the ERP said so."""
    told = StockFigure(sku="SKU-1", warehouse="CK001", on_hand=pieces, available=pieces, locked=0)
    async with house.transaction() as tx:
        await stock.take_figures(tx, [told], asked_at=house.clock.now())
    return (await on_hand(house))["SKU-1"]


async def test_a_figure_that_knows_nothing_of_them_takes_no_good_pieces_away(
    a_house: House, clock: SettableClock
) -> None:
    await fill_shelf(a_house, {"SKU-1": 10})
    await signed(a_house)
    await inspected(a_house, (1, 2))
    await tell(a_house, came(SKU_1=(2, 0)))
    clock.pass_by(hours=1)
    assert await figure(a_house, 10) == 12
    async with a_house.transaction() as tx:
        await returns.booked(tx, ["RT-SO-1-1"], clock.now())
    clock.pass_by(hours=1)
    assert await figure(a_house, 12) == 12


# -- what the database refuses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        "update return_line set good = quantity, damaged = 1",
        "update return_line set quantity = 0",
        "update return_case set state = 'closed'",
        "insert into return_case (order_id, return_no, why, asked_by, asked_at, state) "
        "select order_id, return_no, '', '', asked_at, 'requested' from return_case",
    ],
)
async def test_the_database_refuses(a_house: House, wrong: str) -> None:
    await signed(a_house)
    await ask(a_house, (1, 1))
    with pytest.raises(DBAPIError):
        async with a_house.transaction() as tx:
            await tx.exec_driver_sql(wrong)


async def test_nothing_is_archived_while_a_return_is_open(a_house: House, clock: SettableClock) -> None:
    await signed(a_house)
    await inspected(a_house, (1, 1))
    async with opened_one(a_house) as one:
        one.take(Event.RETURN_WINDOW_ENDED, cause="closed:SO-1", actor="ballast")
    clock.pass_by(days=500)
    async with a_house.transaction() as tx:
        chunk = await archive.archive_chunk(tx, before=clock.now(), after=archive.Place(), now=clock.now())
    assert (chunk.archived, sum(chunk.kept.values())) == ((), 1)


async def test_goods_that_come_before_the_answer_wait_for_it(a_house: House) -> None:
    await signed(a_house)
    await ask(a_house, (1, 1), reason=ReturnReason.OTHER)
    assert await tell(a_house, came(SKU_1=(1, 0))) == ["early"]
    await by_person(a_house, "answer", "RT-SO-1-1", approve=True)
    assert await tell(a_house, came(SKU_1=(1, 0))) == ["moved"]
    assert await state(a_house) == "inspected"


async def test_what_a_person_says_came_acts_like_the_warehouse(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 10})
    await signed(a_house)
    await inspected(a_house, (1, 2))
    what = {"good": {1: 1}, "damaged": {}, "final": True}
    async with a_house.transaction() as tx:
        done = await return_requests.receive(
            tx,
            "RT-SO-1-1",
            by="li",
            now=a_house.clock.now(),
            waits=a_house.waits,
            **what,  # type: ignore[arg-type]
        )
    assert (done.state, (await on_hand(a_house))["SKU-1"]) == ("inspected", 11)
    await handle(a_house)
    assert await going_back(a_house) == {"RF-T-1-R1": 1000}
    assert await ask(a_house, (1, 1)) == "RT-SO-1-2", "what did not come may be asked for again"
