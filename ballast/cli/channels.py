"""Commands about what sales channels bring and cost: channels cost import, channels report."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ballast.cli import app

channels = App(name="channels", help="What sales channels bring and cost.")
cost = App(name="cost", help="What sales channels cost.")
app.command(channels)
channels.command(cost)


@cost.command(name="import")
def import_file(
    file: Path,
    *,
    mapping: Annotated[Path | None, Parameter(help="YAML: which column means what; default: by their names")] = None,
    rejects: Annotated[Path | None, Parameter(help="where refused rows go; default: FILE.rejects.csv")] = None,
    by: str = "operator",
    json: bool = False,
) -> int:
    """Take costs by channel and day from a CSV or XLSX file: columns channel, day, amount, and currency, source.

    A row replaces what was imported for the same channel, day and source, so a file can be imported again. Rows that
    cannot be used are refused one by one. Exit 1 when some were, or a channel has no orders; 2: the file is unusable.
    """
    from rich.console import Console

    from adapters.files.channel_costs import read_cost_mapping
    from ballast.cli.opening import print_json, with_house
    from tasks.channels import import_costs

    meaning = read_cost_mapping(mapping) if mapping else None
    to = rejects or file.with_suffix(".rejects.csv")
    done = with_house(lambda here: import_costs(here, file, meaning, rejects=to, by=by))
    if json:
        print_json(done.as_dict())
    else:
        console = Console()
        console.print(f"{done.imported} row(s) are in the books, {done.rejected} refused", markup=False)
        for line in done.reasons:
            console.print(f"  {line}", markup=False)
        if done.rejects:
            console.print(f"refused rows are in {done.rejects}", markup=False)
        for name in done.unknown:
            console.print(f"no order has come from channel {name!r} yet: is it spelt as in the orders?", markup=False)
    return 1 if done.rejected or done.unknown else 0


@channels.command
def report(
    *,
    first: Annotated[str, Parameter(name="--from", help="first day, such as 2026-01-01, China time")] = "",
    last: Annotated[str, Parameter(name="--to", help="last day; default: today")] = "",
    month: Annotated[str, Parameter(help="such as 2026-01; with nothing said: the last whole month")] = "",
    xlsx: Annotated[Path | None, Parameter(help="write a workbook, too")] = None,
    charts: Annotated[Path | None, Parameter(help="write page, radar and workbook into this folder")] = None,
    json: bool = False,
) -> None:
    """What each channel brought and cost in a period, compared with the period before: table and radar."""
    from rich.console import Console

    from ballast.cli.opening import print_json, with_house
    from ballast.cli.showing_channels import show_channels
    from ballast.db.channels import channel_report
    from ballast.domain.channels import ChannelReport
    from ballast.wiring import House
    from tasks.channels import read_period

    async def look(here: House) -> tuple[ChannelReport, str]:
        now = here.clock.now()
        period = read_period(first, last, month, now)
        async with here.transaction() as tx:
            return await channel_report(tx, period, now), here.settings.language

    found, language = with_house(look)
    notes = Console(stderr=True)
    if xlsx is not None:
        from adapters.files.xlsx_table import write_table
        from tasks.channel_words import ChannelWords

        write_table(xlsx, "channels", *ChannelWords(language).sheet(found))
        notes.print(f"the table is in {xlsx}", markup=False)
    if charts is not None:
        from ballast.report_folder import ReportFolder
        from tasks.chart_files import channel_files

        for name in channel_files(found, language, ReportFolder(charts)).names:
            notes.print(str(charts / name), markup=False, highlight=False)
    print_json(found.as_dict()) if json else show_channels(found, language, Console())
