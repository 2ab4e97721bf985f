"""Charts of the last month, and the stock of the day noted for the next ones."""

from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_image_artifact, acreate_markdown_artifact
from pydantic import Field

from flows.runs import start
from tasks.channels import read_period, thirty_days
from tasks.chart_files import links, note_stock, thin, write_charts


@flow(name="draw-charts", flow_run_name="draw-charts")
async def draw_charts(
    first: Annotated[str, Field(max_length=20)] = "",
    last: Annotated[str, Field(max_length=20)] = "",
    month: Annotated[str, Field(max_length=7)] = "",
    skus: Annotated[list[Annotated[str, Field(max_length=100)]] | None, Field(max_length=100)] = None,
) -> None:
    """Draw lead times by channel, holds by reason, stock against its safety lines. Empty form: the last 30 days.

    Args:
        first: First day (2026-01-01), China time. 起始日 (含), 北京时间
        last: Last day; empty: today. 截止日 (含), 留空为今天
        month: A month (2026-01) instead. 或填写月份
        skus: Whose stock is shown; empty: those nearest to their safety line. 要显示库存的 SKU, 留空为最接近安全线者
    """
    run = await start("draw-charts")
    here, now = run.house, run.house.clock.now()
    period = read_period(first, last, month, now) if first or last or month else thirty_days(now)
    noted = await note_stock()
    written = await write_charts(period, skus or [])
    text = f"# {written.title}\n\n{links(here, written.names)}"
    await acreate_markdown_artifact(key="charts", markdown=text, description=written.title)
    for key, name in written.pictures.items():
        if link := here.report_link(name):
            await acreate_image_artifact(image_url=link, key=key, description=written.title)
    await thin(here)
    run.headline = f"{len(written.pictures)} charts, {noted} stock levels noted"
    await run.finish()
