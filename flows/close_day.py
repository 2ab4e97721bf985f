"""Finance's day: what was due, captured, refunded, and what does not agree."""

import asyncio
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_table_artifact
from pydantic import Field

from ballast.wiring import House
from flows.runs import start
from tasks.ledger import collect_ledger, day_file, read_day
from tasks.ledger_words import DayWords, as_texts, write_day
from tasks.statements import fetch_day

MOST = 500
"""Findings in the Prefect UI; the workbook has all."""


@flow(name="close-day", flow_run_name="close-day")
async def close_day(day: Annotated[str, Field(max_length=10)] = "", fetch: bool = True) -> None:
    """The money of one day, added up from two sides, with all that does not agree; a workbook is written, too.

    Args:
        day: Which day in China, such as 2026-01-31; empty: yesterday. 日期, 留空为昨天
        fetch: Fetch the provider's statement of that day before. 先下载当日支付对账单
    """
    run = await start("close-day")
    here = run.house
    which = read_day(day, here.clock.now())
    about = await fetch_day(which) if fetch else ""
    found = await collect_ledger(which)
    path, words = day_file(here, which), DayWords(here.settings.language)
    await asyncio.to_thread(write_day, path, found, here.settings.language)  # a large day takes seconds
    run.table = as_texts(words.summary(found))
    order = words.say("order")
    rows = [row | {order: here.order_link(row[order])} for row in as_texts(words.findings(found.seen))[:MOST]]
    await acreate_table_artifact(
        key="close-day-findings",
        table=rows or [{words.say("findings"): "-"}],
        description=f"{which}: {_link(here, path)}. {about}".rstrip(),
    )
    run.headline = words.outcome(found)
    if not found.adds_up:
        run.failures.append(f"the sums of {which} and its orders differ: see {path}")
    await run.finish()


def _link(here: House, workbook: Path) -> str:
    """The workbook, as a link where pages are switched on."""
    address = here.report_link(workbook.name)
    return f"[{workbook.name}]({address})" if address else str(workbook)
