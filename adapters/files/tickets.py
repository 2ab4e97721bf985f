"""Tickets of customer service, and whose account customers are: one table each, row by row taken or refused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from pydantic import Field, field_validator

from adapters.files import csv_rows
from adapters.files.cells import Cell, CellError, is_empty, read_text, read_time, show
from adapters.files.errors import FileError, check_size
from adapters.files.mapping import FormatRules, Part, TimeRules, read_as
from adapters.files.rows import Problem, Row
from adapters.files.tables import DELIMITERS, Table, open_table
from ballast.domain.health import Severity, TicketKind
from ballast.ports.tickets import MOST_TEXT, Ticket

T = TypeVar("T", TicketKind, Severity)

MOST_BYTES: Final = 256 * 2**20
MOST_NUMBER: Final = 64
"""Characters of a number of theirs."""

TICKET_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "ticket_no": ("工单号", "工单编号"),
    "customer_no": ("客户编号", "客户号"),
    "order_no": ("订单号", "订单编号"),
    "kind": ("类型", "工单类型"),
    "severity": ("级别", "优先级"),
    "opened_at": ("创建时间", "提交时间"),
    "closed_at": ("关闭时间", "完结时间"),
    "text": ("内容", "描述"),
}
OWNER_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "customer_no": ("客户编号", "客户号"),
    "owner": ("负责人", "客户负责人"),
}
"""Our columns, and what a file may call them when no mapping says it."""

KINDS: Final[Mapping[str, TicketKind]] = {
    **{str(kind): kind for kind in TicketKind},
    "投诉": TicketKind.COMPLAINT,
    "咨询": TicketKind.QUESTION,
    "请求": TicketKind.REQUEST,
    "其他": TicketKind.OTHER,
}
SEVERITIES: Final[Mapping[str, Severity]] = {
    **{str(severity): severity for severity in Severity},
    "低": Severity.LOW,
    "普通": Severity.NORMAL,
    "中": Severity.NORMAL,
    "高": Severity.HIGH,
    "紧急": Severity.HIGH,
}
"""Words that need no mapping. Any other is refused: it is never guessed."""


class TicketMapping(Part):
    """What a file of tickets calls things. Every key may be left out."""

    source: str = Field(default="import", pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    sheet: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)  # ours -> theirs
    defaults: dict[str, str] = Field(default_factory=dict)  # for an empty cell, or where there is no column
    kinds: dict[str, str] = Field(default_factory=dict)  # theirs -> ours
    severities: dict[str, str] = Field(default_factory=dict)
    times: TimeRules = TimeRules(zone="Asia/Shanghai")
    format: FormatRules = FormatRules()

    @field_validator("columns", "defaults")
    @classmethod
    def _are_ours(cls, named: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(named) - set(TICKET_COLUMNS)):
            raise ValueError(f"{', '.join(unknown)}: no such field; the fields are {', '.join(TICKET_COLUMNS)}")
        return named

    @field_validator("kinds", "severities")
    @classmethod
    def _are_words(cls, named: dict[str, str]) -> dict[str, str]:
        known = {*TicketKind, *Severity}
        if unknown := sorted(set(named.values()) - known):
            words = f"kinds are {', '.join(TicketKind)}; severities are {', '.join(Severity)}"
            raise ValueError(f"{', '.join(unknown)}: no word of ours; {words}")
        return named


def read_ticket_mapping(path: Path | None) -> TicketMapping:
    """The mapping in a YAML file; without one, our own names. Raises `MappingError` that names every wrong key."""
    return read_as(path, TicketMapping) if path is not None else TicketMapping()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose account a customer is; an empty owner: nobody's."""

    customer_no: str
    owner: str


def read_tickets(path: Path, mapping: TicketMapping) -> Iterator[tuple[Row, Ticket] | Problem]:
    """The tickets of a file, one by one. Raises `FileError` when it cannot be used at all."""
    needed = [name for name in ("ticket_no", "kind", "opened_at") if name not in mapping.defaults]
    sheet = _open(path, TICKET_COLUMNS, needed, mapping)
    return _each(sheet, lambda row: _ticket(sheet, row))


