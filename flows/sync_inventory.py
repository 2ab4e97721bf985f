"""Keep the stock view: the ERP's figures, the warehouse's count, safety lines; what was short and fits now goes on."""

from prefect import flow

from ballast.db.stock_pulls import first_of_hour
from flows.runs import Run, start
from tasks.chunks import Tally
from tasks.plainly import seen
from tasks.stock import wake_short_orders
from tasks.stock_table import stock_table
from tasks.stock_view import count_stock, read_stock, watch_lines


@flow(name="sync-inventory", flow_run_name="sync-inventory")
async def sync_inventory(sweep: bool = False, accept_less: bool = False) -> None:
    """Take the ERP's stock figures into the ledger; pieces that left and are not in its books yet are taken off.

    Between two full sweeps only what changed is read, where the ERP says what did. The warehouse is asked for its count
    in turns. Whatever falls below its safety line rings once. Orders on hold for want of stock go on when all they need
    is there: the oldest first, as far as it reaches.

    Args:
        sweep: Read every figure, whatever changed. 全量拉取
        accept_less: Take a list in which most of the stock is missing, too. 清单大量缺失时仍然采用
    """
    run = await start("sync-inventory")
    pulled = await seen(read_stock)(sweep, accept_less)
    counted = await seen(count_stock)()
    lines = await seen(watch_lines)()
    run.failures += [why for why in (pulled.failed, counted.failed) if why]
    run.tally.update(Tally({"figures changed": pulled.changed, "rows refused": pulled.refused + counted.refused}))
    run.tally.update(Tally({"fell below their line": lines.began, "drifts": counted.drifts}))
    woken = await seen(wake_short_orders)()
    run.tally.update(Tally({"short orders go on": woken}))
    await _show(run, news=bool(pulled.new + counted.new + lines.began + lines.over + woken))
    await run.finish()


async def _show(run: Run, *, news: bool) -> None:
    """A run every half a minute: the table is shown when something began or was over, and once an hour."""
    async with run.house.transaction() as tx:
        hourly = await first_of_hour(tx, run.house.erp.system, run.house.clock.now())
    run.silent = not (news or hourly)
    if not run.silent:
        run.table = await stock_table(run.house)
