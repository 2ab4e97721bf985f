"""What is different between two versions of rules, row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, Final

KEYS: Final = ("row", "sku", "tier", "name", "option")
"""Columns that name a row, the first that it has."""


class ChangeKind(StrEnum):
    """What happened to a row."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"  # the rows of a sheet stand in another order: it counts where priorities are equal


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row. `cells`: column, what stood there, what stands there; of an added or removed row all of them."""

    kind: ChangeKind
    sheet: str
    row: str
    cells: tuple[tuple[str, str, str], ...] = ()

    def __str__(self) -> str:
        where = f"{self.sheet} {self.row}".strip()
        match self.kind:
            case ChangeKind.ADDED:
                said = ", ".join(f"{column} {new}".strip() for column, _, new in self.cells)
            case ChangeKind.REMOVED:
                said = ", ".join(f"{column} {old}".strip() for column, old, _ in self.cells)
            case ChangeKind.CHANGED:
                said = ", ".join(f"{column}: {old or '-'} -> {new or '-'}" for column, old, new in self.cells)
            case ChangeKind.MOVED:
                said = "its rows stand in another order"
        return f"{self.kind}  {where}: {said}"


def row_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[RowChange]:
    """From one version's sheets to another's. A sheet that is one text is compared line by line."""
    found: list[RowChange] = []
    for sheet in dict.fromkeys((*after, *before)):
        old, new = before.get(sheet, ()), after.get(sheet, ())
        if isinstance(old, str) or isinstance(new, str):
            found += _lines(sheet, str(old or "").splitlines(), str(new or "").splitlines())
        else:
            found += _rows(sheet, _by_key(old), _by_key(new))
    return found


def _by_key(rows: Sequence[Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """A second row of the same name, which no checked book has, goes by its place."""
    found: dict[str, Mapping[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        key = next((str(row[column]) for column in KEYS if row.get(column)), f"row {number}")
        found[key if key not in found else f"{key} (row {number})"] = row
    return found


def _rows(
    sheet: str, old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]
) -> Iterator[RowChange]:
    for key, row in new.items():
        had = old.get(key)
        cells = tuple(
            (column, (had or {}).get(column, ""), row.get(column, ""))
            for column in dict.fromkeys((*row, *(had or {})))
            if (had or {}).get(column, "") != row.get(column, "")
        )
        if had is None:
            yield RowChange(ChangeKind.ADDED, sheet, key, cells)
        elif cells:
            yield RowChange(ChangeKind.CHANGED, sheet, key, cells)
    for key, row in old.items():
        if key not in new:
            gone = tuple((column, value, "") for column, value in row.items() if value)
            yield RowChange(ChangeKind.REMOVED, sheet, key, gone)
    if [key for key in old if key in new] != [key for key in new if key in old]:
        yield RowChange(ChangeKind.MOVED, sheet, "")


def _lines(sheet: str, old: Sequence[str], new: Sequence[str]) -> Iterator[RowChange]:
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for number in range(old_from, old_to):
            yield RowChange(ChangeKind.REMOVED, sheet, f"line {number + 1}", (("", old[number], ""),))
        for number in range(new_from, new_to):
            yield RowChange(ChangeKind.ADDED, sheet, f"line {number + 1}", (("", "", new[number]),))
