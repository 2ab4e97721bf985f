"""The orders of the engine bench: one line each, of the same seller, in Ballast's own tables. None has been paid."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import make_engine, rows, run
from ballast.db.upgrade import create_database, upgrade

STEPS: Final = ("confirm_payment", "lock_stock", "ship_out", "track_transit", "sign_off")
"""Five steps, each with one small JSON call per order: {"order": number, "step": step}.

Ballast claims orders for the first four; the last one's call is a message to the ERP that goes through the outbox.
"""

MESSAGE: Final = "erp.receipt"

_FILL = (
    """
    insert into customer (customer_no, name, first_order_at)
    select 'C' || n, '王小明', cast(:now as timestamptz) from generate_series(1, 100) n""",
    """
    insert into sales_order (order_no, channel, state, version, attempts, progress, placed_at, currency, total, freight,
      discount, customer_no, receiver, warehouse, recorded_at, due_step, due_at)
    select 'SO' || lpad(cast(n as text), 8, '0'), 'direct', 'PENDING_PAYMENT', 0, 0, '', :now, 'CNY', 5900, 0, 0,
      'C' || n % 100 + 1, jsonb_build_object('name', '王小明', 'mobile', '13912345678', 'province', '江苏省', 'city',
      '苏州市', 'district', '吴中区', 'address', '建设路' || n || '号'), '', :now, 'confirm_payment', :now
    from generate_series(1, cast(:orders as int)) n""",
    """
    insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
    select id, 1, 'SKU-' || id % 60, '自攻螺钉 3.5x25', 1, 5900, 5900, 0 from sales_order""",
)


async def place_orders(url: str, orders: int, now: datetime) -> None:
    """An empty database with nothing but these orders."""
    await create_database(url, "ballast", fresh=True)
    await upgrade(url)
    engine = make_engine(url, pool=1)
    try:
        async with engine.begin() as tx:
            for sql in _FILL:
                await run(tx, sql, **{k: v for k, v in {"now": now, "orders": orders}.items() if f":{k}" in sql})
        async with engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("vacuum analyze")
    finally:
        await engine.dispose()


async def count_ends(tx: AsyncConnection) -> dict[str, int]:
    """How far the orders are, and the rows that every contestant has to have written of them."""
    found = await rows(
        tx,
        """
        select (select count(*) from sales_order where state = 'SIGNED') as signed,
          (select count(*) from order_event) as events,
          (select count(*) from effect where state = 'done') as effects,
          (select count(*) from outbox where done_at is not null) as messages,
          (select count(*) from outbox where done_at is null) as unsent,
          (select count(*) from parcel where signed_at is not null) as parcels""",
    )
    return dict(found[0]._mapping)


def expected_ends(orders: int) -> dict[str, int]:
    """What `count_ends` has to find."""
    return {
        "signed": orders,
        "events": orders * len(STEPS),
        "effects": orders * len(STEPS),
        "messages": orders,
        "unsent": 0,
        "parcels": orders,
    }
