"""The command that says how it went: `ballast report`."""

from typing import Annotated

from cyclopts import Parameter

from ballast.cli import app


@app.command
def report(
    *,
    since: Annotated[str, Parameter(help="an age (24h, 7d) or a date or time (2026-01-01), China time")] = "24h",
    until: Annotated[str, Parameter(help="likewise, not in it any more; default: now")] = "",
    json: bool = False,
) -> None:
    """The three hard numbers of a window and what is behind them: lead times, holds, breaches, interventions.

    The window holds its first moment and not its last. Exit 2 when it is none.
    """
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_report import show_report
    from ballast.db.report import make_report
    from ballast.domain.report import Report
    from ballast.wiring import House
    from tasks.window import read_window

    async def look(here: House) -> tuple[Report, str]:
        now = here.clock.now()
        window = read_window(since, until, now)
        async with here.transaction() as tx:
            return await make_report(tx, window, now), here.settings.language

    found, language = with_house(look)
    print_json(found.as_dict()) if json else show_report(found, language, Console())
