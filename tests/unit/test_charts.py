"""Charts: every language, with data and without, written as a page that needs nothing else."""

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.charts.drawing import FONT, printable
from ballast.db.charts import BINS, HeldOn, LeadTimes, Level, WayTimes
from ballast.domain.channels import AgeCount, ChannelReport, ChannelReturn, Compared, Period, Repurchase
from ballast.domain.words import HOLD_LABELS, HoldReason
from ballast.report_folder import ReportFolder, ReportNotWritten
from tasks.chart_files import Drawn, channel_files, chart_files
from tasks.charts import REASONS, _reasons

PERIOD = Period(date(2026, 2, 1), date(2026, 2, 28))
NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)


def a_report() -> ChannelReport:
    full = ChannelReturn(
        channel="抖音小店 <b>$x$</b>", currency="CNY", orders=10, customers=9, new_customers=4, revenue=100_000,
        refunds=5000, returned=1, cost=20_000, cost_days=28, repurchase=Repurchase([AgeCount(0, 9, 0, 0),
        AgeCount(20, 0, 6, 0), AgeCount(27, 0, 0, 3)]),
    )  # fmt: skip
    empty = ChannelReturn(channel="pos", currency="CNY")
    dollars = ChannelReturn(channel="shopify", currency="USD", orders=1, revenue=100)
    pairs = [Compared(full, full), Compared(empty, full), Compared(dollars, empty)]
    return ChannelReport(period=PERIOD, as_of=NOW, before_as_of=NOW - timedelta(days=31), channels=pairs)


def drawn() -> Drawn:
    times = WayTimes("抖音小店", tuple(range(BINS)), (3600.0, 7200.0, 9000.0))
    holds = [
        HeldOn(PERIOD.first + timedelta(days=place), str(reason), 20 - place, place % 2)
        for place, reason in enumerate(HoldReason)
    ]
    levels = [Level("SKU-1", "CK001", PERIOD.first + timedelta(days=at), 20 - at, 15 - at, 10) for at in range(12)]
    way = "paid_outbound"
    lead_times = LeadTimes(["抖音小店"], {way: 9000.0}, {way: {"抖音小店": times}})
    return Drawn(PERIOD, lead_times, holds, [levels, levels[:1]])


NOTHING = Drawn(PERIOD, LeadTimes([], {}, {}), [], [])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("data", [True, False])
def test_every_chart_in_both_languages_with_data_and_without(tmp_path: Path, language: str, data: bool) -> None:
    """A letter that the font lacks is a warning of the library, and warnings fail tests."""
    folder = ReportFolder(tmp_path)
    nothing = ChannelReport(period=PERIOD, as_of=NOW, before_as_of=NOW, channels=[])
    channels = channel_files(a_report() if data else nothing, language, folder)
    charts = chart_files(drawn() if data else NOTHING, NOW, language, folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(channels.names + charts.names)
    assert channels.names[0] == "channels-2026-02-01-2026-02-28.html"
    assert list(charts.pictures) == ["chart-lead-times", "chart-holds", "chart-stock"]
    assert list(channels.pictures) == (["chart-radar-cny", "chart-radar-usd"] if data else [])
    for name in (*channels.pictures.values(), *charts.pictures.values()):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_page_fetches_nothing_and_runs_nothing(tmp_path: Path) -> None:
    done = channel_files(a_report(), "zh", ReportFolder(tmp_path))
    page = (tmp_path / done.names[0]).read_text()
    assert "<b>" not in page and "&lt;b&gt;$x$" in page, "a channel's name is a text"
    addresses = set(re.findall(r'(?:src|href)="([^"#][^"]*)"', page)) | set(
        re.findall(r"url\((?!#|data:font/woff)", page)
    )
    assert addresses == set() and "<script" not in page and "@import" not in page
    assert page.count("<svg") == 2 and 'lang="zh-CN"' in page and "无数据" in page


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        done = channel_files(a_report(), "en", ReportFolder(tmp_path / name))
        pages.append([(tmp_path / name / each).read_bytes() for each in done.names if not each.endswith(".xlsx")])
    assert pages[0] == pages[1]


def test_reasons_beyond_the_colours_are_one() -> None:
    day = PERIOD.first
    found = [HeldOn(day, str(reason), 30 - place, 1) for place, reason in enumerate(HoldReason)]
    reasons = _reasons(found, [day], 1, "en")
    assert len(HoldReason) > REASONS + 1 and len(reasons) == REASONS + 1 and reasons[-1].name == "others"
    assert sum(one.count for one in reasons) == sum(one.count for one in found)
    assert reasons[0].name == HOLD_LABELS[next(iter(HoldReason))].en
    seven = _reasons(found[: REASONS + 1], [day], 1, "zh")
    assert len(seven) == REASONS + 1 and "其他" not in {one.name for one in seven}, "one alone keeps its name"


def test_a_name_stays_on_its_line() -> None:
    assert printable("a\nb$c") == "a b\\$c" and len(printable("长" * 99)) == 28


def test_the_font_may_be_passed_on_and_is_there() -> None:
    assert FONT.stat().st_size < 2_000_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FONT.parent / "OFL.txt").read_text()


def test_who_does_not_draw_does_not_load_the_library() -> None:
    code = "import sys, flows.draw_charts, flows.report_channels, web.app; print('matplotlib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize(
    "name", ["../x.png", "a/b.png", ".x.png", "x.svg", "x.png\n", "X.png", "", "x.html.exe", "ä.png"]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = ReportFolder(tmp_path)
    assert folder.path(name) is None and folder.find(name) is None
    with pytest.raises(ReportNotWritten):
        folder.put(name, b"")


def test_old_reports_go_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    folder.put("new.png", b"1")
    for name in ("old.png", ".old.png.77", "notes.txt"):
        (tmp_path / name).write_bytes(b"2")
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "notes.txt")
    assert folder.find("new.png") == tmp_path / "new.png" and folder.find("link.png") is None
    past = datetime(2020, 1, 1, tzinfo=UTC)
    for name in ("old.png", ".old.png.77", "notes.txt"):
        os.utime(tmp_path / name, (past.timestamp(), past.timestamp()))
    assert folder.thin(past + timedelta(days=1)) == 3, "the link is a report's name, too: it goes, not what it leads to"
    assert {path.name for path in tmp_path.iterdir()} == {"new.png", "notes.txt"}
