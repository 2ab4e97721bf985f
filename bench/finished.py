"""Very many finished orders in a database, for `bench.growth`: every table that a step looks into, rows as in life.

Narrower than life, so that five million fit a disk: 3 lines of history instead of 8, 2 effects instead of 7, 1 message
in instead of 4 and with an empty payload, 1 message out instead of 5, one line, short texts. Tables and indexes are
those of life, so a statement that reads what is finished would read it here, too.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.db.embedded import EmbeddedServer
from ballast.db.engine import make_engine, run

SLICE: Final = 100_000
"""Orders per transaction."""

ORDERS: Final = """
insert into sales_order (id, order_no, channel, state, version, attempts, progress, placed_at, paid_at, locked_at,
  outbound_at, picked_up_at, signed_at, closed_at, currency, total, freight, discount, customer_no, openid, receiver,
  warehouse, recorded_at)
select n, 'PAST' || lpad(cast(n as text), 9, '0'), 'wechat', 'CLOSED', 7, 0, 'PACKAGE', at, at + interval '10 minutes',
  at + interval '15 minutes', at + interval '6 hours', at + interval '8 hours', at + interval '60 hours',
  at + interval '9 days', 'CNY', 2000, 0, 0, 'P' || lpad(cast(n % 50000 as text), 6, '0'), 'o' || n % 50000,
  '{"name": "王小明", "mobile": "13912345678", "province": "江苏省", "city": "苏州市", "address": "建设路1号"}',
  'CK001', at
from generate_series(cast(:low as bigint), cast(:high as bigint)) n, lateral (select
  cast(:now as timestamptz) - interval '390 days' + interval '380 days' * n / cast(:count as bigint) as at) times
"""
REST: Final = (
    """insert into order_line (order_id, line_no, sku, name, quantity, unit_price, amount, shipped)
    select id, 1, 'SKU-' || lpad(cast(id % 60 + 1 as text), 3, '0'), '自攻螺钉', 2, 1000, 2000, 2
    from sales_order where id between :low and :high""",
    """insert into payment (order_id, provider, transaction_id, amount, currency, merchant, state, method, paid_at,
      recorded_at)
    select id, 'wechatpay', cast(4200000000000000000000000000 + id as text), 2000, 'CNY', '1900000001', 'counted', '',
      paid_at, paid_at from sales_order where id between :low and :high""",
    """insert into stock_lock (order_id, sku, warehouse, quantity, state, locked_at, ended_at, told_at)
    select id, 'SKU-' || lpad(cast(id % 60 + 1 as text), 3, '0'), 'CK001', 2, 'shipped', locked_at, outbound_at,
      outbound_at from sales_order where id between :low and :high""",
    """insert into parcel (order_id, waybill, carrier, items, shipped_at, picked_up_at, signed_at, said, said_at,
      trouble_evidence)
    select id, 'YT' || cast(7000000000000 + id as text), 'YTO', '{"SKU-001": 2}', outbound_at, picked_up_at, signed_at,
      '301', signed_at, '' from sales_order where id between :low and :high""",
    """insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at,
      text)
    select id, cause, event, state_was, state_is, true, 'ballast', at, at, '' from sales_order, lateral (values
      ('placed', 'NOTED', 'PENDING_PAYMENT', 'PENDING_PAYMENT', placed_at),
      ('lock', 'STOCK_LOCKED', 'PENDING_PAYMENT', 'STOCK_LOCKED', locked_at),
      ('signed', 'SIGNED', 'IN_TRANSIT', 'SIGNED', signed_at)) history (cause, event, state_was, state_is, at)
    where id between :low and :high""",
    """insert into external_status (order_id, system, part, said, event, text, happened_at, recorded_at)
    select id, 'qimen', 'status', 'DELIVERED', 'SHIPPED', '', outbound_at, outbound_at
    from sales_order where id between :low and :high""",
    """insert into inbox (source, event_id, topic, order_no, payload, state, received_at, done_at, note)
    select 'qimen', 'news:' || order_no, 'news', order_no, '{}', 'done', placed_at, placed_at, ''
    from sales_order where id between :low and :high""",
    """insert into outbox (key, order_id, kind, payload, attempts, created_at, done_at, note)
    select 'shop.shipped:' || order_no, id, 'shop.shipped', '{}', 1, outbound_at, outbound_at, ''
    from sales_order where id between :low and :high""",
    """insert into effect (key, order_id, kind, state, attempts, digest, receipt, error, begun_at, done_at)
    select kind_of || ':' || order_no, id, kind_of, 'done', 1, '0123456789abcdef', '{"reference": "XSDD1"}', '',
      locked_at, locked_at
    from sales_order, unnest(array['erp.reserve', 'wms.create']) kind_of where id between :low and :high""",
)
CUSTOMERS: Final = """
insert into customer (customer_no, name, first_order_at)
select 'P' || lpad(cast(n as text), 6, '0'), '王小明', cast(:now as timestamptz) from generate_series(0, 49999) n
"""
SHELVES: Final = """
insert into stock_level (sku, warehouse, on_hand, locked, short, available, figure_at)
select 'SKU-' || lpad(cast(n as text), 3, '0'), warehouse, 1000000, 0, 0, 1000000, cast(:now as timestamptz)
from generate_series(1, 60) n, unnest(array['CK001', 'CK002']) warehouse
"""


async def set_up(server: EmbeddedServer, url: str) -> None:
    """A server that fills quickly: what is measured later waits for no disk either, at every size alike."""
    engine = make_engine(url, pool=1)
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for name, value in (
            ("fsync", "off"), ("wal_level", "minimal"), ("max_wal_senders", "0"), ("max_wal_size", "'4GB'"),
            ("shared_buffers", "'1GB'"), ("maintenance_work_mem", "'512MB'"), ("autovacuum", "off"),
        ):  # fmt: skip
            await connection.execute(text(f"alter system set {name} = {value}"))
    await engine.dispose()
    server.restart("fast")


async def fill(engine: AsyncEngine, count: int, now: datetime) -> float:
    """Make `count` finished orders in an empty database of the newest shape; its size in GB."""
    async with engine.begin() as tx:
        await run(tx, CUSTOMERS, now=now)
        await run(tx, SHELVES, now=now)
    for low in range(1, count + 1, SLICE):
        high = min(low + SLICE - 1, count)
        async with engine.begin() as tx:
            await tx.execute(text("set local session_replication_role = replica"))  # the rows fit by their making
            await run(tx, ORDERS, low=low, high=high, now=now, count=count)
            for sql in REST:
                await run(tx, sql, low=low, high=high)
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(
            text("select setval(pg_get_serial_sequence('sales_order', 'id'), :last)"), {"last": count}
        )
        await connection.execute(text("vacuum analyze"))
        size = (await connection.execute(text("select pg_database_size(current_database())"))).scalar_one()
    return float(size) / 1e9
