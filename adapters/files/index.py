"""Which rows belong to which key. An order with an unreadable row is spoilt as a whole: never half an order.

Problems are handed on one by one: a file that is wrong from end to end has as many of them as lines.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from adapters.files.cells import CellError, read_text
from adapters.files.rows import Problem, Row
from adapters.files.tables import Table


@dataclass(slots=True)
class Keys:
    """What one pass over a table counts: usable rows per key, and where the rows are that spoil a key."""

    counts: dict[str, int] = field(default_factory=dict)
    spoilt: dict[str, str] = field(default_factory=dict)
    rows: int = 0

    def spoil(self, key: str, row: Row) -> None:
        self.spoilt.setdefault(key, f"{row.file} line {row.line}")


def key_of(row: Row, place: int) -> str:
    """The key of a row; raises `CellError` when it has none."""
    key = read_text(row.cells[place]) if place < len(row.cells) else ""
    if not key:
        raise CellError("the key is empty: to which order does this row belong?")
    return key


def scan(
    table: Table, column: str, keys: Keys, *, per_row: bool, known: Collection[str] | None = None
) -> Iterator[tuple[str, Row] | Problem]:
    """Every usable row with its key, and what is wrong with the others.

    A row that names no order may belong to the one before or after it: both are spoilt, unless the table has one row
    per order (`per_row`), where it can only be an order of its own. What a broken row seems to name counts only when
    it is one of `known`.
    """
    place, before, orphan = table.header[column], "", None
    for row in table.rows():
        keys.rows += 1
        try:
            key = key_of(row, place)
            if row.problem and known is not None and key not in known:
                raise CellError(row.problem)
        except CellError as wrong:
            at = "" if row.problem else column
            yield Problem(row=row, column=at, reason=row.problem or str(wrong))
            if before and not per_row:
                keys.spoil(before, row)
            orphan = None if per_row else row
            continue
        if orphan is not None:
            keys.spoil(key, orphan)
        before, orphan = key, None
        if row.problem:
            keys.spoil(key, row)
            yield Problem(row=row, column="", reason=row.problem, order_no=key)
        else:
            keys.counts[key] = keys.counts.get(key, 0) + 1
            yield key, row


def index_rows(
    found: dict[str, list[Row]],
    table: Table,
    column: str,
    keys: Keys,
    *,
    known: Collection[str] | None = None,
    per_row: bool = False,
) -> Iterator[Problem]:
    """Put all rows of a related table into `found`, by their key. They stay in memory until the import is over."""
    for one in scan(table, column, keys, per_row=per_row, known=known):
        if isinstance(one, Problem):
            yield one
        else:
            found.setdefault(one[0], []).append(one[1])


def count_keys(table: Table, column: str, keys: Keys, *, per_row: bool) -> Iterator[Problem]:
    """The first pass over the main table: how many rows each order has, counted in `keys`."""
    return (one for one in scan(table, column, keys, per_row=per_row) if isinstance(one, Problem))
