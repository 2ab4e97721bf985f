"""What DBOS's own guide leads to: one durable workflow per order, five steps, on the same PostgreSQL.

It writes nothing beside what DBOS keeps: an order table of its own would make it slower still.
"""

import asyncio
import json
import os
import sys
from typing import Any

import httpx
from dbos import DBOS, DBOSConfig
from httpx_aiohttp import AiohttpTransport
from sqlalchemy import make_url

from bench.cost import own_cost, stopwatch
from bench.engine.orders import STEPS

AT_ONCE = 100

_client: list[httpx.AsyncClient] = []


@DBOS.step(retries_allowed=True)
async def call(order_no: str, step: str) -> str:
    """One call of one order."""
    reply = await _client[0].post(os.environ["BENCH_ANSWERS"], json={"order": order_no, "step": step})
    return str(reply.raise_for_status().json()["id"])


@DBOS.workflow()
async def carry_order(order_no: str) -> str:
    """One order from payment to sign-off."""
    for step in STEPS:
        await call(order_no, step)
    return order_no


async def carry(orders: int) -> dict[str, Any]:
    """So many orders; the figures."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with room:
            return await carry_order(f"SO{number:08}")

    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=30) as client:
        _client.append(client)
        DBOS.launch()
        await carry_order("WARM-UP")
        spent_before = own_cost()["cpu_s"]
        with stopwatch() as taken:
            ended = await asyncio.gather(*(one(number) for number in range(1, orders + 1)))
        DBOS.destroy()
    spent = own_cost()
    return {"orders": orders, **taken, "ended": len(set(ended)), **spent, "cpu_s": spent["cpu_s"] - spent_before}


if __name__ == "__main__":
    url = make_url(os.environ["BALLAST_DATABASE_URL"]).set(drivername="postgresql+psycopg", database="dbos")
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url.render_as_string(hide_password=False),
        "log_level": "ERROR",
    }
    DBOS(config=config)
    print(json.dumps(asyncio.run(carry(int(sys.argv[1])))))  # noqa: T201  # what the bench reads
