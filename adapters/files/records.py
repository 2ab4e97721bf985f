"""A row read by its section of the mapping: our fields instead of their columns, with defaults for what is empty."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, TypeVar

from adapters.files.cells import Cell, CellError, NoZone, is_empty, read_count, read_money, read_text, read_time
from adapters.files.errors import FileError
from adapters.files.mapping import FileMapping, Section
from adapters.files.rows import Problem, Row
from adapters.files.tables import Table

T = TypeVar("T")


class RowError(Exception):
    """A row that cannot be used, with its place and the reason."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Record:
    """One row. Every reading method returns None (text: "") for an empty cell without a default."""

    row: Row
    table: Table
    section: Section
    mapping: FileMapping

    def text(self, field: str) -> str:
        return self._read(field, lambda cell: read_text(cell, self.mapping.format.encoding)) or ""

    def needed(self, field: str) -> str:
        return self.text(field) or self._missing(field)

    def money(self, field: str) -> int | None:
        return self._read(field, lambda cell: read_money(cell, self.mapping.money, self.mapping.format.decimal))

    def needed_money(self, field: str) -> int:
        amount = self.money(field)
        return self._missing(field) if amount is None else amount

    def time(self, field: str) -> datetime | None:
        return self._read(field, lambda cell: read_time(cell, self.mapping.times))

    def count(self, field: str) -> int | None:
        return self._read(field, read_count)

    def needed_count(self, field: str) -> int:
        count = self.count(field)
        return self._missing(field) if count is None else count

    def cell(self, field: str) -> Cell:
        """The cell as it stands, or the mapping's default for it."""
        column = self.section.columns.get(field)
        found = None if column is None else self.row.cells[self.table.header[column]]
        return self.section.defaults.get(field) if is_empty(found) else found

    def wrong(self, field: str, reason: str) -> RowError:
        """What to raise when the value of this field cannot be used."""
        column = self.section.columns.get(field, "")
        from_default = field in self.section.defaults and (
            not column or is_empty(self.row.cells[self.table.header[column]])
        )
        source = f" (the mapping's default for {field})" if from_default else ""
        return RowError(Problem(row=self.row, column=column, reason=reason + source))

    def _read(self, field: str, read: Callable[[Cell], T]) -> T | None:
        cell = self.cell(field)
        try:
            return None if is_empty(cell) else read(cell)
        except NoZone as wrong:
            place = f"{self.row.file} line {self.row.line}, column {self.section.columns.get(field, field)}"
            raise FileError(f"{place}: {wrong}; say it with times.zone in the mapping or with --zone") from None
        except CellError as wrong:
            raise self.wrong(field, str(wrong)) from None

    def _missing(self, field: str) -> NoReturn:
        raise self.wrong(field, f"is empty, and the mapping has no default for {field}")
