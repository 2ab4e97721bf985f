"""A page that is one file: charts, tables and words, and nothing that is fetched from elsewhere."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from fontTools.subset import Options, Subsetter, load_font
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from adapters.charts.drawing import FONT, Picture


@dataclass(frozen=True, slots=True)
class Part:
    """A chart, a table, or both. A cell is what it says and, smaller, what stands below it."""

    title: str = ""
    picture: Picture | None = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[tuple[str, str]]] = ()
    notes: Sequence[str] = ()


def _font_for(text: str) -> str:
    """Our font cut down to what this page says, for browsers that have no Chinese one: some tens of kilobytes."""
    options = Options(flavor="woff", hinting=False, layout_features=[], notdef_outline=True)
    cut = io.BytesIO()
    with load_font(FONT, options) as font:
        subsetter = Subsetter(options)
        subsetter.populate(text="".join(letter for letter in set(text) if not letter.isascii()))
        subsetter.subset(font)
        font.recalcTimestamp = False  # the same page again is the same file
        font.save(cut)
    return base64.b64encode(cut.getvalue()).decode()


def make_page(title: str, made: str, parts: Sequence[Part], *, language: str) -> bytes:
    """HTML in UTF-8. Every text is escaped; only the pictures are put in as they are."""
    tongue = "zh-CN" if language == "zh" else "en"
    shown = {"title": title, "made": made, "parts": parts, "language": tongue}
    page = _template().render(**shown, font="")
    return _template().render(**shown, font=_font_for(page)).encode()


@cache
def _template() -> Template:
    loader = PackageLoader("adapters.charts", ".")
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return found.get_template("page.html")
