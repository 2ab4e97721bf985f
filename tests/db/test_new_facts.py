"""Orders that have just come in: their facts are those that the books give later, whoever orders."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from ballast.db.intake import put_in
from ballast.db.origins import read_facts, read_new_facts
from ballast.domain.money import Money
from ballast.domain.rules.facts import FACTS
from ballast.ports import Line, Order
from ballast.wiring import House
from tests.conftest import _EMPTY
from tests.db.stage import RECEIVER, make_order
from tests.db.test_origins import WINDOWS, pasts

provinces = st.sampled_from(["浙江省", "广西壮族自治区", "", "杭州", "Bayern"])
new_orders = st.builds(
    lambda past, tier, province, mobile, price, quantity, off, currency, coupons: replace(
        past.order(0),
        customer_tier=tier,
        receiver=replace(RECEIVER, province=province, mobile=mobile),
        lines=(
            Line(line_no=1, sku="A", name="A", quantity=quantity, unit_price=price, amount=price * quantity),
            Line(line_no=2, sku="B", name="B", quantity=1, unit_price=0, amount=0),
        ),
        total=Money(max(0, price * quantity - off), currency),
        freight=Money(0, currency),
        discount=Money(off, currency),
        coupons=coupons,
    ),
    pasts,
    st.sampled_from(["", "", "gold", "vip"]),
    provinces,
    st.sampled_from(["13900000001", "+86 139-0000-0002", "", "021-5555"]),
    st.integers(0, 10**7),
    st.integers(1, 9),
    st.integers(0, 10**6),
    st.sampled_from(["CNY", "JPY", "USD"]),
    st.sampled_from([(), ("NEW", "X")]),
)


@settings(max_examples=60)
@given(chunks=st.lists(st.lists(new_orders, min_size=1, max_size=7), min_size=1, max_size=3), archived=st.booleans())
async def test_facts_of_new_orders_are_those_of_the_books(
    a_house: House, chunks: list[list[Order]], archived: bool
) -> None:
    async with a_house.engine.begin() as tx:
        await tx.execute(text(_EMPTY))
    number, now = 0, a_house.clock.now()
    for turn, chunk in enumerate(chunks):
        numbered = [replace(order, order_no=f"SO-{number + place:03}") for place, order in enumerate(chunk)]
        number += len(chunk)
        async with a_house.transaction() as tx:
            put = await put_in(tx, numbered, source="direct", now=now, waits=a_house.waits)
            orders = {put.ids[order.order_no]: order for order in numbered}
            asked: dict[str, Any] = {"windows": WINDOWS, "names": FACTS, "new_customers": put.new_customers}
            found = await read_new_facts(tx, orders, **asked)
            assert found == await read_facts(tx, [*orders], WINDOWS)
            few = await read_new_facts(tx, orders, WINDOWS[:1], ["amount"])
            assert all(one.items() <= found[id_].items() and "hour" not in one for id_, one in few.items())
        if archived and not turn:  # they are known as customers still, and their orders count as earlier ones
            async with a_house.engine.begin() as tx:
                for sql in TO_ARCHIVE:
                    await tx.execute(text(sql))


TO_ARCHIVE = (
    """insert into archived_order (order_no, channel, customer_no, placed_at, closed_at, archived_at, document)
    select order_no, channel, customer_no, placed_at, placed_at, placed_at, '' from sales_order""",
    *(f"delete from {table}" for table in ("order_event", "order_origin", "order_line", "sales_order")),
)


async def test_who_is_new_is_told_by_the_statement_that_writes_him_down(a_house: House) -> None:
    async def take(*orders: Order) -> frozenset[str]:
        async with a_house.transaction() as tx:
            put = await put_in(tx, orders, source="direct", now=a_house.clock.now(), waits=a_house.waits)
            return put.new_customers

    first = make_order("SO-1", customer_no="C-1")
    assert await take(first, make_order("SO-2", customer_no="C-2", customer_tier="gold")) == {"C-1", "C-2"}
    again = make_order("SO-3", customer_no="C-1", customer_tier="vip")  # his row is changed
    assert await take(again, make_order("SO-4", customer_no="C-3")) == {"C-3"}
    assert await take(make_order("SO-5", customer_no="C-1"), first) == frozenset()
