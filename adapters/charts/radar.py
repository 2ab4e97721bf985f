"""Several things on the same axes, each in a picture of its own: this period over the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, pi
from typing import Final

from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes

from adapters.charts.drawing import BLUE, GREY, RED, Picture, draw, printable

MOST: Final = 9
"""Panels that a page can show and people can read."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Scores are 0 to 100, further out is better; None: no data. `said` is what stands at the end of each axis."""

    title: str
    now: Sequence[float | None]
    before: Sequence[float | None]
    said: Sequence[str]


@dataclass(frozen=True, slots=True)
class Radar:
    """`axes` names each ray; `periods` the outlines, the one before last; `rule` says what 0 and 100 mean."""

    title: str
    axes: Sequence[str]
    panels: Sequence[Panel]
    periods: tuple[str, str]
    rule: str


def draw_radar(radar: Radar) -> Picture:
    """Up to `MOST` panels, three in a row."""
    return draw(lambda: _lay_out(radar), name="radar")


def _lay_out(radar: Radar) -> Figure:
    panels = radar.panels[:MOST]
    across = min(3, max(1, len(panels)))
    down = max(1, ceil(len(panels) / across))
    high = 1.45 + 3.75 * down
    figure = Figure(figsize=(max(4.4 * across, 9.2), high))
    figure.suptitle(radar.title, x=0.02, y=1 - 0.15 / high, ha="left", va="top", fontsize=14)
    room = figure.add_gridspec(
        down, across, left=0.09, right=0.91, top=1 - 1.3 / high, bottom=1.2 / high, wspace=0.5, hspace=0.62
    )
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(room[divmod(place, across)], projection="polar")
        assert isinstance(axes, PolarAxes)
        _panel(axes, radar, panel)
    if panels:
        figure.legend(
            handles=figure.axes[0].get_lines()[:2], labels=list(radar.periods), loc="lower left", ncols=2,
            bbox_to_anchor=(0.02, 0.42 / high), frameon=False, borderaxespad=0.0,
        )  # fmt: skip
    figure.text(0.02, 0.12 / high, radar.rule, fontsize=8.5, color=GREY, va="bottom")
    return figure


def _panel(axes: PolarAxes, radar: Radar, panel: Panel) -> None:
    angles = [2 * pi * place / len(radar.axes) for place in range(len(radar.axes))]
    axes.set_theta_offset(pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 100)
    axes.set_axisbelow(False)  # the numbers of the rings stay readable on the area
    axes.set_yticks([25, 50, 75, 100], labels=["25", "50", "75", "100"], fontsize=7.5, color=GREY)
    axes.set_rlabel_position(180 / len(radar.axes))
    axes.set_xticks(angles, labels=[])
    axes.spines["polar"].set_color("#BBBBBB")
    axes.set_title(printable(panel.title), loc="center", pad=34, fontsize=13)
    _outline(axes, angles, panel.now, color=BLUE, dashes="-", mark="o", width=2.2)
    _outline(axes, angles, panel.before, color=RED, dashes=(0, (4, 2)), mark="^", width=1.6)
    if all(score is not None for score in panel.now):
        axes.fill(angles, [score or 0 for score in panel.now], color=BLUE, alpha=0.15, linewidth=0)
    for angle, name, said in zip(angles, radar.axes, panel.said, strict=True):
        side = "center" if angle % pi < 0.01 or pi - angle % pi < 0.01 else "left" if angle < pi else "right"
        up = "bottom" if angle < 0.01 else "top" if abs(angle - pi) < 0.01 else "center"
        axes.text(angle, 108, f"{name}\n{said}", ha=side, va=up, fontsize=9, linespacing=1.25)


def _outline(
    axes: PolarAxes,
    angles: Sequence[float],
    scores: Sequence[float | None],
    *,
    color: str,
    dashes: str | tuple[int, tuple[int, int]],
    mark: str,
    width: float,
) -> None:
    """A closed line; where there is no data it has a gap."""
    around = [float("nan") if score is None else score for score in (*scores, scores[0])]
    axes.plot(
        [*angles, angles[0]], around, color=color, linestyle=dashes, linewidth=width, marker=mark, markersize=5,
        clip_on=False, zorder=3,
    )  # fmt: skip
