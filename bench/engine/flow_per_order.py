"""What Prefect's own tutorial leads to: one flow run per order, five tasks with retries.

It writes nothing beside what Prefect keeps: an order table of its own would make it slower still.
"""

import json
import sys

from prefect import flow, task

from bench.engine.orders import STEPS
from bench.engine.peers import post, race

AT_ONCE = 10
"""More side by side is slower: the server has to keep up."""


@task(retries=2, retry_delay_seconds=2)
async def call(order_no: str, step: str) -> str:
    """One call of one order."""
    return await post(order_no, step)


@flow(name="order")
async def carry_order(order_no: str) -> str:
    """One order from payment to sign-off."""
    for step in STEPS:
        await call(order_no, step)
    return order_no


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(race(carry_order, int(sys.argv[1]), at_once=AT_ONCE))))  # noqa: T201  # what the bench reads
