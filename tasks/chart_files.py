"""Charts and tables as files of the folder of reports: a page that needs nothing else, pictures, a workbook."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prefect import task

from ballast.db import charts as books
from ballast.domain.channels import ChannelReport, Period
from ballast.report_folder import ReportFolder
from ballast.wiring import House, house
from tasks import charts
from tasks.channel_words import ChannelWords
from tasks.policy import ALONE
from tasks.report_words import local

if TYPE_CHECKING:
    from adapters.charts.drawing import Picture
    from adapters.charts.page import Part

PANELS: Final = 12
"""SKUs that one chart of stock shows."""


@dataclass(slots=True)
class Written:
    """The files of one report, the page first."""

    title: str
    names: list[str] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)  # key of its artifact -> its file


@dataclass(frozen=True, slots=True)
class Drawn:
    """What charts are made of, as it was read."""

    period: Period
    times: books.LeadTimes
    holds: Sequence[books.HeldOn]
    levels: Sequence[Sequence[books.Level]]


@task(name="write channel report", tags=["report"], **ALONE)
async def write_channels(report: ChannelReport) -> Written:
    """Page, radar and workbook into the folder of reports. Raises `ReportNotWritten`."""
    settings = (await house()).settings
    return await asyncio.to_thread(channel_files, report, settings.language, ReportFolder(settings.reports.folder))


@task(name="write charts", tags=["report"], **ALONE)
async def write_charts(period: Period, skus: Sequence[str]) -> Written:
    """Lead times, holds and stock of a period into the folder of reports. Raises `ReportNotWritten`."""
    here = await house()
    drawn = await read_charts(here, period, skus)
    folder = ReportFolder(here.settings.reports.folder)
    return await asyncio.to_thread(chart_files, drawn, here.clock.now(), here.settings.language, folder)


@task(name="note stock of the day", tags=["report"], **ALONE)
async def note_stock() -> int:
    """Today's levels of SKUs with a safety line into the books; how many."""
    here = await house()
    async with here.transaction() as tx:
        return await books.note_stock(tx, here.clock.now())


async def read_charts(here: House, period: Period, skus: Sequence[str] = ()) -> Drawn:
    """What the charts of a period show, in one transaction."""
    async with here.transaction() as tx:
        return Drawn(
            period=period,
            times=await books.read_lead_times(tx, period),
            holds=await books.read_holds(tx, period),
            levels=await books.read_levels(tx, period, skus=skus, most=PANELS),
        )


async def thin(here: House) -> int:
    """Remove files that are older than they are kept; how many."""
    before = here.clock.machine_now() - here.settings.reports.keep
    return await asyncio.to_thread(ReportFolder(here.settings.reports.folder).thin, before)


def links(here: House, names: Sequence[str]) -> str:
    """For an artifact: where the files of a report are. Without pages only people on that machine find them."""
    found = [(name, here.report_link(name)) for name in names]
    return "\n".join(
        f"- [{name}]({link})" if link else f"- {here.settings.reports.folder / name}" for name, link in found
    )


def channel_files(report: ChannelReport, language: str, folder: ReportFolder) -> Written:
    """Draws for a second or two: not on an event loop."""
    from adapters.charts.page import Part

    words, stem = ChannelWords(language), f"channels-{_days(report.period)}"
    radars = {one.now.currency: charts.draw_channels(report, one.now.currency, language) for one in report.totals()}
    table = Part(
        columns=["", *(f"{words.name(one)} · {one.now.currency}" for one in (*report.channels, *words.sums(report)))],
        rows=words.table(report),
        notes=words.notes(report),
    )
    parts = [*(Part(picture=picture) for picture in radars.values()), table]
    named = {f"radar-{currency.lower()}": picture for currency, picture in radars.items()}
    done = _write(Written(words.title(report)), stem, parts, named, report.as_of, language, folder)
    with tempfile.TemporaryDirectory() as draft:
        from adapters.files.xlsx_table import write_table

        write_table(Path(draft) / "channels.xlsx", "channels", *words.sheet(report))
        folder.put(f"{stem}.xlsx", (Path(draft) / "channels.xlsx").read_bytes())
    done.names.append(f"{stem}.xlsx")
    return done


def chart_files(drawn: Drawn, now: datetime, language: str, folder: ReportFolder) -> Written:
    """Draws for a second or two: not on an event loop."""
    from adapters.charts.page import Part

    of, period = ChannelWords(language).of, drawn.period
    stem = f"charts-{_days(period)}"
    pictures = {
        "lead-times": charts.draw_lead_times(drawn.times, period, language),
        "holds": charts.draw_holds(drawn.holds, period, language),
        "stock": charts.draw_stock(drawn.levels, period, language),
    }
    title = of(("Operations in charts", "运营图表")) + f", {period.first} - {period.last}"
    parts = [Part(picture=picture) for picture in pictures.values()]
    return _write(Written(title), stem, parts, pictures, now, language, folder)


def _write(
    done: Written,
    stem: str,
    parts: "Sequence[Part]",
    pictures: "dict[str, Picture]",
    now: datetime,
    language: str,
    folder: ReportFolder,
) -> Written:
    """The page, and each picture beside it."""
    from adapters.charts.page import make_page

    made = ChannelWords(language).of(("made at", "生成于")) + f" {local(now)}"
    folder.put(f"{stem}.html", make_page(done.title, made, parts, language=language))
    done.names.append(f"{stem}.html")
    for key, picture in pictures.items():
        name = f"{stem}-{key}.png"
        folder.put(name, picture.png)
        done.names.append(name)
        done.pictures[f"chart-{key}"] = name
    return done


def _days(period: Period) -> str:
    return f"{period.first}-{period.last}" if period.first != period.last else str(period.first)
