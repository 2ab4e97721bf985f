"""Writing a status map: YAML for editors, CSV and XLSX for spreadsheets. What is written reads back equal."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import yaml

from adapters.files.errors import FileError
from adapters.files.status_map import COLUMNS, SHEET, escape
from adapters.files.xlsx_table import write_table
from ballast.domain.status_map import Dictionary, Entry, leads_to_text, origin_of

HEAD: Final = """\
# The status map: what each code of each system means to Ballast. 状态码字典
#
# One row per code. Edit event, reason (with HELD) and note, or add rows; state and origin are computed and not read.
# 每个代码一行。可修改 event、reason (仅 HELD) 与 note, 也可增加行; state 与 origin 由系统算出, 不读取。
# Then: ballast status-map check FILE, diff FILE, publish FILE --by NAME --note TEXT. See docs/status-map.md
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is written: the whole dictionary, the adapters' own rows beside which it is seen, and its version."""

    entries: Sequence[Entry]
    own: Dictionary
    version: int
    chinese: bool = False

    def columns(self) -> list[str]:
        return list(COLUMNS.values() if self.chinese else COLUMNS)

    def rows(self) -> Iterable[dict[str, str]]:
        """Texts by our column names, without the version."""
        for entry in self.entries:
            yield {
                "system": entry.system.value,
                "field": entry.field,
                "code": entry.code,
                "event": entry.event.value,
                "reason": entry.reason.value if entry.reason else "",
                "state": leads_to_text(entry.event),
                "note": entry.note,
                "origin": origin_of(entry, self.own).value,
            }

    def table(self) -> Iterable[list[str]]:
        return ([*row.values(), str(self.version)] for row in self.rows())


def write_map(path: Path, shown: Shown) -> None:
    """Write a file by its ending, over an earlier one. Raises `FileError`."""
    writers: dict[str, Callable[[Path, Shown], None]] = {
        ".yaml": _write_yaml, ".yml": _write_yaml, ".csv": _write_csv, ".xlsx": _write_xlsx,
    }  # fmt: skip
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise FileError(f"{path.name}: a status map ends with .yaml, .csv or .xlsx")
    try:
        writer(path, shown)
    except OSError as wrong:
        raise FileError(f"{path}: cannot be written: {wrong.strerror}") from None


def _write_csv(path: Path, shown: Shown) -> None:
    """With a byte order mark: without it a spreadsheet program takes Chinese for something else."""
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(shown.columns())
        writer.writerows([escape(text) for text in row] for row in shown.table())


def _write_xlsx(path: Path, shown: Shown) -> None:
    write_table(path, SHEET, shown.columns(), shown.table())


def _write_yaml(path: Path, shown: Shown) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(f"{HEAD}\nversion: {shown.version}\ncodes:\n")
        _write_entries(handle, shown)


def _write_entries(handle: TextIO, shown: Shown) -> None:
    before = ""
    for row in shown.rows():
        if row["system"] != before:
            handle.write(f"\n  # {row['system']}\n")
            before = row["system"]
        told = {name: text for name, text in row.items() if text}
        line = yaml.safe_dump(
            told, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf")
        ).strip()
        handle.write(f"  - {line}\n")
