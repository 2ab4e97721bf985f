"""One row of a table, with the place where a person finds it."""

from dataclasses import dataclass

from adapters.files.cells import Cell


@dataclass(frozen=True, slots=True)
class Row:
    """`line` is that of an editor (where the row begins), in a workbook `sheet!row`. `problem`: unusable as a whole."""

    file: str
    line: str
    cells: tuple[Cell, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a row is not imported, for the rejects file. `column` is theirs; empty when it is the whole row."""

    row: Row
    column: str
    reason: str
    order_no: str = ""
