"""The floor: the same calls by the same client (httpx on aiohttp's transport, as it comes), the same rows by bulk SQL.

No orchestration, no claims, no objects, no reading of history: the least work that does the same input and output. An
effect is written when it is done, in the transaction of its move; a crash would make it again.

With the word `ours` it calls by Ballast's own client (`adapters.http`): what is left is the price of the machinery.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport
from sqlalchemy import make_url

from adapters.http import VendorHttp
from ballast.collector import spare_collector
from ballast.db.engine import make_engine
from ballast.domain.words import System
from bench.cost import own_cost, stopwatch
from bench.engine.orders import MESSAGE, STEPS, count_ends

CHUNK, AT_ONCE, MAX_CALLS = 400, 2, 50

MOVES = {
    "confirm_payment": ("PENDING_PAYMENT", "PENDING_PAYMENT", "lock_stock", "paid_at = $2::timestamptz"),
    "lock_stock": ("PENDING_PAYMENT", "STOCK_LOCKED", "ship_out", "locked_at = $2, warehouse = 'CK001'"),
    "ship_out": ("STOCK_LOCKED", "OUTBOUND", "track_transit", "outbound_at = $2"),
    "track_transit": ("OUTBOUND", "SIGNED", "sign_off", "signed_at = $2"),
}
"""Step -> (state before, state after, next step, what else changes in the order's row)."""

EVENTS = {
    "confirm_payment": (("confirm_payment", "PAYMENT_CONFIRMED", "PENDING_PAYMENT", "PENDING_PAYMENT"),),
    "lock_stock": (("lock_stock", "STOCK_LOCKED", "PENDING_PAYMENT", "STOCK_LOCKED"),),
    "ship_out": (("ship_out", "SHIPPED", "STOCK_LOCKED", "OUTBOUND"),),
    "track_transit": (
        ("track_transit", "PARCEL_SIGNED", "OUTBOUND", "IN_TRANSIT"),
        ("sign_off", "SIGNED", "IN_TRANSIT", "SIGNED"),
    ),
}
"""Step -> (cause, event, state before, state after) of its history."""

UPDATE = """
update sales_order set state = $3, version = version + 1, due_step = $4, due_at = $2::timestamptz, {change}
where id = any($1::bigint[])
"""
EVENT = """
insert into order_event (order_id, cause, event, from_state, to_state, moved, actor, happened_at, recorded_at, text)
select id, $3::text || ':' || order_no, $4, $5::text, $6::text, $5::text <> $6::text, 'ballast', $7, $7, ''
from unnest($1::bigint[], $2::text[]) o(id, order_no)
"""
EFFECT = """
insert into effect (key, order_id, kind, state, attempts, digest, receipt, error, begun_at, done_at)
select $3::text || ':' || order_no, id, $3::text, 'done', 1, '', receipt, '', $4, $4
from unnest($1::bigint[], $2::text[], $5::jsonb[]) o(id, order_no, receipt)
"""
PARCEL = """
insert into parcel (order_id, waybill, carrier, items, shipped_at, said, trouble_evidence)
select o.order_id, 'YT' || o.order_id, 'YTO', jsonb_build_object(o.sku, o.quantity), $2, '', ''
from order_line o where o.order_id = any($1::bigint[])
"""
SHIPPED = "update order_line set shipped = quantity where order_id = any($1::bigint[])"
SIGNED = "update parcel set said = '301', said_at = $2, signed_at = $2 where order_id = any($1::bigint[])"
OUTGOING = """
insert into outbox (key, order_id, kind, payload, attempts, due_at, created_at, note)
select $3::text || ':' || order_no, id, $3::text, '{}', 0, $4, $4, ''
from unnest($1::bigint[], $2::text[]) o(id, order_no)
"""
SENT = "update outbox set done_at = $2, due_at = null, attempts = 1 where order_id = any($1::bigint[])"

Order = tuple[int, str]
Post = Callable[[dict[str, str]], Awaitable[httpx.Response]]


@asynccontextmanager
async def posting(url: str, *, ours: bool) -> AsyncIterator[Post]:
    """One call with a JSON body."""
    if ours:
        http = VendorHttp(System.KINGDEE, max_calls=MAX_CALLS)
        try:
            yield lambda body: http.write("POST", url, json=body)
        finally:
            await http.close()
        return
    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=30) as client:
        yield lambda body: client.post(url, json=body)


class Floor:
    """One client, one pool, and a chunk of orders at a time."""

    def __init__(self, pool: asyncpg.Pool, post: Post) -> None:
        self._pool, self._post = pool, post
        self._turns = asyncio.Semaphore(MAX_CALLS)

    async def step(self, orders: Sequence[Order], step: str) -> None:
        """One call per order, then everything about them in one transaction."""
        receipts = await asyncio.gather(*(self._call(number, step) for _, number in orders))
        ids, numbers, now = [order[0] for order in orders], [order[1] for order in orders], datetime.now(UTC)
        async with self._pool.acquire() as tx, tx.transaction():
            if step == STEPS[-1]:
                await tx.execute(SENT, ids, now)
                await tx.execute(EFFECT, ids, numbers, MESSAGE, now, receipts)
                return
            _, after, following, change = MOVES[step]
            await tx.execute(UPDATE.format(change=change), ids, now, after, following)
            for event in EVENTS[step]:
                await tx.execute(EVENT, ids, numbers, *event, now)
            await tx.execute(EFFECT, ids, numbers, step, now, receipts)
            if step == "ship_out":
                await tx.execute(PARCEL, ids, now)
                await tx.execute(SHIPPED, ids)
            if step == "track_transit":
                await tx.execute(SIGNED, ids, now)
                await tx.execute(OUTGOING, ids, numbers, MESSAGE, now)

    async def _call(self, order_no: str, step: str) -> str:
        async with self._turns:
            reply = await self._post({"order": order_no, "step": step})
            return orjson.dumps({"reference": reply.json()["id"]}).decode()


async def carry(orders: int, *, ours: bool) -> dict[str, Any]:
    """Every order through the five steps; the figures."""
    url = make_url(os.environ["BALLAST_DATABASE_URL"])
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with (
        asyncpg.create_pool(plain, min_size=AT_ONCE, max_size=AT_ONCE) as pool,
        posting(os.environ["BENCH_ANSWERS"], ours=ours) as post,
    ):
        floor = Floor(pool, post)
        placed = [(row[0], row[1]) for row in await pool.fetch("select id, order_no from sales_order order by id")]
        room = asyncio.Semaphore(AT_ONCE)

        async def work(chunk: Sequence[Order], step: str) -> None:
            async with room:
                await floor.step(chunk, step)

        spare_collector()
        spent_before = own_cost()["cpu_s"]
        with stopwatch() as taken:
            for step in STEPS:
                chunks = [placed[first : first + CHUNK] for first in range(0, len(placed), CHUNK)]
                await asyncio.gather(*(work(chunk, step) for chunk in chunks))
    engine = make_engine(os.environ["BALLAST_DATABASE_URL"], pool=1)
    async with engine.connect() as tx:
        ends = await count_ends(tx)
    await engine.dispose()
    spent = own_cost()
    return {"orders": orders, **taken, **ends, **spent, "cpu_s": spent["cpu_s"] - spent_before}


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(carry(int(sys.argv[1]), ours="ours" in sys.argv))))  # noqa: T201  # what the bench reads
