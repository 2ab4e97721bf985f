"""Orders that a warehouse works on: paid, locked, booked in the ERP, handed over. Filled in by set-based SQL."""

from datetime import datetime, timedelta

from ballast.db.engine import make_engine, rows, run
from ballast.db.upgrade import create_database, upgrade

_FILL = (
    """
    insert into customer (customer_no, name, openid, first_order_at)
    select 'C' || n, '王小明', 'oC' || n, cast(:at as timestamptz) from generate_series(1, 1000) n""",
    """
    insert into stock_level (sku, warehouse, on_hand, locked, short, figure_at)
    select 'SKU-' || n, 'CK001', 10000000, :orders, 0, cast(:at as timestamptz) from generate_series(0, 59) n""",
    """
    insert into sales_order (order_no, channel, state, version, due_step, due_at, attempts, progress, placed_at,
      paid_at, locked_at, currency, total, freight, discount, customer_no, openid, receiver, warehouse, recorded_at)
    select 'SO' || lpad(cast(n as text), 8, '0'), 'wechat', 'STOCK_LOCKED', 3, 'ship_out',
      cast(:at as timestamptz) + interval '12 hours', 0, 'PACKAGE', :at, :at, :at, 'CNY', 5900, 0, 0,
      'C' || n % 1000 + 1, 'oC' || n % 1000 + 1, jsonb_build_object('name', '王小明', 'mobile', '13912345678',
      'province', '江苏省', 'city', '苏州市', 'district', '吴中区', 'address', '建设路' || n || '号'), 'CK001', :at
    from generate_series(1, cast(:orders as int)) n""",
    """
    insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
    select id, 1, 'SKU-' || id % 60, '自攻螺钉 3.5x25', 1, 5900, 5900, 0 from sales_order""",
    """
    insert into payment (order_id, provider, transaction_id, amount, currency, merchant, state, method, paid_at,
      recorded_at)
    select id, 'wechatpay', 'T' || order_no, 5900, 'CNY', '1900000001', 'counted', '', placed_at, placed_at
    from sales_order""",
    """
    insert into stock_lock (order_id, sku, warehouse, quantity, state, locked_at)
    select id, 'SKU-' || id % 60, 'CK001', 1, 'held', placed_at from sales_order""",
    """
    insert into effect (key, order_id, kind, state, attempts, digest, receipt, error, begun_at, done_at)
    select kind_of || ':' || order_no, id, kind_of, 'done', 1, '', jsonb_build_object('reference', order_no), '',
      placed_at, placed_at
    from sales_order, unnest(array['erp.reserve', 'wms.create']) kind_of""",
    """
    insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at, text)
    select id, event || ':' || order_no, event, 'PENDING_PAYMENT', 'STOCK_LOCKED', event = 'STOCK_LOCKED', 'ballast',
      placed_at, placed_at, ''
    from sales_order, unnest(array['PAYMENT_CAPTURED', 'PAYMENT_CONFIRMED', 'STOCK_LOCKED']) event""",
)


def order_no(number: int) -> str:
    """The order number, from 1."""
    return f"SO{number:08d}"


def waybill(number: int) -> str:
    """The tracking number that the warehouse gives to the parcel of this order."""
    return f"YT{7_000_000_000_000 + number}"


def sku(number: int) -> str:
    """The only article of this order, one piece."""
    return f"SKU-{number % 60}"


async def lock_orders(url: str, orders: int, now: datetime) -> None:
    """A fresh database with nothing but these orders, locked an hour ago."""
    await create_database(url, "ballast", fresh=True)
    await upgrade(url)
    engine, values = make_engine(url, pool=1), {"at": now - timedelta(hours=1), "orders": orders}
    try:
        async with engine.begin() as tx:
            for sql in _FILL:
                await run(tx, sql, **{name: value for name, value in values.items() if f":{name}" in sql})
        async with engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("vacuum analyze")
    finally:
        await engine.dispose()


async def count_ends(url: str) -> dict[str, int]:
    """What the books say has happened."""
    engine = make_engine(url, pool=1)
    try:
        async with engine.connect() as tx:
            found = await rows(
                tx,
                """
                select (select count(*) from sales_order where state = 'OUTBOUND') as outbound,
                  (select count(*) from inbox where state = 'done') as read,
                  (select count(*) from inbox where state <> 'done') as unread,
                  (select count(*) from outbox where done_at is not null) as sent,
                  (select count(*) from outbox where done_at is null) as unsent,
                  (select count(*) from effect where state <> 'done') as effects_open,
                  (select count(*) from order_event where moved and to_state = 'OUTBOUND') as moves""",
            )
    finally:
        await engine.dispose()
    return dict(found[0]._mapping)


async def read_hops(url: str, first: int, last: int) -> dict[str, float]:
    """Where the time went, by the books: median and 95th percentile in seconds of each part of the way."""
    engine = make_engine(url, pool=1)
    try:
        async with engine.connect() as tx:
            found = await rows(tx, _HOPS, first=order_no(first), last=order_no(last))
    finally:
        await engine.dispose()
    return {name: round(float(value or 0), 3) for name, value in found[0]._mapping.items()}


_HOPS = """
select
  percentile_cont(0.5) within group (order by read) as read_p50,
  percentile_cont(0.95) within group (order by read) as read_p95,
  percentile_cont(0.5) within group (order by claimed) as claimed_p50,
  percentile_cont(0.95) within group (order by claimed) as claimed_p95,
  percentile_cont(0.5) within group (order by told) as told_p50,
  percentile_cont(0.95) within group (order by told) as told_p95
from (
  select extract(epoch from i.done_at - i.received_at) as read,
    extract(epoch from e.begun_at - i.done_at) as claimed, extract(epoch from e.done_at - e.begun_at) as told
  from inbox i join effect e on e.key = 'shop.shipped:' || i.order_no
  where i.order_no between :first and :last) way
"""
"""Stored until its order moved; until the message to the shop was taken up; until the shop had answered."""
