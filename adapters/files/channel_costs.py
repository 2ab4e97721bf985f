"""What channels cost, from the files that advertising accounts hand out: one row per channel and day."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from adapters.files.cells import Cell, CellError, is_empty, read_money, read_text, show
from adapters.files.errors import FileError, check_size
from adapters.files.mapping import FormatRules, MoneyRules, Section, read_as
from adapters.files.rows import Problem, Row
from adapters.files.tables import Table, open_table
from ballast.domain.channels import Cost
from ballast.domain.money import MINOR_DIGITS

MOST_BYTES: Final = 50 * 2**20
MOST_WORD: Final = 80
NAMES: Final = {
    "channel": ("channel", "渠道"),
    "day": ("day", "date", "日期"),
    "amount": ("amount", "cost", "金额", "消耗", "费用"),
    "currency": ("currency", "币种"),
    "source": ("source", "来源"),
}
"""Columns that are found without a mapping, the first name that is there."""
NEEDED: Final = ("channel", "day", "amount")
_DAY: Final = re.compile(r"([0-9]{4})[-/.]?([0-9]{1,2})[-/.]?([0-9]{1,2})", re.ASCII)


class CostMapping(Section):
    """Which column means what. `channels`: their name of a channel -> ours; what is not in it stays as it is."""

    fields = frozenset(NAMES)
    sheet: str | None = None
    channels: dict[str, str] = Field(default_factory=dict)
    money: MoneyRules = MoneyRules(unit="yuan")
    format: FormatRules = FormatRules()

    @model_validator(mode="after")
    def _is_complete(self) -> "CostMapping":
        for name in NEEDED:
            if not self.knows(name):
                raise ValueError(f"columns.{name}: name the column, or a default")
        return self


def read_cost_mapping(path: Path) -> CostMapping:
    """Raises `MappingError`."""
    return read_as(path, CostMapping)


@dataclass(slots=True)
class CostFile:
    """One file of costs. Without a mapping its columns are found by their names."""

    path: Path
    mapping: CostMapping
    table: Table
    _seen: dict[tuple[str, date, str], str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, mapping: CostMapping | None) -> "CostFile":
        """Raises `FileError`."""
        check_size(path, MOST_BYTES, "a file of costs")
        sheet, rules = (mapping.sheet, mapping.format) if mapping else (None, FormatRules())
        table = open_table(path, sheet, rules, list(mapping.columns.values()) if mapping else [])
        return cls(path, mapping or _by_names(table), table)

    def costs(self, today: date) -> Iterator[Cost | Problem]:
        """Every row: what it says, or why it says nothing. A cost of a day that has not come yet is a slip."""
        for row in self.table.rows():
            if row.problem:
                yield Problem(row=row, column="", reason=row.problem)
                continue
            try:
                yield self._cost(row, today)
            except _WrongCell as wrong:
                column = self.mapping.columns.get(wrong.field, "")
                yield Problem(row=row, column=column, reason=wrong.reason)

    def _cost(self, row: Row, today: date) -> Cost:
        read = _Reader(row, self.table, self.mapping)
        said = read.word("channel")
        currency = read.word("currency", self.mapping.money.currency)
        if currency not in MINOR_DIGITS:
            raise _WrongCell("currency", f"{show(currency)} is unknown, known are {', '.join(sorted(MINOR_DIGITS))}")
        cost = Cost(
            channel=self.mapping.channels.get(said, said),
            day=read.day(today),
            source=read.word("source", "file"),
            amount=read.amount(currency),
            currency=currency,
        )
        first = self._seen.setdefault((cost.channel, cost.day, cost.source), row.line)
        if first != row.line:
            raise _WrongCell(
                "day", f"line {first} has this channel, day and source already: add them up, or say sources"
            )
        return cost


class _WrongCell(Exception):
    """This field of a row cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class _Reader:
    """The fields of one row, each read or refused."""

    row: Row
    table: Table
    mapping: CostMapping

    def word(self, name: str, otherwise: str | None = None) -> str:
        """A text on one line; `otherwise` where the cell is empty."""
        try:
            text = read_text(self._cell(name), self.mapping.format.encoding)
        except CellError as wrong:
            raise _WrongCell(name, str(wrong)) from None
        if not text and otherwise is None:
            raise _WrongCell(name, "is empty")
        if len(text) > MOST_WORD or not text.isprintable():
            raise _WrongCell(name, f"is longer than {MOST_WORD} characters, or holds line breaks")
        return text or otherwise or ""

    def amount(self, currency: str) -> int:
        rules = self.mapping.money.model_copy(update={"currency": currency})
        try:
            amount = read_money(self._filled("amount"), rules, self.mapping.format.decimal)
        except CellError as wrong:
            raise _WrongCell("amount", str(wrong)) from None
        if amount < 0:
            raise _WrongCell("amount", "is negative: take what was given back off the day on which it was spent")
        return amount

    def day(self, today: date) -> date:
        cell = self._filled("day")
        try:
            day = _read_day(cell)
        except (CellError, ValueError):
            raise _WrongCell("day", f"{show(cell)} is no day: write it as 2026-01-31") from None
        if day > today:
            raise _WrongCell("day", f"{day} has not come yet")
        return day

    def _filled(self, name: str) -> Cell:
        cell = self._cell(name)
        if is_empty(cell):
            raise _WrongCell(name, "is empty")
        return cell

    def _cell(self, name: str) -> Cell:
        column = self.mapping.columns.get(name)
        cell = None if column is None else self.row.cells[self.table.header[column]]
        return self.mapping.defaults.get(name) if is_empty(cell) else cell


def _read_day(cell: Cell) -> date:
    """Raises ValueError: no day, or a time of day with it, which may be of another zone."""
    if isinstance(cell, datetime):
        if cell.time() != datetime.min.time():
            raise ValueError("a time of day")
        return cell.date()
    if isinstance(cell, date):
        return cell
    found = _DAY.fullmatch(read_text(cell))
    if found is None:
        raise ValueError("not a day")
    return date(int(found[1]), int(found[2]), int(found[3]))


def _by_names(table: Table) -> CostMapping:
    there = {name.lower(): name for name in table.header}
    columns = {
        field: there[found] for field, names in NAMES.items() if (found := next((n for n in names if n in there), ""))
    }
    if missing := [field for field in NEEDED if field not in columns]:
        wanted = "; ".join(f"{field}: {', '.join(NAMES[field])}" for field in missing)
        raise FileError(f"{table.name}: no column is called {wanted}. Rename it, or say with --mapping which one it is")
    return CostMapping(columns=columns)
