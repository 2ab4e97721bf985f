"""Files that are made to hurt, or merely broken: what can be read is imported, the rest is told by row and column."""

import csv
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from adapters.files.errors import FileError
from ballast.db.engine import rows
from ballast.wiring import House
from tasks.importing import ImportReport, import_orders
from tests.adapters.files.shop import make_mapping, with_section
from tests.memory import MB, memory_of

HEADER = "no,state,at,sku,pieces,price,sum\n"
GOOD = "G1,paid,2026-01-10 18:30:00,K1,2,10.00,20.00\n"
COLUMNS = HEADER.strip().split(",")

MAPPING = make_mapping(
    orders=with_section("orders", columns={"order_no": "no", "status": "state", "placed_at": "at"}),
    lines={"columns": {"sku": "sku", "quantity": "pieces", "unit_price": "price"}},
    payments={"columns": {"amount": "sum"}},
)
"""One table: an order, its line and its payment in one row."""

CELLS = (
    "", " ", "-1", "-0", "0", "1e5", "1e400", "NaN", "inf", "9" * 400, "-" + "9" * 12, "99999999999999999999.99",
    "0.001", "1,5", "=1+1", '=HYPERLINK("http://x")', "@SUM(A1)", "+1", "\x00", "a\x00b", "\x1b[2J", "\u202e", "😀",
    "𠮷" * 100, "٣", "'; drop table sales_order; --", '"', '""', '"open', 'in "the" middle', "\r",
    "a\nb", "x" * 70_000, ",,,,",
    ";", "\t", "2026-02-30 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "../../etc/passwd", "<a>",
    "null", "🇨🇳" * 20,
)  # fmt: skip


async def bring_in(house: House, path: Path, *, dry_run: bool = False) -> ImportReport:
    return await import_orders(house, path, MAPPING, rejects=path.parent / "r.csv", dry_run=dry_run)


async def numbers(house: House) -> list[str]:
    async with house.transaction() as tx:
        return [row[0] for row in await rows(tx, "select order_no from sales_order order by order_no")]


def told(folder: Path) -> list[dict[str, str]]:
    """The rejects, as a person opens them."""
    path = folder / "r.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def write_csv(folder: Path, *lines: str | bytes) -> Path:
    path = folder / "shop.csv"
    path.write_bytes(b"".join(line.encode() if isinstance(line, str) else line for line in (HEADER, *lines)))
    return path


# -- cells -------------------------------------------------------------------------------------------------------


def line_of(no: str, /, *, quoted: bool = False, **cells: str) -> str:
    """A good row, but for the cells that are named."""
    plain = dict(zip(COLUMNS, (no, "paid", "2026-01-10 18:30:00", "K1", "2", "10.00", "20.00"), strict=True)) | cells
    if not quoted:
        return ",".join(plain.values()) + "\n"
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in plain.values()) + "\n"


def physical_lines(text: str) -> int:
    return len(re.findall(r"\r\n|\r|\n", text))


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_bad_cell_is_told_by_its_row_and_column(a_house: House, tmp_path: Path, column: str) -> None:
    """Every cell in its own order, a good order after each: nothing is lost, and nothing is told of a wrong place."""
    text, begins = HEADER, {}
    for number, cell in enumerate(CELLS):
        begins[f"B{number}"] = str(physical_lines(text) + 1)
        text += line_of(f"B{number}", quoted=True, **{column: cell}) + line_of(f"G{number}")
    path = tmp_path / "shop.csv"
    path.write_text(text, encoding="utf-8", newline="")
    report = await bring_in(a_house, path)
    there = set(await numbers(a_house))
    rejected = {line["line"]: line for line in told(tmp_path)}
    assert all("\r" not in line["reason"] and "\0" not in line["reason"] for line in rejected.values())
    for number, cell in enumerate(CELLS):
        if column == "no" and not cell.strip().isascii():
            continue
        at = begins[f"B{number}"]
        key = cell.strip() if column == "no" else f"B{number}"
        assert (key in there) != (at in rejected), (cell, at)
        if at in rejected:
            assert rejected[at]["column"] in (column, ""), (cell, rejected[at])
    if column != "no":  # who names no order may belong to a neighbour, which then is left out and told
        assert {f"G{number}" for number in range(len(CELLS))} <= there
    assert report.imported == len(there)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_no_order_is_lost_whatever_stands_between(a_house: House, tmp_path: Path, data: st.DataObject) -> None:
    """Broken quotes, other encodings, cut lines: each of our orders is in the books afterwards, or is told."""
    run = data.draw(st.integers(0, 10**9))
    mine = [f"G{run}N{number}" for number in range(4)]
    junk = st.one_of(
        st.binary(max_size=60),
        st.sampled_from(CELLS).map(str.encode),
        st.tuples(st.sampled_from(COLUMNS), st.sampled_from(CELLS)).map(
            lambda one: line_of("B", **dict([one])).encode()
        ),
    )
    pieces = [part for no in mine for part in (line_of(no).encode(), data.draw(junk) + b"\n")]
    await bring_in(a_house, write_csv(tmp_path, *pieces))
    there, reasons = await numbers(a_house), " ".join(f"{line['reason']} {line['row']}" for line in told(tmp_path))
    assert [no for no in mine if no not in there and no not in reasons] == []


