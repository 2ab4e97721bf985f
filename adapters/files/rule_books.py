"""Reading a book of rules: a workbook, a decision model (JDM) or YAML, each with the place of every cell."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from openpyxl.utils import get_column_letter

from adapters.files import xlsx_rows
from adapters.files.errors import FileError, check_size
from adapters.files.rule_book_jdm import read_jdm
from adapters.files.rule_book_out import write_rule_file
from adapters.files.xlsx_marks import Marks, read_marks
from ballast.domain.findings import Finding, Level
from ballast.rules.book_yaml import read_yaml_book
from ballast.rules.cells import Broken
from ballast.rules.columns import Kind, SheetPlan
from ballast.rules.entries import RulesError
from ballast.rules.sheet_plans import find_sheet, guess_kinds
from ballast.rules.written import (
    MOST_BYTES,
    MOST_ROWS,
    Header,
    WrittenBook,
    WrittenRow,
    read_header,
    sheet_names,
    unknown_sheet,
)

__all__ = ["read_rule_file", "write_rule_file"]

ABOUT: Final = ("about", "关于")
HELP: Final = ("help", "说明")
_KIND_NAMES: Final = ("kind", "类型")
_BASE_NAMES: Final = ("base version", "基于版本")
_MOST_ABOUT: Final = 50
_MOST_COLUMNS: Final = 500


def read_rule_file(path: Path, kind: Kind | None = None) -> WrittenBook:
    """Read a file by its ending. `kind`: what it has to hold; else it says so itself. Raises `FileError` when it
    cannot be used at all; what is wrong with single cells comes with the book."""
    readers: dict[str, Callable[[Path, Kind | None], WrittenBook]] = {
        ".xlsx": _read_xlsx, ".xlsm": _read_xlsx, ".json": read_jdm, ".yaml": _read_yaml, ".yml": _read_yaml,
    }  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is None:
        old = ": save it as .xlsx" if path.suffix.lower() in (".xls", ".csv", ".et") else ""
        raise FileError(f"{path.name}: a book of rules ends with .xlsx, .json or .yaml{old}")
    check_size(path, MOST_BYTES, "a book of rules")
    return reader(path, kind)


def _read_yaml(path: Path, kind: Kind | None) -> WrittenBook:
    try:
        return read_yaml_book(path, kind)
    except RulesError as wrong:
        raise FileError(str(wrong)) from None


# -- workbooks -----------------------------------------------------------------------------------------------------


def _read_xlsx(path: Path, asked: Kind | None) -> WrittenBook:
    titles = xlsx_rows.sheet_names(path)
    told = _read_about(path, titles)
    book = WrittenBook(_kind(path, titles, told, asked), path.name, _base(path, told), {})
    found: dict[str, list[WrittenRow]] = {}
    headers: dict[str, dict[str, str]] = {}
    for title in titles:
        if title.strip().casefold() in (*ABOUT, *HELP):
            continue
        plan = find_sheet(book.kind, title)
        if plan is None:
            book.findings.append(unknown_sheet(book.kind, title))
        elif plan.name in found:
            raise FileError(f"{path.name}: the sheet {plan.name} {plan.chinese} is there twice: which one is meant?")
        else:
            found[plan.name], headers[plan.name] = _read_sheet(path, title, plan, book.findings)
    book.sheets, book.headers = found, headers
    return book


def _read_about(path: Path, titles: Sequence[str]) -> dict[str, str]:
    """What the workbook says of itself: name in column A, value in column B."""
    sheet = next((title for title in titles if title.strip().casefold() in ABOUT), None)
    told: dict[str, str] = {}
    for number, cells in xlsx_rows.read_cells(path, sheet) if sheet else ():
        if number > _MOST_ABOUT:
            break
        texts = [str(cell.value).strip() for cell in cells[:2] if cell.value is not None]
        if len(texts) == 2:
            told[texts[0].casefold()] = texts[1]
    return told


def _kind(path: Path, titles: Sequence[str], told: dict[str, str], asked: Kind | None) -> Kind:
    said = next((told[name] for name in _KIND_NAMES if name in told), "")
    if said and said not in list(Kind):
        raise FileError(f"{path.name}: sheet about says kind {said[:40]!r}; there are {', '.join(Kind)}")
    guessed = guess_kinds(list(titles))
    if not said and not asked and len(guessed) != 1:
        wanted = "; ".join(f"{kind}: {sheet_names(kind)}" for kind in Kind)
        raise FileError(f"{path.name}: which rules are these? Its sheets are {', '.join(titles)[:200]}. {wanted}")
    kind = Kind(said) if said else asked or guessed[0]
    if asked is not None and kind is not asked:
        raise FileError(f"{path.name}: holds {kind} rules, not {asked}")
    return kind


def _base(path: Path, told: dict[str, str]) -> int | None:
    said = next((told[name] for name in _BASE_NAMES if name in told), "")
    if said and not re.fullmatch(r"[0-9]{1,9}", said):
        raise FileError(f"{path.name}: sheet about: {said[:40]!r} is no version: leave it as it was exported")
    return int(said) if said else None


def _read_sheet(
    path: Path, title: str, plan: SheetPlan, findings: list[Finding]
) -> tuple[list[WrittenRow], dict[str, str]]:
    xml, hidden = xlsx_rows.read_part(path, title)
    marks = read_marks(xml, f"{path.name}: sheet {title}")
    findings.extend(_told_by(marks, title, hidden=hidden))
    header = Header([], {}, [])
    rows: list[WrittenRow] = []
    for number, cells in xlsx_rows.read_cells(path, title):
        values = [_value(cell, f"{get_column_letter(at)}{number}", marks) for at, cell in enumerate(cells, start=1)]
        if number == 1:
            header = _header(plan, title, values)
        elif any(value is not None for value in values):
            if len(rows) == MOST_ROWS:
                raise FileError(
                    f"{path.name}: sheet {title} has more than {MOST_ROWS:,} rows: is this a book of rules?"
                )
            rows.append(_row(header, title, number, values))
    findings.extend(header.findings)
    if not header.columns:
        findings.append(Finding(Level.ERROR, "missing column", "the sheet has no row of column names", title))
    return rows, header.titles


def _told_by(marks: Marks, title: str, *, hidden: bool) -> list[Finding]:
    found = [
        Finding(Level.ERROR, "merged cells", f"{area} are merged: unmerge them and fill every cell", f"{title}!{area}")
        for area in marks.merged
    ]
    counts = "what is hidden counts like the rest; show it before you publish"
    if hidden:
        found.append(Finding(Level.WARNING, "hidden", f"the sheet is hidden: {counts}", title))
    if marks.hidden_rows:
        shown = ", ".join(map(str, marks.hidden_rows[:10])) + (" ..." if len(marks.hidden_rows) > 10 else "")
        text = f"hidden or filtered rows: {shown}: {counts}"
        found.append(Finding(Level.WARNING, "hidden", text, f"{title}!{marks.hidden_rows[0]}"))
    if marks.hidden_columns:
        text = f"hidden columns: {', '.join(marks.hidden_columns[:10])}: {counts}"
        found.append(Finding(Level.WARNING, "hidden", text, f"{title}!{marks.hidden_columns[0]}"))
    return found


def _header(plan: SheetPlan, title: str, values: list[Any]) -> Header:
    texts = ["" if value is None or isinstance(value, Broken) else str(value).strip() for value in values]
    return read_header(plan, texts[:_MOST_COLUMNS], lambda at: f"{title}!{get_column_letter(at + 1)}1", title)


def _row(header: Header, title: str, number: int, values: list[Any]) -> WrittenRow:
    cells: dict[str, object] = {}
    places: dict[str, str] = {}
    for at, column in enumerate(header.columns):
        if column is not None:
            cells[column.name] = values[at] if at < len(values) else None
            places[column.name] = f"{title}!{get_column_letter(at + 1)}{number}"
    for at, value in enumerate(values):
        untitled = at >= len(header.columns) or (header.columns[at] is None and not header.has_title(at))
        if untitled and value is not None and str(value).strip():
            text = "stands under no column name: clear it, or name the column in row 1"
            header.findings.append(
                Finding(Level.ERROR, "beyond the header", text, f"{title}!{get_column_letter(at + 1)}{number}")
            )
    return WrittenRow(f"{title}!{number}", cells, places)


def _value(cell: Any, reference: str, marks: Marks) -> object:
    """What a person sees in the cell, or why that cannot be told."""
    value = cell.value
    if value is None:
        why = "a formula without a value: save the file in a spreadsheet program, or write the value itself"
        return Broken(why) if reference in marks.without_value else None
    if cell.data_type == "e":
        return Broken(f"the formula error {value}: mend the formula, or write the value itself")
    if isinstance(value, datetime):
        return _shown_time(value, cell.number_format)
    if isinstance(value, time | timedelta):
        return Broken(f"{value} is a time of day or a duration: write day and time, such as 2026-12-12 08:00")
    if isinstance(value, int | float) and not isinstance(value, bool) and "%" in _plain_format(cell.number_format):
        return f"{(Decimal(repr(round(value, 10))) * 100).normalize():f}%"
    return value


def _shown_time(at: datetime, number_format: str) -> object:
    """Whether midnight is a time or a whole day is told by the format. A time that it hides is asked about."""
    at = (at + timedelta(milliseconds=500)).replace(microsecond=0)
    shown = _plain_format(number_format).casefold()
    if "h" in shown or "[" in shown:
        return at
    if (at.hour, at.minute, at.second) != (0, 0, 0):
        return Broken(f"the cell shows a date and hides the time {at:%H:%M:%S}: write one or the other in full")
    return at.date()


def _plain_format(number_format: str) -> str:
    """Without texts, escaped letters, and what stands in brackets (colours, locales; not elapsed hours)."""
    return re.sub(r'"[^"]*"|\\.|\[(?!h+\])[^\]]*\]', "", number_format, flags=re.IGNORECASE)
