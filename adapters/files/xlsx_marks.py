"""What a sheet hides from who streams its values: merged cells, hidden rows and columns, formulas without a value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from openpyxl.utils import get_column_letter
from openpyxl.xml.constants import SHEET_MAIN_NS

from adapters.files.errors import FileError

MOST: Final = 1_000
"""Of each kind that are kept; nobody reads more."""
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


@dataclass(slots=True)
class Marks:
    """`without_value`: cells such as F7 with a formula that was never calculated."""

    merged: list[str] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: list[str] = field(default_factory=list)
    without_value: set[str] = field(default_factory=set)


def read_marks(xml: bytes, what: str) -> Marks:
    """`what`: the sheet, for a `FileError` when this is no XML."""
    marks = Marks()
    parser = expat.ParserCreate(namespace_separator=" ")
    look = _Look(marks)
    parser.StartElementHandler, parser.EndElementHandler = look.start, look.end
    parser.CharacterDataHandler = look.text
    try:
        parser.Parse(xml, True)  # the last piece
    except expat.ExpatError as wrong:
        raise FileError(f"{what} cannot be read: {wrong}") from None
    return marks


class _Look:
    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._row = self._column = 0
        self._has_formula = self._has_value = self._in_value = False

    def start(self, tag: str, told: Mapping[str, str]) -> None:
        name = tag.removeprefix(f"{SHEET_MAIN_NS} ")
        if name == "c":
            self._begin_cell(told.get("r", ""))
        elif name == "f":
            self._has_formula = True
        elif name in ("v", "is"):
            self._in_value = True
        elif name == "row":
            self._begin_row(told)
        elif name == "mergeCell" and len(self._marks.merged) < MOST:
            self._marks.merged.append(told.get("ref", "?"))
        elif name == "col" and _is_true(told.get("hidden")):
            self._hide_columns(told.get("min", "1"), told.get("max", "1"))

    def text(self, _: str) -> None:
        self._has_value = self._has_value or self._in_value  # an empty `v` is no value

    def end(self, tag: str) -> None:
        if tag in (f"{SHEET_MAIN_NS} v", f"{SHEET_MAIN_NS} is"):
            self._in_value = False
        if tag != f"{SHEET_MAIN_NS} c" or not self._has_formula or self._has_value:
            return
        if len(self._marks.without_value) < MOST:
            self._marks.without_value.add(f"{get_column_letter(self._column)}{self._row}")

    def _begin_row(self, told: Mapping[str, str]) -> None:
        said = told.get("r", "")
        self._row = int(said) if said.isdecimal() else self._row + 1
        self._column = 0
        if _is_true(told.get("hidden")) and len(self._marks.hidden_rows) < MOST:
            self._marks.hidden_rows.append(self._row)

    def _begin_cell(self, reference: str) -> None:
        found = _REFERENCE.fullmatch(reference)
        self._column = _column_number(found[1]) if found else self._column + 1
        self._has_formula = self._has_value = False

    def _hide_columns(self, first: str, last: str) -> None:
        if first.isdecimal() and last.isdecimal():
            places = range(int(first), min(int(last), 16_384, int(first) + 100) + 1)
            self._marks.hidden_columns.extend(map(get_column_letter, places))


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _is_true(said: str | None) -> bool:
    return said in ("1", "true")