# -- files -------------------------------------------------------------------------------------------------------

WIDE = ",".join(f"c{number}" for number in range(20_000))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no column"),
        (b"\n\n\n", "has no column"),
        (b"\x00" * 5000, "has no column"),
        (b"\xff\xfe" + (HEADER + GOOD).encode("utf-16-le"), "has no column"),
        ((HEADER + GOOD).encode("utf-16"), "has no column"),
        (WIDE.encode(), "has no column .* and 19960 more"),
        (b"a," * 5_000_000, "cannot be read"),
        (b"a" * 5_000_000, "cannot be read"),
        (HEADER.replace("sum", "no").encode(), "has no column 'sum'"),
        (HEADER.replace("sum", "sum,no").encode() + GOOD.encode(), "the column 'no' more than once"),
        (b'"no' + HEADER.encode() * 3, "has no column"),
        (b"PK\x03\x04" + b"x" * 100, "is a workbook"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10, "has no column"),
        (b"{" * 100_000, "has no column"),
    ],
    ids=[
        "empty", "blank", "nul", "utf-16-le", "utf-16", "wide", "one line", "one cell", "missing", "twice", "quote",
        "zip", "picture", "braces",
    ],
)  # fmt: skip
async def test_a_file_that_is_none_is_one_short_error(
    a_house: House, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(content)
    with memory_of(40 * MB), pytest.raises(FileError, match=says) as refused:
        await bring_in(a_house, path)
    assert len(str(refused.value)) < 2000 and "\0" not in str(refused.value)
    assert await numbers(a_house) == [] and told(tmp_path) == []


async def test_a_quote_that_never_ends_costs_its_row(a_house: House, tmp_path: Path) -> None:
    path = write_csv(tmp_path, line_of("A1"), '"A2,paid\n', *(line_of(f"B{number}") for number in range(50)))
    await bring_in(a_house, path)
    there = await numbers(a_house)
    assert len(there) >= 49
    assert any(line["line"] == "3" and "quotation mark" in line["reason"] for line in told(tmp_path))


@pytest.mark.parametrize(
    "line",
    [b"x" * 5 * MB, b"," * 5 * MB, b'"' + b"x\n" * 20_000, b'"",' * 2 * MB],
    ids=["long", "cells", "quoted", "quotes"],
)
async def test_a_line_without_end_is_not_held(a_house: House, tmp_path: Path, line: bytes) -> None:
    path = write_csv(tmp_path, line_of("A1"), line, "\n", line_of("A2"))
    with memory_of(80 * MB):
        await bring_in(a_house, path)
    assert told(tmp_path) != [] and (tmp_path / "r.csv").stat().st_size < 5 * MB


async def test_a_file_that_is_wrong_from_end_to_end_is_told_row_by_row(a_house: House, tmp_path: Path) -> None:
    """Its problems go straight into the rejects file; they are not gathered."""
    path = write_csv(tmp_path, "x\n" * 30_000)
    with memory_of(6 * MB):
        report = await bring_in(a_house, path)
    assert report.rejected_rows == 30_000 and len(report.reasons) == 1000


# -- workbooks ---------------------------------------------------------------------------------------------------


def write_book(folder: Path, *lines: list[Any]) -> Path:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("S")
    for line in (COLUMNS, *lines):
        sheet.append(line)
    path = folder / "shop.xlsx"
    book.save(path)
    return path


def book_row(no: Any, /, **cells: Any) -> list[Any]:
    good = dict(zip(COLUMNS, (no, "paid", "2026-01-10 18:30:00", "K1", 2, 10, 20), strict=True))
    return list((good | cells).values())


BOOK_CELLS: tuple[Any, ...] = (
    None, "", True, False, -1, 0, 1.5, 1e300, 10**15, "=1+1", '=HYPERLINK("http://x","y")', "=A1", "#REF!", "😀",
    "𠮷" * 100, "x" * 32_000, datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("9999-12-31"),
    date(2026, 1, 1), time(1, 2), timedelta(days=5), "_x0000_",
)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_bad_cell_of_a_workbook_is_told_by_its_row_and_column(
    a_house: House, tmp_path: Path, column: str
) -> None:
    lines = []
    for number, cell in enumerate(BOOK_CELLS):
        lines += [book_row(f"B{number}", **{column: cell}), book_row(f"G{number}")]
    await bring_in(a_house, write_book(tmp_path, *lines))
    there, rejected = set(await numbers(a_house)), {line["line"]: line for line in told(tmp_path)}
    for number, cell in enumerate(BOOK_CELLS):
        at = f"S!{2 * number + 2}"
        if column != "no":
            assert (f"B{number}" in there) != (at in rejected), (cell, at)
            assert f"G{number}" in there
        if at in rejected:
            assert rejected[at]["column"] in (column, ""), (cell, rejected[at])
    if column == "no":
        lost = [n for n in range(len(BOOK_CELLS)) if f"G{n}" not in there]
        assert all(any(f"G{n} is left out" in line["reason"] for line in rejected.values()) for n in lost)


def replaced(path: Path, part: str, content: Callable[[bytes], bytes]) -> Path:
    """The workbook with one part changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, old in parts.items():
            archive.writestr(name, content(old) if name == part else old)
    return path


SHEET = "xl/worksheets/sheet1.xml"
DTD = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 10_000 + b'">]>'
AS_A_SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
BROKEN: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "spaces": (SHEET, lambda old: old + b" " * 250 * MB),
    "entities": (SHEET, lambda old: DTD + old.replace(b"</sheetData>", b"&a;" * 10_000 + b"</sheetData>")),
    "entities of the book": ("xl/workbook.xml", lambda old: DTD + old),
    "deep": (SHEET, lambda old: old.replace(b"<sheetData>", b"<sheetData>" + b"<row>" * 200_000)),
    "far column": (SHEET, lambda old: old.replace(b'r="A2"', b'r="ZZZZZZZ2"')),
    "far row": (SHEET, lambda old: old.replace(b'<row r="2"', b'<row r="9999999999999"')),
    "long row": (SHEET, lambda old: old.replace(b"</row></sheetData>", b"<c/>" * 1_000_000 + b"</row></sheetData>")),
    "long text": (SHEET, lambda old: old.replace(b">A1<", b">" + b"a" * 100 * MB + b"<")),
    "beside": (SHEET, lambda old: old.replace(b"</worksheet>", b"<x/>" * 1_000_000 + b"</worksheet>")),
    "rows of a stranger": (SHEET, lambda old: old.replace(b"</sheetData>", b'<row xmlns="x"/>' * MB + b"</sheetData>")),
    "styles": ("xl/styles.xml", lambda old: old.replace(b"</cellXfs>", b"<xf/>" * 1_000_000 + b"</cellXfs>")),
    "styles in rows": ("xl/styles.xml", lambda old: AS_A_SHEET + b"<row/>" * 1_000_000 + b"</worksheet>"),
    "names": ("xl/workbook.xml", lambda old: old.replace(b"</workbook>", b"<x/>" * 1_000_000 + b"</workbook>")),
    "relations": ("xl/_rels/workbook.xml.rels", lambda old: AS_A_SHEET + b"<row/>" * 1_000_000 + b"</worksheet>"),
    "no number": (SHEET, lambda old: old.replace(b"<v>2</v>", b"<v>" + b"9" * 5000 + b"</v>")),
    "cut": (SHEET, lambda old: old[: len(old) // 2]),
    "types": ("[Content_Types].xml", lambda old: b"<a/>"),
    "not xml": ("xl/workbook.xml", lambda old: b"\x00" * 100),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_workbook_that_is_made_to_hurt_is_one_error_or_its_rows(
    a_house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("adapters.files.xlsx_rows.MOST_ROWS", 10_000)
    path = replaced(write_book(tmp_path, book_row("A1"), book_row("A2")), *BROKEN[kind])
    assert path.stat().st_size < MB
    try:
        with memory_of(80 * MB):
            report = await bring_in(a_house, path)
    except FileError as refused:
        assert len(str(refused)) < 2000 and "shop.xlsx" in str(refused)
        return
    assert report.imported + report.rejected_rows >= 1


async def test_a_part_with_a_password_is_one_error(a_house: House, tmp_path: Path) -> None:
    path = write_book(tmp_path, book_row("A1"))
    raw = path.read_bytes()
    for record, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # every entry says that it is encrypted
        at = raw.find(record)
        while at >= 0:
            raw = raw[: at + flags] + bytes([raw[at + flags] | 1]) + raw[at + flags + 1 :]
            at = raw.find(record, at + 4)
    path.write_bytes(raw)
    with pytest.raises(FileError, match="password"):
        await bring_in(a_house, path)
