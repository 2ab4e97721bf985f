"""Limits of stock as people write them, CSV or XLSX, both ways: each row taken, or refused with a reason."""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.files.cells import Cell, CellError, is_empty, read_count, read_text, show
from adapters.files.errors import FileError, check_size
from adapters.files.mapping import FormatRules
from adapters.files.rows import Problem, Row
from adapters.files.status_map import escape, unescape
from adapters.files.tables import open_table
from adapters.files.xlsx_table import write_table
from adapters.pieces import is_code
from ballast.domain.stock import Place
from ballast.domain.stock_limits import Limit

MOST_BYTES: Final = 64 * 1024 * 1024
LONGEST_AGE: Final = 366 * 86400
"""Seconds. Whoever does not mind how old a figure is leaves it on sale (`sells_stale`)."""

COLUMNS: Final[Mapping[str, str]] = {
    "sku": "SKU",
    "warehouse": "仓库",
    "safety_line": "安全线",
    "safety_reserve": "安全储备",
    "counts_locks": "扣锁定",
    "counts_reservations": "扣预留",
    "most_age": "时限秒",
    "sells_stale": "过期仍卖",
}
"""Our columns in both languages, in the order in which they are written."""

_NAMES: Final = {**{name: name for name in COLUMNS}, **{zh: name for name, zh in COLUMNS.items()}}
_YES: Final = frozenset({"yes", "true", "1", "y", "是"})
_NO: Final = frozenset({"no", "false", "0", "n", "否"})


@dataclass(slots=True)
class LimitFile:
    """What a file says: each row that can be used, with its place, and why the others cannot."""

    rows: list[tuple[Limit, Row]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_limits(path: Path) -> LimitFile:
    """Read a file by its ending. Raises `FileError` when it cannot be used at all."""
    if path.suffix.lower() not in (".csv", ".xlsx", ".xlsm"):
        raise FileError(f"{path.name}: limits are a .csv or an .xlsx file")
    check_size(path, MOST_BYTES, "a list of limits")
    table = open_table(path, None, FormatRules(), ())
    columns = _columns(path, table.header)
    found, seen = LimitFile(), dict[Place, str]()
    for row in table.rows():
        one = _read_row(row, columns)
        if isinstance(one, Limit) and one.place in seen:
            one = Problem(row=row, column="", reason=f"the same SKU and warehouse as in line {seen[one.place]}")
        if isinstance(one, Problem):
            found.problems.append(one)
        else:
            seen[one.place] = row.line
            found.rows.append((one, row))
    return found


def _read_row(row: Row, columns: Mapping[str, tuple[str, int]]) -> Limit | Problem:
    if row.problem:
        return Problem(row=row, column="", reason=row.problem)
    values: dict[str, Any] = {}
    for name, (said, place) in columns.items():
        try:
            values[name] = None if is_empty(row.cells[place]) else _READ[name](row.cells[place])
        except CellError as wrong:
            return Problem(row=row, column=said, reason=str(wrong))
    return Limit(**values | {name: values[name] or "" for name in ("sku", "warehouse")})


def _columns(path: Path, header: Mapping[str, int]) -> dict[str, tuple[str, int]]:
    """Our name -> what the file calls it, and where it stands. A misspelt column must not be passed over."""
    found: dict[str, tuple[str, int]] = {}
    for said, place in header.items():
        name = _NAMES.get(said.strip().lower()) or _NAMES.get(said.strip())
        if name is None:
            raise FileError(f"{path.name}: there is no column {said[:40]!r} here; there are {', '.join(COLUMNS)}")
        if name in found:
            raise FileError(f"{path.name}: has the column {name} more than once: which one is meant?")
        found[name] = said, place
    if missing := [name for name in ("sku", "warehouse") if name not in found]:
        raise FileError(f"{path.name}: has no column {', '.join(missing)}")
    return found


def _code(cell: Cell) -> str:
    text = unescape(read_text(cell))
    if not is_code(text):
        raise CellError(f"{show(cell)} cannot be a code")
    return text


def _age(cell: Cell) -> int:
    seconds = read_count(cell)
    if not 1 <= seconds <= LONGEST_AGE:
        raise CellError(f"{show(cell)}: 1 to {LONGEST_AGE} seconds")
    return seconds


def _yes(cell: Cell) -> bool:
    word = str(cell).strip().lower()
    if word in _YES | _NO:
        return word in _YES
    raise CellError(f"{show(cell)}: yes or no (是 / 否)")


_READ: Final[Mapping[str, Callable[[Cell], object]]] = {
    "sku": _code, "warehouse": _code, "safety_line": read_count, "safety_reserve": read_count, "counts_locks": _yes,
    "counts_reservations": _yes, "most_age": _age, "sells_stale": _yes,
}  # fmt: skip


def write_limits(path: Path, limits: Iterable[Limit], *, chinese: bool = False) -> None:
    """Write a file by its ending, over an earlier one; it reads back equal. Raises `FileError`."""
    header = list(COLUMNS.values() if chinese else COLUMNS)
    table = ([_said(getattr(one, name), chinese=chinese) for name in COLUMNS] for one in limits)
    if path.suffix.lower() == ".xlsx":
        write_table(path, "stock_limits", header, table)
    elif path.suffix.lower() == ".csv":
        _write_csv(path, header, table)
    else:
        raise FileError(f"{path.name}: limits are written as .csv or .xlsx")


def _write_csv(path: Path, header: list[str], table: Iterable[list[str]]) -> None:
    """With a byte order mark: without it a spreadsheet program takes Chinese for something else."""
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(header)
            writer.writerows([escape(text) for text in row] for row in table)
    except OSError as wrong:
        raise FileError(f"{path}: cannot be written: {wrong.strerror}") from None


def _said(value: object, *, chinese: bool) -> str:
    if isinstance(value, bool):
        return ("是" if value else "否") if chinese else ("yes" if value else "no")
    return "" if value is None else str(value)
