"""What can be promised: locks, reservations and limits as the exact row, the SKU's or the warehouse's says."""

from datetime import timedelta

from ballast.db import promises
from ballast.db.promises import Promise
from ballast.domain.stock import Want
from ballast.wiring import House
from tests.db.stage import fill_shelf, make_order, place, table
from tests.db.test_stock import lock


async def limit(house: House, sku: str, warehouse: str, **says: object) -> None:
    names = ", ".join(says)
    await table(
        house,
        f"insert into stock_limit (sku, warehouse, {names}, changed_by, changed_at) "
        f"values (:sku, :warehouse, {', '.join(f':{name}' for name in says)}, 'test', now()) returning 1",
        sku=sku,
        warehouse=warehouse,
        **says,
    )


async def reserve(house: House, order_no: str, quantity: int, lasts: timedelta) -> None:
    now = house.clock.now()
    await table(
        house,
        """insert into stock_reservation (order_no, sku, warehouse, quantity, made_at, expires_at)
           values (:no, 'SKU-1', 'CK001', :quantity, :now, :until) returning 1""",
        no=order_no,
        quantity=quantity,
        now=now,
        until=now + lasts,
    )


async def promise(house: House, *but: str) -> Promise:
    async with house.transaction() as tx:
        found = await promises.read_promises(tx, ["SKU-1"], now=house.clock.now(), but=but)
    return found[0]


async def test_locks_and_unexpired_reservations_are_taken_off(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 10})
    (order,) = (await place(a_house, make_order("SO1"))).values()
    await lock(a_house, Want(order, {"SKU-1": 2}))
    await reserve(a_house, "SO2", 3, timedelta(minutes=5))
    await reserve(a_house, "SO3", 4, timedelta(0))  # expired at this very moment
    one = await promise(a_house)
    assert (one.on_hand, one.locked, one.reserved, one.to_promise) == (10, 2, 3, 5)
    assert (await promise(a_house, "SO2")).to_promise == 8


async def test_the_exact_row_says_what_it_says_and_leaves_the_rest_to_others(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 10})
    await limit(a_house, "", "", safety_line=100, safety_reserve=1, counts_reservations=False)
    await limit(a_house, "SKU-1", "", safety_reserve=4)
    await limit(a_house, "SKU-1", "CK001", safety_line=7)
    await reserve(a_house, "SO2", 3, timedelta(minutes=5))
    one = await promise(a_house)
    assert (one.safety_line, one.safety_reserve, one.to_promise, one.below_line) == (7, 4, 6, True)


async def test_a_stale_figure_is_not_sold_where_the_limit_says_so(a_house: House) -> None:
    await fill_shelf(a_house, {"SKU-1": 10})
    await limit(a_house, "SKU-1", "", most_age=60, sells_stale=False)
    assert (await promise(a_house)).free == 10
    await table(
        a_house, "update stock_level set figure_at = :at returning 1", at=a_house.clock.now() - timedelta(hours=1)
    )
    old = await promise(a_house)
    assert (old.stale, old.free, old.to_promise) == (True, 0, 10)
    await table(
        a_house,
        """insert into stock_pull (system, kind, asked_at, whole, figures, changed, refused)
           values ('kingdee', 'changes', :at, true, 0, 0, 0) returning 1""",
        at=a_house.clock.now(),
    )
    assert (await promise(a_house)).free == 10
