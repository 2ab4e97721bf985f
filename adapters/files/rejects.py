"""The rejects file: what was left out, where it stands and why, for the person who mends it."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from adapters.files.cells import FORMULA_SIGNS, Cell
from adapters.files.errors import FileError
from adapters.files.rows import Problem

HEADER = ("file", "line", "column", "reason", "row")
MOST_CELL = 1000
MOST_ROW = 30_000  # a spreadsheet program cuts a cell of more than 32,767 characters
MOST_NAME = 64


class RejectsFile:
    """A CSV file that exists only when something was rejected. Readable by its owner only: it holds customers' data.

    The raw row is one JSON list, so that a spreadsheet program runs none of its cells as a formula.
    """

    def __init__(self, path: Path) -> None:
        """Removes the rejects of an earlier run. Raises `FileError` rather than touch a file that is none."""
        self.path = path
        self.count = 0
        self._handle: TextIO | None = None
        if path.exists():
            _check_ours(path)
            path.unlink()

    def add(self, problem: Problem, order_no: str = "") -> str:
        """Write one row; returns it as a line for people. `order_no` is the order that is left out because of it."""
        if self._handle is None:
            self._handle = self._create()
            csv.writer(self._handle).writerow(HEADER)
        row, order = problem.row, (order_no or problem.order_no)[:MOST_NAME]
        reason = (f"order {order} is left out: " if order else "") + problem.reason
        cells = json.dumps(list(_shown(row.cells)), ensure_ascii=False)
        values = [_printable(value) for value in (row.file, row.line, problem.column, reason, cells)]
        csv.writer(self._handle).writerow(values)
        self.count += 1
        column = f", column {values[2]}" if values[2] else ""
        return f"{values[0]} line {values[1]}{column}: {values[3]}"

    def _create(self) -> TextIO:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            return os.fdopen(opened, "w", encoding="utf-8-sig", newline="")
        except OSError as wrong:
            raise FileError(f"{self.path}: the rejects file cannot be written: {wrong.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.close()


def _shown(cells: Sequence[Cell]) -> Iterator[str | None]:
    """As many cells as one field of a CSV file can hold, each cut to its length; then how many more there are."""
    room = MOST_ROW
    for number, cell in enumerate(cells):
        shown = None if cell is None else str(cell)[:MOST_CELL]
        room -= len(shown or "") + 4  # quotes, comma, blank
        if room < 0:
            yield f"... and {len(cells) - number} cells more"
            return
        yield shown


def _printable(value: str) -> str:
    """Bytes that could not be decoded, and other surrogates, as escapes; nothing that begins a formula."""
    text = value.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _check_ours(path: Path) -> None:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as handle:
            first = handle.readline(100).strip()
    except OSError as wrong:
        raise FileError(f"{path}: cannot be used for the rejects: {wrong.strerror}") from None
    if first != ",".join(HEADER):
        raise FileError(f"{path.name} exists and holds no rejects: name another file with --rejects")
