"""One look for every chart, and the two forms in which it is written.

The library is imported here only, and this module only by who draws: commands and workers do not pay for it.
"""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager

FONT: Final = Path(__file__).parent / "fonts" / "NotoSansSC-GB2312.otf"
"""A fresh machine has no Chinese font: without this one every Chinese word would be a row of boxes."""

BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222", "#767676",
)  # fmt: skip
"""Okabe and Ito's colours, told apart by every kind of eye; in print by their lightness, hatches and dashes."""
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY)
HATCHES: Final = ("", "////", "", "....", "\\\\\\\\", "", "xxxx")
DPI: Final = 144

_ONE_AT_A_TIME: Final = threading.Lock()
"""The library keeps its settings in the process."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart in both forms. `svg` stands in a page as it is; letters in it are outlines, so that no font is needed."""

    png: bytes
    svg: str


def draw(make: Callable[[], Figure], *, name: str) -> Picture:
    """Draw what `make` lays out. The same figures give the same bytes; `name` keeps the ids of several charts apart."""
    with _look(name):
        figure = make()
        FigureCanvasAgg(figure)
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    text = svg.getvalue()
    return Picture(png.getvalue(), text[text.index("<svg") :].strip())


@contextmanager
def _look(name: str) -> Iterator[None]:
    with _ONE_AT_A_TIME, mpl.rc_context(_settings(name)):
        yield


def _settings(name: str) -> Any:
    return {
        "font.family": [_font(), "DejaVu Sans"],
        "font.size": 10,
        "axes.unicode_minus": False,
        "axes.edgecolor": GREY,
        "axes.labelcolor": BLACK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#DDDDDD",
        "grid.linewidth": 0.6,
        "xtick.color": BLACK,
        "ytick.color": BLACK,
        "hatch.linewidth": 0.6,
        "figure.facecolor": "white",
        "svg.fonttype": "path",
        "svg.hashsalt": name,
    }


@cache
def _font() -> str:
    """The name under which the library knows our font."""
    fontManager.addfont(FONT)
    return str(FontProperties(fname=FONT).get_name())


def nothing(title: str, said: str) -> Figure:
    """A chart without figures: its title, and why there is nothing to see."""
    figure = Figure(figsize=(13, 1.7))
    figure.suptitle(title, x=0.02, y=0.9, ha="left", va="top", fontsize=14)
    figure.text(0.02, 0.28, said, color=GREY, fontsize=12)
    return figure


def printable(text: str) -> str:
    """A name that people gave, as a chart can show it: one line, no formula signs, not longer than there is room."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text).replace("$", r"\$")
    return shown if len(shown) <= MOST_LETTERS else shown[: MOST_LETTERS - 1] + "…"


MOST_LETTERS: Final = 28
