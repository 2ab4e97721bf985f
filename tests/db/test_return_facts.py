"""What the rules of returns may read of a customer."""

from datetime import timedelta

import pytest

from ballast.db.return_facts import customers_of
from ballast.wiring import House
from tests.db.stage import make_order, place, read_case, table


@pytest.mark.parametrize(("scores", "health"), [((), None), ((80, 25), 25.0), ((25, None), None)])
async def test_the_newest_score_of_a_customer_counts(
    a_house: House, scores: tuple[int | None, ...], health: float | None
) -> None:
    await place(a_house, make_order("SO-1"))
    case, now = await read_case(a_house, "SO-1"), a_house.clock.now()
    for age, score in enumerate(reversed(scores)):
        await table(
            a_house,
            """insert into customer_health (customer_no, scored_at, days, score, orders, value)
               values (:customer, :at, 180, :score, 3, 100) returning 1""",
            customer=case.head["customer_no"],
            at=now - timedelta(days=age),
            score=score,
        )
    async with a_house.transaction() as tx:
        known = await customers_of(tx, [case], now)
    assert known[case.head["customer_no"]]["health"] == health
