"""Stock over the days against the line below which somebody has to know: a panel per SKU and warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adapters.charts.drawing import BLUE, ORANGE, RED, Picture, draw, nothing, printable

MOST: Final = 12


@dataclass(frozen=True, slots=True)
class StockLine:
    """Pieces at the end of days; of a day that nobody noted there is nothing. `lines`: the safety line of each day."""

    title: str
    days: Sequence[date]
    on_hand: Sequence[int]
    to_promise: Sequence[int]
    lines: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class StockLines:
    title: str
    panels: Sequence[StockLine]
    names: tuple[str, str, str]  # on hand, to promise, safety line
    pieces: str
    empty: str


def draw_stock_lines(stock: StockLines) -> Picture:
    """Up to `MOST` panels, four in a row."""
    return draw(lambda: _lay_out(stock), name="stock-lines")


def _lay_out(stock: StockLines) -> Figure:
    panels = stock.panels[:MOST]
    if not panels:
        return nothing(stock.title, stock.empty)
    across = min(4, len(panels))
    down = ceil(len(panels) / across)
    high = 1.5 + 2.5 * down
    figure = Figure(figsize=(13, high))
    figure.suptitle(stock.title, x=0.02, y=1 - 0.15 / high, ha="left", va="top", fontsize=14)
    room = figure.add_gridspec(
        down, across, left=0.06, right=0.985, top=1 - 0.95 / high, bottom=0.95 / high, wspace=0.26, hspace=0.55
    )
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(room[divmod(place, across)])
        _panel(axes, panel)
        if place % across == 0:
            axes.set_ylabel(stock.pieces)
    figure.legend(
        handles=figure.axes[0].get_lines()[:3], labels=list(stock.names), loc="lower left", ncols=3,
        bbox_to_anchor=(0.05, 0.08 / high), frameon=False,
    )  # fmt: skip
    return figure


def _panel(axes: Axes, panel: StockLine) -> None:
    days = [float(date2num(day)) for day in panel.days]
    line = [float("nan") if one is None else float(one) for one in panel.lines]
    dot = "o" if len(days) < 15 else None
    axes.plot(days, panel.on_hand, color=ORANGE, linewidth=1.6, linestyle=(0, (5, 1.5)), marker=dot, markersize=3)
    axes.plot(days, panel.to_promise, color=BLUE, linewidth=2.0, marker=dot, markersize=4)
    axes.plot(days, line, color=RED, linewidth=1.5, linestyle=(0, (2, 1)), drawstyle="steps-mid",
              marker="_" if len(days) == 1 else None, markersize=10)  # fmt: skip
    below = [one is not None and has < one for has, one in zip(panel.to_promise, panel.lines, strict=True)]
    axes.fill_between(days, panel.to_promise, line, where=below, color=RED, alpha=0.22, linewidth=0)
    axes.set_title(printable(panel.title), fontsize=10)
    axes.set_ylim(0, max(1.0, *panel.on_hand, *(one or 0 for one in panel.lines)) * 1.12)
    axes.set_xlim(days[0] - 0.5, max(days[-1] + 0.5, days[0] + 6.5))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    where = AutoDateLocator(minticks=2, maxticks=4)
    axes.xaxis.set_major_locator(where)
    axes.xaxis.set_major_formatter(DateFormatter("%m-%d"))
    axes.tick_params(labelsize=8.5)
