"""Take the ERP's stock figures into the ledger."""

from prefect import flow

from flows.runs import start
from tasks.chunks import Tally
from tasks.erp import read_stock


@flow(name="sync-inventory", flow_run_name="sync-inventory")
async def sync_inventory() -> None:
    """Take the ERP's stock figures into the ledger; pieces that left and are not in its books yet are taken off."""
    run = await start("sync-inventory")
    run.tally.update(Tally({"figures changed": await read_stock()}))
    await run.finish()
