"""Workbooks: typed cells, sheets by name, and files that are made to hurt."""

import zipfile
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from adapters.files import xlsx_rows
from adapters.files.errors import FileError
from adapters.files.mapping import FormatRules
from adapters.files.tables import Table, open_table
from adapters.files.xlsx_parts import check_parts
from tests.adapters.files.shop import make_mapping, places, take_all, with_section


def write_book(path: Path, **sheets: Sequence[Sequence[Any]]) -> Path:
    book = Workbook()
    book.remove(book.active)  # type: ignore[arg-type]  # a new workbook has an active sheet
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def open_book(path: Path, sheet: str | None = None, needed: Sequence[str] = ("a",)) -> Table:
    return open_table(path, sheet, FormatRules(), needed)


def test_rows_come_with_sheet_and_row(tmp_path: Path) -> None:
    path = write_book(tmp_path / "b.xlsx", S=[["a", "b"], [1, "x"], [], [None, None], [2.5, None]])
    assert [(row.line, row.cells) for row in open_book(path).rows()] == [("S!2", (1, "x")), ("S!5", (2.5, None))]


def test_a_sheet_is_found_by_its_name(tmp_path: Path) -> None:
    path = write_book(tmp_path / "b.xlsx", One=[["x"]], 订单=[["a"], [7]])
    assert [row.cells for row in open_book(path, "订单").rows()] == [(7,)]
    with pytest.raises(FileError, match=r"has no sheet 'Two'; its sheets are One, 订单"):
        open_book(path, "Two")
    with pytest.raises(FileError, match=r"sheet One has no column 'a'; its columns are x"):
        open_book(path)


def test_cells_beyond_the_header_are_a_problem(tmp_path: Path) -> None:
    path = write_book(tmp_path / "b.xlsx", S=[["a"], [1, "stray"], [2]])
    assert [bool(row.problem) for row in open_book(path).rows()] == [True, False]


def book_of(rows: Sequence[Sequence[Any]], lines: Sequence[Sequence[Any]], path: Path) -> Path:
    return write_book(path, O=[["no", "state", "at", "sum"], *rows], L=[["no", "sku", "price"], *lines])


XLSX_MAPPING: dict[str, Any] = {
    "orders": with_section("orders", columns={"order_no": "no", "status": "state", "placed_at": "at"}),
    "lines": {"sheet": "L", "key": "no", "columns": {"sku": "sku", "unit_price": "price"}},
    "payments": {"columns": {"amount": "sum"}},
}


def test_orders_of_a_workbook(tmp_path: Path) -> None:
    at = datetime.fromisoformat("2026-01-31T18:30:00")
    path = book_of([[1001, "paid", at, 113.1]], [[1001, "A", 113.1], ["1001", "B", 0]], tmp_path / "b.xlsx")
    taken, problems, _ = take_all(path, make_mapping(**XLSX_MAPPING))
    past = taken["1001"]
    assert not problems
    assert past.order.total.amount == 11310 == past.paid
    assert past.order.placed_at.isoformat() == "2026-01-31T10:30:00+00:00"
    assert [line.sku for line in past.order.lines] == ["A", "B"]
    assert past.where == "b.xlsx line O!2"