def read_accounts(path: Path) -> Iterator[tuple[Row, Account] | Problem]:
    """Customers and their owners, one by one. Raises `FileError`."""
    sheet = _open(path, OWNER_COLUMNS, list(OWNER_COLUMNS), TicketMapping())
    return _each(
        sheet,
        lambda row: Account(customer_no=sheet.number(row, "customer_no", needed=True), owner=sheet.text(row, "owner")),
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """An open table. `columns`: ours -> theirs, of those that the file has."""

    table: Table
    columns: Mapping[str, str]
    mapping: TicketMapping

    def cell(self, row: Row, name: str) -> Cell:
        column = self.columns.get(name)
        found = None if column is None else row.cells[self.table.header[column]]
        return self.mapping.defaults.get(name) if is_empty(found) else found

    def text(self, row: Row, name: str) -> str:
        try:
            return read_text(self.cell(row, name), self.mapping.format.encoding)
        except CellError as wrong:
            raise self.wrong(row, name, str(wrong)) from None

    def number(self, row: Row, name: str, *, needed: bool = False) -> str:
        text = self.text(row, name)
        if needed and not text:
            raise self.wrong(row, name, "is empty")
        if len(text) > MOST_NUMBER or not text.isprintable():
            raise self.wrong(row, name, f"{show(text)} is no number: at most {MOST_NUMBER} characters, on one line")
        return text

    def time(self, row: Row, name: str) -> datetime | None:
        cell = self.cell(row, name)
        try:
            return None if is_empty(cell) else read_time(cell, self.mapping.times)
        except CellError as wrong:
            raise self.wrong(row, name, str(wrong)) from None

    def word(self, row: Row, name: str, own: Mapping[str, T], theirs: Mapping[str, str]) -> T:
        said = self.text(row, name)
        found = own.get(theirs.get(said, said.lower()))
        if found is None:
            raise self.wrong(row, name, f"{show(said)} is no word that we know: map it to one of {', '.join(own)}")
        return found

    def wrong(self, row: Row, name: str, reason: str) -> "_Refused":
        return _Refused(Problem(row=row, column=self.columns.get(name, name), reason=reason))


class _Refused(Exception):
    """A row that cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


def _ticket(sheet: _Sheet, row: Row) -> Ticket:
    opened_at, closed_at = sheet.time(row, "opened_at"), sheet.time(row, "closed_at")
    customer_no, order_no = sheet.number(row, "customer_no"), sheet.number(row, "order_no")
    if opened_at is None:
        raise sheet.wrong(row, "opened_at", "is empty")
    if closed_at is not None and closed_at < opened_at:
        raise sheet.wrong(row, "closed_at", "it was closed before it was opened")
    if not (customer_no or order_no):
        raise sheet.wrong(row, "customer_no", "names neither a customer nor an order: whose ticket is it?")
    severity = Severity.NORMAL
    if not is_empty(sheet.cell(row, "severity")):
        severity = sheet.word(row, "severity", SEVERITIES, sheet.mapping.severities)
    return Ticket(
        source=sheet.mapping.source,
        ticket_no=sheet.number(row, "ticket_no", needed=True),
        customer_no=customer_no,
        order_no=order_no,
        kind=sheet.word(row, "kind", KINDS, sheet.mapping.kinds),
        severity=severity,
        opened_at=opened_at,
        closed_at=closed_at,
        text=sheet.text(row, "text")[:MOST_TEXT],
    )


R = TypeVar("R", Ticket, Account)


def _each(sheet: _Sheet, read: Callable[[Row], R]) -> Iterator[tuple[Row, R] | Problem]:
    for row in sheet.table.rows():
        if row.problem:
            yield Problem(row=row, column="", reason=row.problem)
            continue
        try:
            yield row, read(row)
        except _Refused as refused:
            yield refused.problem


def _open(path: Path, known: Mapping[str, Sequence[str]], needed: Sequence[str], mapping: TicketMapping) -> _Sheet:
    """Columns as the mapping names them; those that it does not name, as we or a file in Chinese would."""
    check_size(path, MOST_BYTES, "a table")
    names = {name: (theirs,) if (theirs := mapping.columns.get(name)) else (name, *known[name]) for name in known}
    table = open_table(path, mapping.sheet, _rules(path, names, mapping.format), list(mapping.columns.values()))
    columns = {name: column for name, every in names.items() for column in every if column in table.header}
    if missing := [f"{name} ({known[name][0]})" for name in needed if name not in columns]:
        there = ", ".join(list(table.header)[:40])
        raise FileError(f"{table.name} has no column {', '.join(missing)}; its columns are {there}")
    return _Sheet(table, columns, mapping)


def _rules(path: Path, names: Mapping[str, Sequence[str]], rules: FormatRules) -> FormatRules:
    """With the delimiter by which the most of our columns are found, when the mapping names none."""
    if rules.delimiter is not None or path.suffix.lower() in (".xlsx", ".xlsm"):
        return rules
    every = {name for some in names.values() for name in some}
    best = max(DELIMITERS, key=lambda one: len({*csv_rows.read_header(path, rules.encoding, one)} & every))
    return rules.model_copy(update={"delimiter": best})
