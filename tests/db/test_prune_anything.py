"""Whatever the books hold, whoever prunes how often, in whatever chunks: nothing is lost, nothing open goes."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballast.db import archive
from ballast.db.archive import recall
from ballast.db.engine import run
from ballast.wiring import House
from tasks.pruning import prune
from tests.db.stage import column, make_order, place
from tests.db.test_prune import AGES, documents, everything, merged, surround

OPEN = {
    "return": "update return_case set state = 'requested', closed_at = null where order_id = (select id from o)",
    "refund": "update refund set state = 'asked' where order_id = (select id from o)",
    "hold": "update hold set released_at = null where order_id = (select id from o)",
    "alert": "update alert set climbs_at = :now where order_id = (select id from o)",
    "letter": "update inbox set state = 'waiting' where order_no = :no",
    "lease": "update sales_order set lease_owner = 'x' where id = (select id from o) and :no <> ''",
}
ORDERS = st.lists(
    st.tuples(
        st.sampled_from([401, 900, 399, 0]), st.sampled_from([True, True, False]), st.sampled_from([None, *OPEN])
    ),
    min_size=1,
    max_size=6,
)
ACTS = st.lists(st.sampled_from(["prune", "two at once", "recall"]), min_size=1, max_size=4)
_number = count(1)


@settings(max_examples=40)
@given(orders=ORDERS, acts=ACTS, chunk=st.integers(1, 4))
async def test_nothing_is_lost_and_nothing_open_goes(
    a_house: House,
    monkeypatch: pytest.MonkeyPatch,
    orders: list[tuple[int, bool, str | None]],
    acts: list[str],
    chunk: int,
) -> None:
    monkeypatch.setattr(archive, "MOST", chunk)
    made = [await _make(a_house, *one) for one in orders]
    may_go = {number for number, goes in made if goes}
    before = await _all(a_house)
    for act in acts:
        match act:
            case "prune":
                await prune(a_house, AGES)
                assert may_go <= {*await documents(a_house)}
            case "two at once":
                await asyncio.gather(prune(a_house, AGES), prune(a_house, AGES))
                assert may_go <= {*await documents(a_house)}
            case "recall":
                for number in may_go & {*await documents(a_house)}:
                    async with a_house.transaction() as tx:
                        await recall(tx, number)
        assert await _all(a_house) == before
        stay = {*await column(a_house, "select order_no from sales_order")}
        assert not stay & {*await documents(a_house)}, "in one place only"
    mine = {number for number, _ in made}
    assert not mine & {*await documents(a_house)} - may_go, "what is young, under way or open stays"


async def _make(house: House, age: int, closed: bool, still: str | None) -> tuple[str, bool]:
    """One order with rows in every table; its number, and whether it may go."""
    number, now = f"P-{next(_number)}", house.clock.now()
    await place(house, make_order(number))
    await surround(house, number)
    async with house.transaction() as tx:
        await run(
            tx,
            """update sales_order set state = :state, closed_at = cast(:at as timestamptz), due_step = null,
            due_at = null where order_no = :no""",
            state="CLOSED" if closed else "SIGNED",
            at=now - timedelta(days=age) if closed else None,
            no=number,
        )
        if still is not None:
            values = {name: value for name, value in {"no": number, "now": now}.items() if f":{name}" in OPEN[still]}
            await run(tx, f"with o as (select id from sales_order where order_no = :no) {OPEN[still]}",
                      **{**values, "no": number})  # fmt: skip
    return number, closed and age > 400 and still is None


async def _all(house: House) -> dict[str, list[object]]:
    return merged(await everything(house), *(await documents(house)).values())
