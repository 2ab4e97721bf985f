"""What DBOS's own guide leads to: one durable workflow per order, five steps, on the same PostgreSQL.

It writes nothing beside what DBOS keeps: an order table of its own would make it slower still.
"""

import asyncio
import json
import os
import sys
from typing import Any

from dbos import DBOS, DBOSConfig
from sqlalchemy import make_url

from bench.engine.orders import STEPS
from bench.engine.peers import post, race

AT_ONCE = 100


@DBOS.step(retries_allowed=True)
async def call(order_no: str, step: str) -> str:
    """One call of one order."""
    return await post(order_no, step)


@DBOS.workflow()
async def carry_order(order_no: str) -> str:
    """One order from payment to sign-off."""
    for step in STEPS:
        await call(order_no, step)
    return order_no


async def carry(orders: int) -> dict[str, Any]:
    """So many orders; the figures."""
    DBOS.launch()
    try:
        return await race(carry_order, orders, at_once=AT_ONCE)
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    url = make_url(os.environ["BALLAST_DATABASE_URL"]).set(drivername="postgresql+psycopg", database="dbos")
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url.render_as_string(hide_password=False),
        "log_level": "ERROR",
    }
    DBOS(config=config)
    print(json.dumps(asyncio.run(carry(int(sys.argv[1])))))  # noqa: T201  # what the bench reads
