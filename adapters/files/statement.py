"""Any provider's statement as CSV, by a mapping: which column means what, and which of their words is a refund.

A row that cannot be read is left out and named. The head is looked for: exports begin with lines about themselves.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from adapters.files.cells import CellError, is_empty, read_money, read_text, read_time
from adapters.files.mapping import FormatRules, MoneyRules, Part, TimeRules, read_as
from adapters.files.rows import Problem, Row
from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.payments import clean_transaction
from ballast.domain.statements import LineKind
from ballast.ports.statements import Statement, StatementLine, StatementRefused

FIELDS: Final = ("transaction_id", "amount", "at", "kind", "order_no", "refund_no", "fee", "said")
NEEDED: Final = ("transaction_id", "amount", "at")
MOST_PREAMBLE: Final = 50
"""Lines before the head in which an export may speak of itself."""
COMMENTS: Final = ("#", "`#")
MOST_BYTES: Final = 200_000_000
MOST_NUMBER: Final = 64
"""Characters of a transaction's number."""


class StatementMapping(Part):
    """The whole mapping file of a statement. Without a column `kind`, an amount below nothing is a refund."""

    provider: str
    account: str = ""
    columns: dict[str, str]
    kinds: dict[str, LineKind] = Field(default_factory=dict)
    money: MoneyRules
    times: TimeRules = TimeRules(zone="Asia/Shanghai")
    format: FormatRules = FormatRules()
    covers: tuple[LineKind, ...] = ()  # of which kinds it has every one; the others may stand elsewhere

    @field_validator("kinds", "covers", mode="before")
    @classmethod
    def _read_kinds(cls, named: object) -> object:
        """Strict models take enum members only; YAML has their names."""
        kinds = {str(kind): kind for kind in LineKind}
        words = [*named.values()] if isinstance(named, dict) else named if isinstance(named, list) else []
        if wrong := [word for word in words if word not in kinds]:
            raise ValueError(f"{wrong[0]!r} is no kind; kinds are {', '.join(kinds)}")
        if isinstance(named, dict):
            return {word: kinds[kind] for word, kind in named.items()}
        return tuple(kinds[kind] for kind in named) if isinstance(named, list) else named

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if unknown := sorted(set(self.columns) - set(FIELDS)):
            raise ValueError(f"columns: {', '.join(unknown)}: no such field; the fields are {', '.join(FIELDS)}")
        if missing := [name for name in NEEDED if name not in self.columns]:
            raise ValueError(f"columns.{missing[0]}: name the column")
        if ("kind" in self.columns) != bool(self.kinds):
            raise ValueError("kinds: a column `kind` and the meaning of its words go together")
        return self


def read_statement_mapping(path: Path) -> StatementMapping:
    """Read and check a mapping file. Raises `MappingError` that names every wrong key."""
    return read_as(path, StatementMapping)


def read_statement(name: str, raw: bytes, mapping: StatementMapping) -> tuple[Statement, list[Problem]]:
    """The statement, and the rows that could not be read. Raises `StatementRefused` when it is none by this mapping."""
    if len(raw) > MOST_BYTES:
        raise StatementRefused(f"{name}: larger than {MOST_BYTES // 1_000_000} MB: split it by day")
    lines: list[StatementLine] = []
    problems: list[Problem] = []
    for row, cells in _rows(name, _decode(name, raw, mapping.format.encoding), mapping):
        if row.problem:
            problems.append(Problem(row=row, column="", reason=row.problem))
            continue
        try:
            lines.append(_line(int(row.line), cells, mapping))
        except _WrongCell as wrong:
            problems.append(Problem(row=row, column=wrong.column, reason=wrong.reason))
    covers = frozenset(mapping.covers)
    return Statement(provider=mapping.provider, account=mapping.account, covers=covers, lines=tuple(lines)), problems


