"""A table of a file: its header, and its rows as often as they are asked for. CSV and XLSX look the same from here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.files import csv_rows, xlsx_rows
from adapters.files.cells import Cell, CellError, is_empty, read_text
from adapters.files.errors import FileError
from adapters.files.mapping import FormatRules
from adapters.files.rows import Row

DELIMITERS = (",", ";", "\t", "|")
MOST_NAME, MOST_NAMES = 40, 40
"""Characters of a column's name, and names, that an error message quotes."""


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is what people call it: the file, with the sheet. `header` says in which place a column stands."""

    name: str
    header: dict[str, int]
    read: Callable[[], Iterator[Row]]

    def rows(self) -> Iterator[Row]:
        """All rows after the header that hold anything, in the order of the file."""
        return (row for row in self.read() if row.problem or not all(map(is_empty, row.cells)))


def open_table(path: Path, sheet: str | None, rules: FormatRules, needed: Sequence[str]) -> Table:
    """Open a table that has the columns `needed`. Raises `FileError`."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return _open_xlsx(path, sheet, needed)
    if sheet is not None:
        raise FileError(f"{path.name} has no sheets, but the mapping names sheet {sheet!r}")
    return _open_csv(path, rules, needed)


def _open_csv(path: Path, rules: FormatRules, needed: Sequence[str]) -> Table:
    candidates = [rules.delimiter] if rules.delimiter else DELIMITERS
    headers = {each: csv_rows.read_header(path, rules.encoding, each) for each in candidates}
    fitting = [each for each in candidates if set(needed) <= set(_names(headers[each]))]
    best = fitting[0] if fitting else max(candidates, key=lambda each: len(headers[each]))
    header = _header(path.name, headers[best], needed)
    width = len(headers[best])
    return Table(path.name, header, lambda: csv_rows.read_rows(path, rules.encoding, best, width))


def _open_xlsx(path: Path, sheet: str | None, needed: Sequence[str]) -> Table:
    found, cells = xlsx_rows.read_header(path, sheet)
    header = _header(f"{path.name}, sheet {found}", cells, needed)
    return Table(path.name, header, lambda: xlsx_rows.read_rows(path, found, len(cells)))


def _names(cells: Sequence[Cell]) -> list[str]:
    """Column names as the mapping writes them; a cell that cannot be one is no column."""
    return [_name(cell) for cell in cells]


def _name(cell: Cell) -> str:
    try:
        return read_text(cell)
    except CellError:
        return ""


def _header(where: str, cells: Sequence[Cell], needed: Sequence[str]) -> dict[str, int]:
    names = _names(cells)
    there = ", ".join(name[:MOST_NAME] for name in names[:MOST_NAMES] if name) or "none"
    there += f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    if missing := sorted(set(needed) - set(names)):
        raise FileError(f"{where} has no column {', '.join(map(repr, missing))}; its columns are {there}")
    if double := sorted({name for name in needed if names.count(name) > 1}):
        raise FileError(f"{where} has the column {', '.join(map(repr, double))} more than once: which one is meant?")
    return {name: place for place, name in enumerate(names) if name}
