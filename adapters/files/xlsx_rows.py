"""Rows of an XLSX sheet, streamed. A workbook is a ZIP: its size is checked before it is unpacked."""

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from adapters.files.cells import Cell
from adapters.files.errors import FileError
from adapters.files.rows import Row
from adapters.files.xlsx_parts import check_parts

MOST_UNPACKED = 200 * 1024 * 1024
MOST_PART = 64 * 1024 * 1024
"""Of one sheet that is looked at as a whole."""
MOST_ROWS = 1_048_576
"""The rows that a sheet can have. A file may claim more, and each would cost a turn."""

_CORRUPT = (
    zipfile.BadZipFile, zlib.error, InvalidFileException, EOFError, OSError, KeyError, ValueError, TypeError,
    IndexError, AttributeError, SyntaxError, RuntimeError,
)  # fmt: skip
"""What openpyxl and the XML parser raise for a workbook that is not one (a ParseError is a SyntaxError, a part that is
encrypted a RuntimeError)."""


@contextmanager
def _sheet(path: Path, sheet: str | None) -> Iterator[Any]:
    """The sheet by its name, else the first one. Raises `FileError` for whatever is wrong with the workbook."""
    with ExitStack() as open_files:
        try:
            book = _open(path, open_files.enter_context(path.open("rb")))
        except _CORRUPT as wrong:
            raise _unreadable(path, wrong) from None
        open_files.callback(book.close)
        names = [each.title for each in book.worksheets]
        if not names or (sheet is not None and sheet not in names):
            raise FileError(f"{path.name} has no sheet {sheet!r}; its sheets are {', '.join(names) or 'none'}")
        yield book[sheet or names[0]]


def _unreadable(path: Path, wrong: Exception) -> FileError:
    return FileError(f"{path.name}: is not a readable XLSX workbook (protected, or an old .xls?): {wrong}")


def _open(path: Path, handle: BinaryIO) -> Workbook:
    """From a handle of ours: openpyxl leaves its own open when the workbook is broken."""
    with zipfile.ZipFile(handle) as archive:
        _check_size(path, archive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and drop-down lists, which are not read
        return load_workbook(handle, read_only=True, data_only=True, keep_links=False)


def _check(path: Path) -> None:
    """Before openpyxl holds any of it. Raises `FileError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(path, archive)
            check_parts(path, archive)
    except _CORRUPT as wrong:
        raise _unreadable(path, wrong) from None


def _check_size(path: Path, archive: zipfile.ZipFile) -> None:
    unpacked = sum(entry.file_size for entry in archive.infolist())  # zipfile unpacks no more than it says here
    if unpacked > MOST_UNPACKED:
        raise FileError(f"{path.name}: {unpacked // 2**20} MB unpacked, at most {MOST_UNPACKED // 2**20}: split it")


def _values(path: Path, sheet: str | None) -> Iterator[tuple[str, int, tuple[Cell, ...]]]:
    """(sheet, row number, cells) of every row. A sheet that claims to be larger than it is costs nothing."""
    with _sheet(path, sheet) as opened:
        opened.reset_dimensions()
        number = 0
        try:
            for number, cells in enumerate(opened.iter_rows(values_only=True), start=1):
                if number > MOST_ROWS:
                    raise FileError(f"{path.name}: sheet {opened.title} claims more rows than a sheet can have")
                yield opened.title, number, tuple(cells)
        except _CORRUPT as wrong:
            raise FileError(f"{path.name}: sheet {opened.title} cannot be read after row {number}: {wrong}") from None


def read_cells(path: Path, sheet: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """(row number, cells of openpyxl) of every row, of a workbook that was checked. Raises `FileError`."""
    with _sheet(path, sheet) as opened:
        opened.reset_dimensions()
        number = 0
        try:
            for number, cells in enumerate(opened.iter_rows(), start=1):
                if number > MOST_ROWS:
                    raise FileError(f"{path.name}: sheet {opened.title} claims more rows than a sheet can have")
                yield number, cells
        except _CORRUPT as wrong:
            raise FileError(f"{path.name}: sheet {opened.title} cannot be read after row {number}: {wrong}") from None


def read_part(path: Path, sheet: str) -> tuple[bytes, bool]:
    """The XML of a sheet of a workbook that was checked, for what openpyxl leaves out when it streams; and whether
    the sheet is hidden. Raises `FileError`."""
    with _sheet(path, sheet) as opened:
        try:
            with zipfile.ZipFile(path) as archive:
                name = opened._worksheet_path  # its only way from a sheet to its part
                if archive.getinfo(name).file_size > MOST_PART:
                    raise FileError(f"{path.name}: sheet {sheet} is larger than {MOST_PART // 2**20} MB")
                part = archive.read(name)
        except _CORRUPT as wrong:
            raise _unreadable(path, wrong) from None
        return part, opened.sheet_state != "visible"


def sheet_names(path: Path) -> list[str]:
    """The workbook's sheets, in their order. The workbook is checked first. Raises `FileError`."""
    _check(path)
    with _sheet(path, None) as opened:
        return [each.title for each in opened.parent.worksheets]


def read_header(path: Path, sheet: str | None) -> tuple[str, tuple[Cell, ...]]:
    """The sheet's name and the cells of its first row. The workbook is checked first, once. Raises `FileError`."""
    _check(path)
    for title, _, cells in _values(path, sheet):
        return title, cells
    raise FileError(f"{path.name}: sheet {sheet or 'one'} is empty")


def read_rows(path: Path, sheet: str, width: int) -> Iterator[Row]:
    """The rows after the header, filled up to its width. Raises `FileError`."""
    for title, number, cells in _values(path, sheet):
        if number > 1:
            beyond = "cells beyond the header" if any(cell is not None for cell in cells[width:]) else ""
            filled = cells[:width] + (None,) * (width - len(cells))
            yield Row(path.name, f"{title}!{number}", filled, beyond)