class _WrongCell(Exception):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def _decode(name: str, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as wrong:
        raise StatementRefused(
            f"{name}: byte {wrong.start} is not {encoding}: say format.encoding in the mapping (gb18030 for GBK)"
        ) from None


def _rows(name: str, text: str, mapping: StatementMapping) -> Iterator[tuple[Row, Mapping[str, str]]]:
    """The rows below the head, each with its cells by column. What is marked as a comment is no row."""
    delimiter = mapping.format.delimiter or ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    needed, head, before = set(mapping.columns.values()), None, 0
    try:
        for cells in reader:
            bare = [cell.strip().strip("`") for cell in cells]
            if head is None:
                head = bare if needed <= set(bare) else None
                before += 1
                if head is None and before > MOST_PREAMBLE:
                    break
            elif any(bare) and not cells[0].lstrip().startswith(COMMENTS):
                wrong = f"{len(cells)} cells, the head has {len(head)}" if len(cells) != len(head) else ""
                wrong = "holds a NUL character" if any("\0" in cell for cell in cells) else wrong
                row = Row(name, str(reader.line_num), tuple(cells), wrong)
                yield row, dict(zip(head, bare, strict=False))
    except csv.Error as wrong:
        raise StatementRefused(f"{name}, line {reader.line_num}: {wrong}") from None
    if head is None:
        raise StatementRefused(f"{name}: none of its first {before} lines has the columns {', '.join(sorted(needed))}")


def _line(place: int, cells: Mapping[str, str], mapping: StatementMapping) -> StatementLine:
    def text(field: str) -> str:
        column = mapping.columns.get(field)
        return cells[column] if column else ""

    def wrong(field: str, reason: object) -> _WrongCell:
        return _WrongCell(mapping.columns.get(field, ""), str(reason))

    fields = {field: text(field) for field in FIELDS}
    for field in NEEDED:
        if is_empty(fields[field]) and not (field == "transaction_id" and _kind(fields, 0, mapping) is LineKind.FEE):
            raise wrong(field, "is empty")
    if len(fields["transaction_id"]) > MOST_NUMBER:
        raise wrong("transaction_id", f"has more than {MOST_NUMBER} characters: is it a number?")
    try:
        amount = read_money(fields["amount"], mapping.money, mapping.format.decimal)
    except CellError as no:
        raise wrong("amount", no) from None
    kind = _kind(fields, amount, mapping)
    if kind is None:
        raise wrong("kind", f"{fields['kind']!r} is not in kinds of the mapping")
    if kind is LineKind.CHARGE and amount < 0:
        raise wrong("amount", f"{fields['amount']!r}: a charge is never below nothing")
    try:
        at = read_time(fields["at"], mapping.times)
    except CellError as no:
        raise wrong("at", no) from None
    try:
        fee = _fee(fields["fee"], mapping)
    except CellError as no:
        raise wrong("fee", no) from None
    return StatementLine(
        line_no=place, kind=kind, transaction_id=clean_transaction(read_text(fields["transaction_id"])),
        amount=Money(abs(amount), mapping.money.currency), at=at, order_no=fields["order_no"][:MOST_NUMBER],
        refund_no=fields["refund_no"][:MOST_NUMBER], fee=fee, said=fields["said"][:64],
    )  # fmt: skip


def _kind(fields: Mapping[str, str], amount: int, mapping: StatementMapping) -> LineKind | None:
    if mapping.kinds:
        return mapping.kinds.get(fields["kind"])
    return LineKind.REFUND if amount < 0 else LineKind.CHARGE


def _fee(text: str, mapping: StatementMapping) -> int:
    """Thousandths of the minor unit. Providers keep fractions of a cent."""
    if is_empty(text):
        return 0
    digits = 0 if mapping.money.minor else MINOR_DIGITS[mapping.money.currency]
    sign, plain = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, part = plain.replace(mapping.format.decimal, ".").partition(".")
    if (
        not (whole + part).isascii()
        or not (whole + part).isdigit()
        or len(part.rstrip("0")) > digits + 3
        or len(whole) > 12
    ):
        raise CellError(f"{text!r} is not a fee")
    return sign * int((whole or "0") + part[: digits + 3].ljust(digits + 3, "0"))
