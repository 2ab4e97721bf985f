"""The report of a day, or of any window: the three hard numbers and what is behind them."""

from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from pydantic import Field

from flows.runs import start
from tasks.report import collect_report, window_of
from tasks.report_words import Words, markdown_table


@flow(name="report", flow_run_name="report")
async def report(
    since: Annotated[str, Field(max_length=40)] = "",
    until: Annotated[str, Field(max_length=40)] = "",
) -> None:
    """The three hard numbers of a window, lead times, holds, breaches. With an empty form: of the day before.

    Args:
        since: From when: an age (24h, 7d) or a date (2026-01-01), China time; empty: yesterday. 起始时间, 留空为昨天
        until: Until when, not in it any more; empty: now. 截止时间 (不含), 留空为现在
    """
    window = await window_of(since, until)
    run = await start("report")
    found = await collect_report(window)
    words = Words(run.house.settings.language)
    numbers, *tables = words.parts(found)
    await acreate_markdown_artifact(
        key="report-numbers",
        markdown=f"# {words.title(found)}\n\n{words.states(found)}\n\n{markdown_table(numbers)}",
        description=numbers.title,
    )
    for part in tables:
        rows = [dict(zip(part.columns, row, strict=True)) for row in part.rows] or [{part.title: part.empty}]
        await acreate_table_artifact(key=f"report-{part.name}", table=rows, description=part.title)
    run.headline = words.outcome(found)
    await run.finish()
