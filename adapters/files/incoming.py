"""What is expected to arrive, as people write it: CSV or XLSX, English or Chinese column names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.files.cells import Cell, CellError, read_count, read_text, read_time
from adapters.files.errors import FileError, check_size
from adapters.files.mapping import FormatRules, TimeRules
from adapters.files.rows import Row
from adapters.files.tables import Table, open_table
from ballast.domain.promising import Incoming

COLUMNS: Final[Mapping[str, str]] = {
    "sku": "商品",
    "warehouse": "仓库",
    "quantity": "数量",
    "expected_at": "预计到货",
    "reference": "单号",
}
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_ROWS: Final = 50_000
MOST_MISTAKES: Final = 20
LONGEST: Final = 64
TIMES: Final = TimeRules(zone="Asia/Shanghai")


def read_incoming(path: Path) -> list[Incoming]:
    """Every row, the last one of a reference, SKU and warehouse. Raises `FileError` that names every wrong row."""
    check_size(path, MOST_BYTES, "a list of what is expected")
    table, names = _open(path)
    found: dict[tuple[str, str, str], Incoming] = {}
    wrong: list[str] = []
    for number, row in enumerate(table.rows()):
        if number == MOST_ROWS:
            raise FileError(f"{path.name}: more than {MOST_ROWS} rows: divide the file")
        try:
            one = _read(row, table, names)
        except CellError as mistake:
            wrong.append(f"row {row.line}: {mistake}")
        else:
            found[one.reference, one.sku, one.warehouse] = one
    if wrong:
        more = f"\n  and {len(wrong) - MOST_MISTAKES} more" if len(wrong) > MOST_MISTAKES else ""
        raise FileError(f"{path.name}: nothing was imported:\n  " + "\n  ".join(wrong[:MOST_MISTAKES]) + more)
    return list(found.values())


def _open(path: Path) -> tuple[Table, Mapping[str, str]]:
    """The table, and what it calls our columns."""
    english = {name: name for name in COLUMNS}
    try:
        return open_table(path, None, FormatRules(), list(english)), english
    except FileError as first:
        try:
            return open_table(path, None, FormatRules(), list(COLUMNS.values())), COLUMNS
        except FileError:
            raise first from None


def _read(row: Row, table: Table, names: Mapping[str, str]) -> Incoming:
    if row.problem:
        raise CellError(row.problem)

    def cell(column: str, read: Callable[[Cell], Any]) -> Any:
        try:
            return read(row.cells[table.header[names[column]]])
        except CellError as mistake:
            raise CellError(f"{names[column]}: {mistake}") from None

    return Incoming(
        sku=cell("sku", _word),
        warehouse=cell("warehouse", _word),
        quantity=cell("quantity", read_count),
        expected_at=cell("expected_at", lambda value: read_time(value, TIMES)),
        reference=cell("reference", _word),
    )


def _word(cell: Cell) -> str:
    text = read_text(cell)
    if not text or len(text) > LONGEST or not text.isprintable():
        raise CellError(f"needs 1 to {LONGEST} printable characters")
    return text
