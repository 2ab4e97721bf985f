"""Finance's list: what of each charge went back, is on its way, failed, is left; bounded and by time."""

from datetime import timedelta
from typing import Any

from ballast.db.finance import FinanceRow, finance_list
from ballast.domain.words import State
from ballast.wiring import House
from tests.db.stage import bring, captured, make_order, place, refunded, statements, tell
from tests.db.test_refunds import ask, through
from tests.times import NOON, SettableClock


async def look(house: House, **what: Any) -> list[FinanceRow]:
    async with house.transaction() as tx:
        return await finance_list(tx, **what)


async def test_each_charge_stands_there_once_with_its_figures(a_house: House) -> None:
    await bring(a_house, State.SIGNED)
    assert await look(a_house) == [], "a charge of which nothing goes back is nobody's business"
    for amount, why in (("1.00", "a"), ("2.00", "b"), ("4.00", "c")):
        await ask(a_house, amount, why=why)
    await tell(a_house, refunded(100, number="RF-T-1-1"), refunded(200, number="RF-T-1-2", code="ABNORMAL"))
    await tell(a_house, through("alipay", 500, "A-1"))
    found = {row.transaction_id: row for row in await look(a_house)}
    one, two = found["T-1"], found["A-1"]
    assert (one.charge, one.captured, one.done, one.under_way, one.by_hand, one.failed, one.left) == (
        "counted", 2000, 100, 400, 0, 200, 1500,
    )  # fmt: skip
    assert (one.why, one.refund_nos) == ("a; b; c", "RF-T-1-1, RF-T-1-2, RF-T-1-3")
    assert (two.provider, two.charge, two.captured, two.by_hand, two.left) == ("alipay", "surplus", 500, 500, 0)
    assert [row.transaction_id for row in await look(a_house, duplicates=True)] == ["A-1"]


async def test_a_refund_of_a_charge_that_is_not_in_the_books_stands_there_too(a_house: House) -> None:
    await place(a_house, make_order())
    await tell(a_house, refunded(700, "T-7"))
    [row] = await look(a_house)
    assert (row.transaction_id, row.charge, row.captured, row.done, row.left) == ("T-7", "unknown", None, 700, 0)


async def test_the_newest_first_from_a_time_on_and_no_more_than_asked_for(a_house: House, clock: SettableClock) -> None:
    await bring(a_house, State.SIGNED)
    for number in range(5):
        await tell(a_house, captured(100, f"T-9{number}", minutes=number))
        clock.pass_by(hours=1)
    assert [row.transaction_id for row in await look(a_house, most=2)] == ["T-94", "T-93"]
    since = NOON + timedelta(hours=3)
    assert [row.transaction_id for row in await look(a_house, since=since)] == ["T-94", "T-93"]
    with statements(a_house.engine) as heard:
        await look(a_house)
    assert len(heard) == 1
