"""What each sales channel brought and cost, compared with the period before: table, radar, workbook."""

from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_image_artifact, acreate_markdown_artifact
from pydantic import Field

from flows.runs import start
from tasks.channel_words import ChannelWords, as_markdown
from tasks.channels import collect_channels, read_period, week_before
from tasks.chart_files import links, thin, write_channels


@flow(name="report-channels", flow_run_name="report-channels")
async def report_channels(
    first: Annotated[str, Field(max_length=20)] = "",
    last: Annotated[str, Field(max_length=20)] = "",
    month: Annotated[str, Field(max_length=7)] = "",
) -> None:
    """Orders, revenue, refunds, cost, return rate and repurchase cycle of each channel. Empty form: the week before.

    Args:
        first: First day (2026-01-01), China time. 起始日 (含), 北京时间
        last: Last day; empty: today. 截止日 (含), 留空为今天
        month: A month (2026-01) instead. 或填写月份
    """
    run = await start("report-channels")
    here, now = run.house, run.house.clock.now()
    period = read_period(first, last, month, now) if first or last or month else week_before(now)
    found = await collect_channels(period)
    written = await write_channels(found)
    words = ChannelWords(here.settings.language)
    await acreate_markdown_artifact(
        key="channels",
        markdown=as_markdown(words, found, links(here, written.names)),
        description=words.title(found),
    )
    for key, name in written.pictures.items():
        if link := here.report_link(name):
            await acreate_image_artifact(image_url=link, key=key, description=words.title(found))
    await thin(here)
    run.headline = words.outcome(found)
    await run.finish()
