"""Writing tables into a workbook, for people who calculate with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell
from openpyxl.utils import get_column_letter

from adapters.files.cells import FORMULA_SIGNS
from adapters.files.errors import FileError
from ballast.domain.money import MINOR_DIGITS, Money

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

WIDEST, NARROWEST = 60, 9
"""Of a column, in characters."""


class Share(float):
    """A part of one, shown in per cent."""


Value: TypeAlias = str | Money | Share | int | float | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a workbook: its title is the name of the tab."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]


def write_table(path: Path, title: str, columns: Sequence[str], table: Iterable[Sequence[Value]]) -> None:
    """One sheet with a head row; amounts are numbers, every text stays a text. Raises `FileError`."""
    write_book(path, [Sheet(title, columns, [*table])])


def write_book(path: Path, sheets: Sequence[Sheet]) -> None:
    """Several sheets, likewise. Raises `FileError`."""
    if path.suffix.lower() != ".xlsx":
        raise FileError(f"{path}: a workbook's name ends with .xlsx")
    try:
        with path.open("wb") as handle:  # before a sheet is begun: openpyxl cannot leave one unfinished
            book = Workbook(write_only=True)
            for table in sheets:
                _write_sheet(book, table)
            book.save(handle)
    except OSError as wrong:
        raise FileError(f"{path}: the workbook cannot be written: {wrong.strerror}") from None


def _write_sheet(book: Workbook, table: Sheet) -> None:
    sheet = book.create_sheet(table.title)
    sheet.freeze_panes = "A2"
    for place, name in enumerate(table.columns):
        longest = max((_width(row[place]) for row in (*table.rows[:200],)), default=0)
        sheet.column_dimensions[get_column_letter(place + 1)].width = min(WIDEST, max(NARROWEST, longest, _width(name)))
    for values in (table.columns, *table.rows):
        sheet.append([_cell(sheet, value) for value in values])


def _width(value: Value) -> int:
    """Room that a cell takes: a Chinese letter is two wide."""
    return 2 + sum(1 if letter.isascii() else 2 for letter in str("" if value is None else value))


def _cell(sheet: "WriteOnlyWorksheet", value: Value) -> object:
    if isinstance(value, Money):
        cell = WriteOnlyCell(sheet)
        cell.value = Decimal(value.major())
        cell.number_format = f'{Decimal(0).scaleb(-MINOR_DIGITS[value.currency])} "{value.currency}"'
        return cell
    if isinstance(value, Share):
        share = WriteOnlyCell(sheet, float(value))
        share.number_format = "0.0%"
        return share
    if isinstance(value, int | float):
        return value
    if value is None:
        return None
    text = ILLEGAL_CHARACTERS_RE.sub("", value.encode("utf-8", "backslashreplace").decode())
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"  # openpyxl takes `=...` for a formula
    cell.quotePrefix = text.startswith(FORMULA_SIGNS)  # and so would a program in which the cell is edited
    return cell
