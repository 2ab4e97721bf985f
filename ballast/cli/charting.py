"""The command that draws: `ballast charts`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ballast.cli import app


@app.command
def charts(
    *skus: str,
    first: Annotated[str, Parameter(name="--from", help="first day, such as 2026-01-01, China time")] = "",
    last: Annotated[str, Parameter(name="--to", help="last day; default: today")] = "",
    month: Annotated[str, Parameter(help="such as 2026-01; with nothing said: the last 30 days")] = "",
    into: Annotated[Path | None, Parameter(help="a folder; default: BALLAST_REPORTS__FOLDER")] = None,
    json: bool = False,
) -> None:
    """Draw lead times by channel, holds by reason, and stock against its safety lines: a page and PNG files.

    SKUS: whose stock is shown; default: those that are deepest below their safety line, or next to it.
    """
    import asyncio

    from ballast.cli.opening import print_json, with_house
    from ballast.report_folder import ReportFolder
    from ballast.wiring import House
    from tasks.channels import read_period, thirty_days
    from tasks.chart_files import Written, chart_files, read_charts

    async def draw(here: House) -> tuple[Written, Path]:
        now = here.clock.now()
        period = read_period(first, last, month, now) if first or last or month else thirty_days(now)
        drawn, folder = await read_charts(here, period, skus), into or here.settings.reports.folder
        return await asyncio.to_thread(chart_files, drawn, now, here.settings.language, ReportFolder(folder)), folder

    done, folder = with_house(draw)
    paths = [str(folder / name) for name in done.names]
    print_json({"files": paths}) if json else print("\n".join(paths))
