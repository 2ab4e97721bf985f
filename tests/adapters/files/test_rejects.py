"""The rejects file: safe to open, only there when it is needed, and never in the place of another file."""

import csv
import json
import stat
from pathlib import Path

import pytest

from adapters.files.cells import Cell
from adapters.files.errors import FileError
from adapters.files.rejects import HEADER, RejectsFile
from adapters.files.rows import Problem, Row


def problem(*cells: Cell, reason: str = "is not a time") -> Problem:
    return Problem(row=Row("o.csv", "7", cells), column="at", reason=reason)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_reject_has_its_place_its_reason_and_the_raw_row(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with RejectsFile(path) as rejects:
        line = rejects.add(problem("A1", "=cmd|' /C calc'!A0", None, 3.5, 'a "b"\n'), "A1")
    assert line == "o.csv line 7, column at: order A1 is left out: is not a time"
    (row,) = read(path)
    assert (row["file"], row["line"], row["column"]) == ("o.csv", "7", "at")
    assert row["reason"] == "order A1 is left out: is not a time"
    assert json.loads(row["row"]) == ["A1", "=cmd|' /C calc'!A0", None, "3.5", 'a "b"\n']


def test_it_is_there_only_when_something_was_rejected_and_private(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with RejectsFile(path):
        pass
    assert not path.exists()
    with RejectsFile(path) as rejects:
        rejects.add(problem("x"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with RejectsFile(path):
        assert not path.exists(), "the rejects of an earlier run would mislead"


def test_what_cannot_be_written_as_text_is_escaped(tmp_path: Path) -> None:
    with RejectsFile(tmp_path / "r.csv") as rejects:
        rejects.add(problem("\udcff\0", "x" * 5000, reason="=1+1"))
    (row,) = read(tmp_path / "r.csv")
    assert row["reason"] == "'=1+1"
    assert len(row["row"]) < 1100 and "\\udcff" in row["row"]


def test_another_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("no,state\nA1,paid\n", encoding="utf-8")
    with pytest.raises(FileError, match="holds no rejects"):
        RejectsFile(path)
    assert path.read_text(encoding="utf-8") == "no,state\nA1,paid\n"
    path.write_text(",".join(HEADER) + "\n", encoding="utf-8")
    with RejectsFile(path):
        pass
