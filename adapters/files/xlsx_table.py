"""Writing one table into a workbook, for people who calculate with it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell

from adapters.files.cells import FORMULA_SIGNS
from adapters.files.errors import FileError
from ballast.domain.money import MINOR_DIGITS, Money

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet


class Share(float):
    """A part of one, shown in per cent."""


Value: TypeAlias = str | Money | Share | int | float | None


def write_table(path: Path, title: str, columns: Sequence[str], table: Iterable[Sequence[Value]]) -> None:
    """One sheet with a head row; amounts are numbers, every text stays a text. Raises `FileError`."""
    if path.suffix.lower() != ".xlsx":
        raise FileError(f"{path}: a workbook's name ends with .xlsx")
    try:
        with path.open("wb") as handle:  # before a sheet is begun: openpyxl cannot leave one unfinished
            book = Workbook(write_only=True)
            sheet = book.create_sheet(title)
            sheet.freeze_panes = "A2"
            for values in (columns, *table):
                sheet.append([_cell(sheet, value) for value in values])
            book.save(handle)
    except OSError as wrong:
        raise FileError(f"{path}: the workbook cannot be written: {wrong.strerror}") from None


def _cell(sheet: "WriteOnlyWorksheet", value: Value) -> object:
    if isinstance(value, Money):
        cell = WriteOnlyCell(sheet)
        cell.value = Decimal(value.major())
        cell.number_format = f'{Decimal(0).scaleb(-MINOR_DIGITS[value.currency])} "{value.currency}"'
        return cell
    if isinstance(value, int | float):
        number = WriteOnlyCell(sheet, float(value) if isinstance(value, float) else value)
        number.number_format = "0.0%" if isinstance(value, Share) else "General"
        return number
    if value is None:
        return None
    text = ILLEGAL_CHARACTERS_RE.sub("", value.encode("utf-8", "backslashreplace").decode())
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"  # openpyxl takes `=...` for a formula
    cell.quotePrefix = text.startswith(FORMULA_SIGNS)  # and so would a program in which the cell is edited
    return cell
