"""How long a way takes: a histogram per row and way, with the percentiles that people promise by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from adapters.charts.drawing import BLACK, BLUE, GREY, RED, SKY, Picture, draw, nothing, printable

MOST: Final = 6
Dashes: TypeAlias = Literal["-"] | tuple[float, Sequence[float]]
MARKS: Final[tuple[tuple[float, str, Dashes], ...]] = (
    (0.5, "P50", "-"),
    (0.9, "P90", (0, (5, 2))),
    (0.95, "P95", (0, (1, 1.5))),
)
"""Percentile, its name, its dashes."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One way of one row. `counts` are of equal bins from 0 to `end`; the last one also holds all that took longer.
    `marks` are at `MARKS`; None: nothing to measure. Times in the unit of the way."""

    counts: Sequence[int]
    marks: tuple[float, float, float] | None

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Way:
    """A column: what is measured, in which unit, and where the axis ends."""

    name: str
    unit: str
    end: float
    spreads: Sequence[Spread]  # by row


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """`said`: what to call the number of orders, nothing to show, and the foot that says what the last bar holds."""

    title: str
    rows: Sequence[str]
    ways: Sequence[Way]
    count: str
    empty: str
    foot: str


def draw_lead_times(times: LeadTimes) -> Picture:
    """Up to `MOST` rows."""
    return draw(lambda: _lay_out(times), name="lead-times")


def _lay_out(times: LeadTimes) -> Figure:
    names = times.rows[:MOST]
    if not names:
        return nothing(times.title, times.empty)
    high = 1.5 + 2.0 * len(names)
    figure = Figure(figsize=(12, high))
    figure.suptitle(times.title, x=0.02, y=1 - 0.15 / high, ha="left", va="top", fontsize=14)
    grid = figure.subplots(
        len(names), len(times.ways), squeeze=False, sharex="col",
        gridspec_kw={"left": 0.075, "right": 0.98, "top": 1 - 0.95 / high, "bottom": 1.0 / high, "hspace": 0.5,
                     "wspace": 0.16},
    )  # fmt: skip
    for across, way in enumerate(times.ways):
        for down, name in enumerate(names):
            axes: Axes = grid[down][across]
            spread = way.spreads[down] if down < len(way.spreads) else Spread((), None)
            _histogram(axes, times, way, printable(name), spread)
        grid[-1][across].set_xlabel(f"{way.name} ({way.unit})")
    lines = [Line2D([], [], color=RED, linestyle=dashes, linewidth=1.8) for _, _, dashes in MARKS]
    names_of = [name for _, name, _ in MARKS]
    figure.legend(lines, names_of, loc="lower right", ncols=3, bbox_to_anchor=(0.98, 0.08 / high), frameon=False)
    figure.text(0.02, 0.14 / high, times.foot, fontsize=8.5, color=GREY, va="bottom")
    return figure


def _histogram(axes: Axes, times: LeadTimes, way: Way, name: str, spread: Spread) -> None:
    said = times.empty
    if spread.marks is not None and spread.count:
        width = way.end / len(spread.counts)
        places = [width * place for place in range(len(spread.counts))]
        axes.bar(places, spread.counts, width=width, align="edge", color=SKY, edgecolor="white", linewidth=0.4)
        axes.patches[-1].set(facecolor="white", edgecolor=BLUE, hatch="////")
        for at, (_, _, dashes) in zip(spread.marks, MARKS, strict=True):
            axes.axvline(min(at, way.end), color=RED, linestyle=dashes, linewidth=1.8)
        marks = " · ".join(f"{word} {at:.1f}" for at, (_, word, _) in zip(spread.marks, MARKS, strict=True))
        said = f"{marks} {way.unit} · {times.count} {spread.count:,}"
    axes.set_title(f"{name}  ", loc="left", fontsize=11, color=BLACK)
    axes.set_title(said, loc="right", fontsize=9, color=BLACK if spread.count else GREY)
    axes.set_xlim(0, way.end)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True) if spread.count else NullLocator())
    axes.set_ylabel(times.count, fontsize=9)
