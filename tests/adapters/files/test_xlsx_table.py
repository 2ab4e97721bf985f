"""A workbook for finance: amounts can be calculated with, and no text from outside is ever a formula."""

from pathlib import Path

import pytest
from openpyxl import load_workbook

from adapters.files.errors import FileError
from adapters.files.xlsx_table import write_table
from ballast.domain.money import Money


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain", "=cmd|' /C calc'!A0"])
def test_a_text_stays_a_text(tmp_path: Path, text: str) -> None:
    file = tmp_path / "list.xlsx"
    write_table(file, "refunds", ("why",), [(text,)])
    cell = load_workbook(file).worksheets[0]["A2"]
    assert (cell.value, cell.data_type) == (text, "s")
    assert cell.quotePrefix == (text != "plain")


def test_amounts_are_numbers_and_what_no_workbook_can_hold_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "list.xlsx"
    write_table(file, "refunds", ("a", "b", "c", "d"), [(Money(1234), Money(50, "JPY"), None, "x\x00\x1b\ud800y")])
    [_, line] = load_workbook(file).worksheets[0].iter_rows()
    assert [cell.value for cell in line] == [12.34, 50, None, "x\\ud800y"]
    assert [cell.number_format for cell in line[:2]] == ['0.00 "CNY"', '0 "JPY"']


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        write_table(tmp_path / "no" / "list.xlsx", "refunds", ("a",), [])
    with pytest.raises(FileError, match=r"ends with \.xlsx"):
        write_table(tmp_path / "list.csv", "refunds", ("a",), [])
