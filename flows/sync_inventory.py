"""Take the ERP's stock figures into the ledger; what was short and fits now goes on."""

from prefect import flow

from flows.runs import start
from tasks.chunks import Tally
from tasks.erp import read_stock
from tasks.plainly import seen
from tasks.stock import wake_short_orders


@flow(name="sync-inventory", flow_run_name="sync-inventory")
async def sync_inventory() -> None:
    """Take the ERP's stock figures into the ledger; pieces that left and are not in its books yet are taken off.

    Orders on hold for want of stock go on when all they need is there: the oldest first, as far as it reaches.
    """
    run = await start("sync-inventory")
    run.tally.update(Tally({"figures changed": await seen(read_stock)()}))
    run.tally.update(Tally({"short orders go on": await seen(wake_short_orders)()}))
    await run.finish()
