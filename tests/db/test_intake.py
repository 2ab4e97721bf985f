"""New orders come into the books once, whoever else brings them at the same moment."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import text

from ballast.db.intake import insert_orders
from ballast.ports import Order
from ballast.wiring import House
from tests.db.stage import column, make_order, place, until_blocked


async def bring(house: House, orders: Sequence[Order]) -> dict[str, int]:
    """As `place`; the archive is looked up row by row, as it is once it is large, so rows stay as they came."""
    async with house.transaction() as tx:
        for way in ("hashjoin", "mergejoin"):
            await tx.execute(text(f"set local enable_{way} = off"))
        return await insert_orders(tx, orders, source="direct", now=house.clock.now(), waits=house.waits)


async def test_two_chunks_with_the_same_orders_the_other_way_round_do_not_block_each_other(a_house: House) -> None:
    """A shop sends its orders again, newest first, while a third has the one in the middle: no deadlock, each once."""
    orders = [make_order(f"SO-{number}") for number in (1, 2, 3)]
    async with a_house.transaction() as tx:
        await insert_orders(tx, orders[1:2], source="direct", now=a_house.clock.now(), waits=a_house.waits)
        chunks = [asyncio.create_task(bring(a_house, chunk)) for chunk in (orders, orders[::-1])]
        await until_blocked(a_house, len(chunks))
        await tx.rollback()
    brought = await asyncio.gather(*chunks)
    assert sorted(len(ids) for ids in brought) == [0, 3]
    assert await column(a_house, "select order_no from sales_order order by order_no") == ["SO-1", "SO-2", "SO-3"]


async def test_orders_of_a_chunk_are_numbered_in_one_order_however_they_come(a_house: House) -> None:
    ids = await place(a_house, make_order("SO-2"), make_order("SO-3"), make_order("SO-1"))
    assert sorted(ids, key=lambda number: ids[number]) == ["SO-1", "SO-2", "SO-3"]
