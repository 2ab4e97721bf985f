"""Rows of a CSV file with the line numbers of an editor. A broken row costs itself, not the rows after it."""

import csv
from collections import deque
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from adapters.files.cells import MOST_TEXT
from adapters.files.errors import FileError
from adapters.files.rows import Row

MOST_LINE = 1_000_000
"""Characters of one physical line; what is longer is cut and its row refused."""
MOST_RECORD = 2_000_000
"""Characters in which an open quote is looked for its end."""


class _Lines:
    """The physical lines, which the reader takes one by one; `taken` are those of the row that is being read."""

    def __init__(self, handle: TextIOWrapper) -> None:
        self._handle = handle
        self._again: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        return line

    def _read(self) -> str:
        line = self._handle.readline(MOST_LINE)
        rest = line
        while len(rest) == MOST_LINE and not rest.endswith(("\n", "\r")):
            rest = self._handle.readline(MOST_LINE)
        return line

    @property
    def cut(self) -> bool:
        return any(len(line) == MOST_LINE for line in self.taken)

    def end_quote(self) -> bool:
        """Take lines until the quotes are in pairs; False when that does not happen soon."""
        quotes = sum(line.count('"') for line in self.taken)
        size = sum(map(len, self.taken))
        while quotes % 2 and size < MOST_RECORD:
            line = next(self, "")
            quotes, size = quotes + line.count('"'), size + (len(line) or MOST_RECORD)
        return quotes % 2 == 0

    def give_back(self) -> None:
        """All lines but the first are read again, as rows of their own."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]


def _open(path: Path, encoding: str) -> TextIOWrapper:
    """Bytes that are not of the encoding become surrogates, so that they spoil one cell and not the file."""
    try:
        codec = "utf-8-sig" if encoding == "utf-8" else encoding
        return path.open(encoding=codec, errors="surrogateescape", newline="")
    except OSError as wrong:
        raise FileError(f"{path}: cannot be read: {wrong.strerror}") from None


def read_header(path: Path, encoding: str, delimiter: str) -> tuple[str, ...]:
    """The cells of the first row, read with this delimiter. Raises `FileError`."""
    with _open(path, encoding) as handle:
        try:
            cells = next(csv.reader(_Lines(handle), delimiter=delimiter), [])
        except (csv.Error, UnicodeError) as wrong:
            raise FileError(f"{path.name}: the header cannot be read as {encoding} text ({wrong})") from None
    if cells and cells[0].startswith("PK\x03\x04"):
        raise FileError(f"{path.name} is a workbook: give it the name it deserves (.xlsx)")
    return tuple(cells)


def read_rows(path: Path, encoding: str, delimiter: str, width: int) -> Iterator[Row]:
    """The rows after the header. Raises `FileError` when the file is not of this encoding at all."""
    with _open(path, encoding) as handle:
        lines = _Lines(handle)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            next(reader, None)
            while (row := _read_row(path.name, reader, lines, width, delimiter)) is not None:
                yield row
        except (UnicodeError, csv.Error) as wrong:
            raise FileError(f"{path.name}, line {lines.number + 1}: is not {encoding} text ({wrong})") from None


def _read_row(file: str, reader: Iterator[list[str]], lines: _Lines, width: int, delimiter: str) -> Row | None:
    lines.taken.clear()
    begin = lines.number + 1
    try:
        cells = next(reader)
    except StopIteration:
        return None
    except csv.Error as wrong:
        return _broken(file, begin, lines, delimiter, too_large="field larger" in str(wrong))
    problem = ""
    if lines.cut:
        problem = f"a line of more than {MOST_LINE} characters"
    elif cells and len(cells) != width:
        problem = f"{len(cells)} cells, but the header has {width}: a delimiter or a quote too many or too few"
    return Row(file, str(begin), tuple(cells), problem)


def _broken(file: str, begin: int, lines: _Lines, delimiter: str, *, too_large: bool) -> Row:
    """A large field that ends is one row. A quote that never closes is a slip: the lines after it are rows again.

    The cells are a guess, good enough to say which order the row names.
    """
    cells = tuple(cell.strip('" \r\n') for cell in lines.taken[0][:MOST_TEXT].split(delimiter))
    if too_large and lines.end_quote():
        return Row(file, str(begin), cells, f"a field is longer than 64 KB (lines {begin} to {lines.number})")
    lines.give_back()
    return Row(file, str(begin), cells, "a quotation mark is not closed, or stands in the wrong place")