def test_a_cell_that_is_not_what_it_should_be_is_found_by_its_place(tmp_path: Path) -> None:
    at = datetime.fromisoformat("2026-01-31T18:30:00")
    rows: list[list[object]] = [
        ["X1", "paid", at, 113.105],
        ["X2", "paid", 46053.7, 1],
        [2**60, "paid", at, 1],
        ["X4", "paid", at, 5],
    ]
    lines: list[list[Any]] = [["X1", "A", 1], ["X2", "A", 1], ["X4", "A", "5"]]
    taken, problems, _ = take_all(book_of(rows, lines, tmp_path / "b.xlsx"), make_mapping(**XLSX_MAPPING))
    assert list(taken) == ["X4"]
    assert sorted(places(problems)) == [("b.xlsx", "O!2", "sum"), ("b.xlsx", "O!3", "at"), ("b.xlsx", "O!4", "no")]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_book(tmp_path / "b.xlsx", S=[["a"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b"0" * 3_000_000)
    monkeypatch.setattr(xlsx_rows, "MOST_UNPACKED", 2 * 2**20)
    with pytest.raises(FileError, match="2 MB unpacked, at most 2"):
        open_book(path)


def replace_part(path: Path, part: str, content: bytes) -> None:
    """Put something else into a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in parts.items():
            archive.writestr(name, content if name == part else old)


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s</worksheet>'
A1 = b'<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'


@pytest.mark.parametrize(
    "content",
    [
        b"<worksheet",
        b"",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + SHEET % b"<sheetData>&b;</sheetData>",
        SHEET % (b"<sheetData>" + A1 + b'<row r="2"><c r="A2" t="s"><v>99</v></c></row></sheetData>'),
    ],
    ids=["cut", "empty", "entities", "no such string"],
)
def test_a_broken_sheet_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = write_book(tmp_path / "b.xlsx", S=[["a"], [1]])
    replace_part(path, "xl/worksheets/sheet1.xml", content)
    with pytest.raises(FileError, match=r"b\.xlsx"):
        list(open_book(path).rows())


def test_a_sheet_that_claims_to_be_endless_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_rows, "MOST_ROWS", 1000)
    path = write_book(tmp_path / "b.xlsx", S=[["a"], [1]])
    last = b'<row r="99999999999"><c r="A2"><v>1</v></c></row>'
    replace_part(
        path,
        "xl/worksheets/sheet1.xml",
        SHEET % (b'<dimension ref="A1:XFD1048576"/><sheetData>' + A1 + last + b"</sheetData>"),
    )
    with pytest.raises(FileError, match="claims more rows"):
        list(open_book(path).rows())


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0 an old or encrypted one")
    with pytest.raises(FileError, match=r"not a readable XLSX workbook \(protected, or an old"):
        open_book(path)
    with pytest.raises(FileError, match="No such file"):
        open_book(tmp_path / "none.xlsx")


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def packed(folder: Path, name: str, content: str) -> Path:
    path = folder / "shop.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr("xl/media/image1.png", b"\x89PNG\r\n\x1a\n" * 100)
    return path


@pytest.mark.parametrize(
    ("name", "content", "is_fine"),
    [
        ("a", f'<worksheet xmlns="{MAIN}"><sheetData>{"<row><c/></row>" * 150_000}</sheetData></worksheet>', True),
        ("a", f'<x:worksheet xmlns:x="{MAIN}">{"<x:row/>" * 150_000}</x:worksheet>', True),
        ("a", f'<sst xmlns="{MAIN}">{"<si><t>one</t></si>" * 150_000}</sst>', True),
        ("a", f'<worksheet xmlns="{MAIN}"><row>{"<c><v>1</v></c>" * 49_000}</row></worksheet>', True),
        ("a", f'<worksheet xmlns="{MAIN}"><row>{"<row/>" * 150_000}</row></worksheet>', False),
        ("a", f'<worksheet xmlns="{MAIN}">{"<row/><x/>" * 150_000}</worksheet>', False),
        ("a", f'<worksheet xmlns="{MAIN}">{("<row/>" + " " * 200_000) * 100}</worksheet>', False),
        ("a", f'<worksheet xmlns="{MAIN}">{("<row>" + " " * 200_000 + "</row>") * 100}</worksheet>', True),
        ("a", f'<worksheet xmlns="{MAIN}"><row a="{" " * 20_000_000}"/></worksheet>', False),
        ("xl/styles.xml", f'<worksheet xmlns="{MAIN}">{"<row/>" * 150_000}</worksheet>', False),
        ("a", f'<!DOCTYPE a [<!ENTITY b "c">]><worksheet xmlns="{MAIN}"/>', False),
        ("a", "<x/>" * 150_000, True),  # no XML at all: the second root is an error
    ],
    ids=[
        "many rows", "with a prefix", "many texts", "wide row", "rows in a row", "beside", "blanks beside",
        "blanks in rows", "attribute", "styles", "entity", "not xml",
    ],
)  # fmt: skip
def test_what_has_to_be_held_at_once_has_an_end(tmp_path: Path, name: str, content: str, is_fine: bool) -> None:
    path = packed(tmp_path, name, content)
    with zipfile.ZipFile(path) as archive:
        refused = (
            nullcontext() if is_fine else pytest.raises(FileError, match=f"{name} holds far more than orders need")
        )
        with refused:
            check_parts(path, archive)
