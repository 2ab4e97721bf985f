"""Why orders were held: by day, stacked by reason, and by reason in all."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adapters.charts.drawing import BLUE, HATCHES, SERIES, Picture, draw, nothing


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: how many began in each span of days; of all of them, how many still go on."""

    name: str
    counts: Sequence[int]
    open: int

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Holds:
    """Reasons with the most holds first, at most as many as there are colours. `spans`: the day each begins with."""

    title: str
    spans: Sequence[str]
    reasons: Sequence[Reason]
    by_day: str  # title of the left side
    by_reason: str  # and of the right one
    count: str
    still_open: str
    ended: str
    empty: str


def draw_holds(holds: Holds) -> Picture:
    """Two sides; the colours of the left one are named in its legend below."""
    return draw(lambda: _lay_out(holds), name="holds")


def _lay_out(holds: Holds) -> Figure:
    if not holds.reasons:
        return nothing(holds.title, holds.empty)
    figure = Figure(figsize=(13, 5.8))
    figure.suptitle(holds.title, x=0.02, y=0.975, ha="left", va="top", fontsize=14)
    left = figure.add_axes((0.055, 0.27, 0.49, 0.57))
    right = figure.add_axes((0.765, 0.27, 0.215, 0.57))
    left.set_title(holds.by_day)
    right.set_title(holds.by_reason)
    _stack(left, holds)
    _totals(right, holds)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.05, 0.02), ncols=4, frameon=False, fontsize=9)
    return figure


def _stack(axes: Axes, holds: Holds) -> None:
    places, below = list(range(len(holds.spans))), [0] * len(holds.spans)
    for reason, color, hatch in zip(holds.reasons, SERIES, HATCHES, strict=False):
        axes.bar(
            places, reason.counts, bottom=below, width=0.82, color=color, hatch=hatch, edgecolor="white",
            linewidth=0.5, label=reason.name,
        )  # fmt: skip
        below = [low + count for low, count in zip(below, reason.counts, strict=True)]
    step = max(1, -(-len(places) // 12))
    axes.set_xticks(places[::step], labels=list(holds.spans[::step]), rotation=0, fontsize=8.5)
    axes.set_ylabel(holds.count)
    axes.set_ylim(0, max(below) * 1.08)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(visible=False, axis="x")


def _totals(axes: Axes, holds: Holds) -> None:
    reasons = list(reversed(holds.reasons))
    places = list(range(len(reasons)))
    ended = [reason.count - reason.open for reason in reasons]
    axes.barh(places, ended, color=BLUE, height=0.62, label=holds.ended)
    axes.barh(
        places, [reason.open for reason in reasons], left=ended, color="white", edgecolor=BLUE, hatch="////",
        height=0.62, label=holds.still_open,
    )  # fmt: skip
    for place, reason in zip(places, reasons, strict=True):
        axes.annotate(
            f"{reason.count:,}", (reason.count, place), xytext=(4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(places, labels=[reason.name for reason in reasons], fontsize=9)
    axes.set_xlim(0, max(reason.count for reason in reasons) * 1.18)
    axes.set_xlabel(holds.count)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.2), ncols=2, frameon=False, fontsize=9)
