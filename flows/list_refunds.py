"""Finance's list of the day."""

from collections import Counter
from datetime import timedelta

from prefect import flow

from ballast.db.finance import finance_list
from flows.runs import start
from tasks.finance import COLUMNS, as_texts, tally

MOST = 500
"""Rows of the table in the Prefect UI; `ballast finance list --xlsx FILE` has all."""


@flow(name="list-refunds", flow_run_name="list-refunds")
async def list_refunds(days: int = 30) -> None:
    """List second charges and refunds of the last days: what went back, what did not arrive, what waits for a person.

    Args:
        days: How far back, in days. 最近多少天
    """
    run = await start("list-refunds")
    async with run.house.transaction() as tx:
        found = await finance_list(tx, since=run.house.clock.now() - timedelta(days=days), most=MOST)
    for row in found:
        texts = dict(zip(COLUMNS, as_texts(row), strict=True))
        run.table.append({**texts, "order": run.house.order_link(row.order_no)})
    run.tally.update(Counter(tally(found)))
    await run.finish()
