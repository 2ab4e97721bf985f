"""CSV as it really comes: line numbers of an editor, broken quotes, other delimiters and encodings."""

from pathlib import Path

import pytest

from adapters.files import csv_rows
from adapters.files.csv_rows import MOST_LINE
from adapters.files.errors import FileError
from adapters.files.mapping import FormatRules
from adapters.files.tables import Table, open_table


def table(folder: Path, raw: bytes | str, needed: tuple[str, ...] = ("a", "b"), **rules: str) -> Table:
    path = folder / "t.csv"
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return open_table(path, None, FormatRules.model_validate(rules), needed)


def lines_of(opened: Table) -> dict[str, bool]:
    """Line -> whether the row can be used."""
    return {row.line: not row.problem for row in opened.rows()}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_header(tmp_path: Path, delimiter: str) -> None:
    text = f"a{delimiter}b\r\n1{delimiter}2\r\n"
    assert [row.cells for row in table(tmp_path, text).rows()] == [("1", "2")]


def test_the_delimiter_of_the_mapping_is_the_only_one_tried(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="has no column 'b'; its columns are a,b"):
        table(tmp_path, "a,b\n", ("b",), delimiter=";")


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    text = 'a,b\n1,2\n\n"two\nlines",3\n   ,\n4,5\n'
    assert [(row.line, row.cells) for row in table(tmp_path, text).rows()] == [
        ("2", ("1", "2")), ("4", ("two\nlines", "3")), ("7", ("4", "5")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (b"\xef\xbb\xbfa,b\n\xe6\x9d\x8e,2\n", "utf-8"),
        ("a,b\n李,2\n".encode("gb18030"), "gb18030"),
        ("a,b\n李,2\n".encode("utf-16"), "utf-16"),
    ],
)
def test_encodings(tmp_path: Path, raw: bytes, encoding: str) -> None:
    assert [row.cells for row in table(tmp_path, raw, encoding=encoding).rows()] == [("李", "2")]


def test_a_wrong_encoding_spoils_cells_not_the_file(tmp_path: Path) -> None:
    raw = "a,b\n李,2\nx,3\n".encode("gb18030")
    assert [row.cells[1] for row in table(tmp_path, raw).rows()] == ["2", "3"]
    with pytest.raises(FileError, match="utf-16"):
        table(tmp_path, b"a,b\n1,2\n3", encoding="utf-16")


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("a,b\n1,2\n1,2,3\n4\n5,6\n", {"2": True, "3": False, "4": False, "5": True}),
        ('a,b\n1,"2\n3,4\n5,6\n', {"2": False, "3": True, "4": True}),  # never closed
        ('a,b\n1,"2\n3,4\n5,"6"\n7,8\n', {"2": False, "3": True, "4": True, "5": True}),  # closed in the wrong place
        ('a,b\n1,"2"x\n3,4\n', {"2": False, "3": True}),
        ('a,b\n1,5" screw\n3,4\n', {"2": True, "3": True}),  # a quote inside is a letter
    ],
)
def test_a_broken_row_costs_itself_only(tmp_path: Path, text: str, usable: dict[str, bool]) -> None:
    assert lines_of(table(tmp_path, text)) == usable


def test_a_huge_field_of_many_lines_is_one_bad_row(tmp_path: Path) -> None:
    inside = "9,9\n" * 50_000  # rows that a customer wrote into a remark are no rows
    rows = list(table(tmp_path, f'a,b\n1,2\n3,"{inside}"\n5,6\n').rows())
    assert [(row.line, bool(row.problem)) for row in rows] == [("2", False), ("3", True), ("50004", False)]
    assert "lines 3 to 50003" in rows[1].problem


def test_a_quote_that_opens_in_front_of_a_long_file_costs_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "MOST_RECORD", 150_000)
    rows = list(table(tmp_path, 'a,b\n1,"2\n' + "3,4\n" * 50_000).rows())
    assert len(rows) == 50_001
    assert [row.line for row in rows if row.problem] == ["2"]


def test_a_line_without_end_is_cut_and_refused(tmp_path: Path) -> None:
    text = "a,b\n" + "x," + "y" * 100_000 + "\n1," + " " * (MOST_LINE * 3) + "\n5,6\n"
    assert lines_of(table(tmp_path, text)) == {"2": True, "3": False, "4": True}


def test_nuls_are_left_to_the_cells(tmp_path: Path) -> None:
    assert [row.cells for row in table(tmp_path, "a,b\n1\0,2\n").rows()] == [("1\0", "2")]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "its columns are none"),
        (b"a,c\n", "has no column 'b'; its columns are a, c"),
        (b"a,b,b\n", "'b' more than once"),
        (b"PK\x03\x04rest", "is a workbook"),
    ],
)
def test_a_header_that_does_not_fit_stops_everything(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(FileError, match=words):
        table(tmp_path, raw)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.csv: cannot be read: No such file"):
        open_table(tmp_path / "none.csv", None, FormatRules(), ("a",))
    with pytest.raises(FileError, match="has no sheets"):
        open_table(tmp_path / "none.csv", "Sheet1", FormatRules(), ("a",))


def test_a_table_can_be_read_twice(tmp_path: Path) -> None:
    opened = table(tmp_path, "a,b\n1,2\n")
    assert list(opened.rows()) == list(opened.rows())
