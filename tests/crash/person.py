"""`python -m tests.crash.person FLOW [ORDER]`: what a person or a schedule starts, as a process of its own."""

import asyncio
import logging
import sys
from typing import Any

from flows.answer_returns import answer_returns
from flows.cancel_orders import cancel_orders
from flows.edit_orders import edit_orders
from flows.hold_orders import hold_orders
from flows.reconcile import reconcile
from flows.rerun_orders import rerun_orders
from flows.sync_inventory import sync_inventory

FORMS = {flow.name: flow for flow in (cancel_orders, hold_orders, rerun_orders)}


async def act(name: str, order_no: str) -> None:
    if name == sync_inventory.name:
        await sync_inventory()
        return
    if name == reconcile.name:
        await reconcile((order_no,), linger=0.0)
        return
    if name == answer_returns.name:
        await answer_returns((order_no,), by="li")
        return
    if name == edit_orders.name:
        await edit_orders(order_no, address="中山路 2 号", by="li")
        return
    form: Any = FORMS[name]
    await form(order_numbers=(order_no,), by="li")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(act(sys.argv[1], sys.argv[2]))
