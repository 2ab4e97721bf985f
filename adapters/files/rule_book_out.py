"""Writing a book of rules: a workbook for business people, a decision model (JDM) or YAML. Each reads back equal."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from adapters.files.cells import FORMULA_SIGNS
from adapters.files.errors import FileError
from adapters.files.rule_book_jdm import write_jdm
from ballast.domain.money import MINOR_DIGITS
from ballast.rules.books import Sheets
from ballast.rules.cells import NotReadable, read_cell, write_cell
from ballast.rules.columns import KIND_CHINESE, Column, Holds, Kind, SheetPlan
from ballast.rules.sheet_plans import OPTION_SHEET, OPTIONS, PLANS, find_option

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

ROWS_TO_COME: Final = 1_000
"""Empty rows below the last one that have drop-down lists too."""
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_HEAD: Final = PatternFill("solid", fgColor="DDEBF7")
_WIDE: Final = {Holds.EXPRESSION: 48, Holds.PROSE: 24, Holds.WORDS: 24, Holds.TIME: 20, Holds.END: 20, Holds.NAME: 18}


def write_rule_file(path: Path, kind: Kind, sheets: Sheets, *, version: int, chinese: bool) -> None:
    """Write canonical sheets by the file's ending, over an earlier file. `version`: the one that they are of, told to
    who edits them. Raises `FileError`."""
    writers: dict[str, Callable[[], None]] = {
        ".xlsx": lambda: _write_xlsx(path, kind, sheets, version, chinese=chinese),
        ".json": lambda: write_jdm(path, kind, sheets, version, chinese=chinese),
        ".yaml": lambda: _write_yaml(path, kind, sheets, version),
        ".yml": lambda: _write_yaml(path, kind, sheets, version),
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise FileError(f"{path.name}: a book of rules ends with .xlsx, .json or .yaml")
    try:
        writer()
    except OSError as wrong:
        raise FileError(f"{path}: cannot be written: {wrong.strerror}") from None


def _write_yaml(path: Path, kind: Kind, sheets: Sheets, version: int) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(f"# {kind} {KIND_CHINESE[kind]}\n\nkind: {kind}\nversion: {version}\n")
        for plan in PLANS[kind]:
            rows = sheets.get(plan.name, ())
            handle.write(f"\n{plan.name}:{'' if rows else ' []'} # {plan.chinese}\n")
            for row in rows:
                text = yaml.dump(
                    dict(row), Dumper=_DUMPER, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**9
                ).strip()
                handle.write(f"  - {text}\n")


# -- workbooks -----------------------------------------------------------------------------------------------------


def _write_xlsx(path: Path, kind: Kind, sheets: Sheets, version: int, *, chinese: bool) -> None:
    with path.open("wb") as handle:  # before the work is done for nothing
        book = Workbook()
        book.remove(book.worksheets[0])
        for plan in PLANS[kind]:
            sheet = book.create_sheet(plan.title(chinese=chinese))
            _write_sheet(sheet, kind, plan, sheets.get(plan.name, ()), chinese=chinese)
        _write_help(book.create_sheet("说明" if chinese else "help"), kind, chinese=chinese)
        _write_about(book.create_sheet("关于" if chinese else "about"), kind, version, chinese=chinese)
        book.save(handle)


def _write_sheet(sheet: "Worksheet", kind: Kind, plan: SheetPlan, rows: Any, *, chinese: bool) -> None:
    _write_head(sheet, [column.title(chinese=chinese) for column in plan.columns])
    for at, column in enumerate(plan.columns, start=1):
        shape = sheet.column_dimensions[get_column_letter(at)]
        shape.width = max(_WIDE.get(column.holds, 12), 2 * len(column.title(chinese=chinese)) + 2)
        shape.number_format = _format(column, "CNY")  # of cells that people fill below
        _offer_choices(sheet, at, column, len(rows), chinese=chinese)
    for number, row in enumerate(rows, start=2):
        currency = row.get("currency", "CNY")
        for at, column in enumerate(plan.columns, start=1):
            if text := row.get(column.name, ""):
                option = find_option(kind, row.get("option", ""))
                if option and chinese and column.name == "option":
                    text = option.chinese
                meant = option if option and column.holds is Holds.VALUE else column
                as_text = column.holds is Holds.VALUE
                _fill(sheet.cell(number, at), text, meant, currency, as_text=as_text, chinese=chinese)


def _write_head(sheet: "Worksheet", titles: list[str]) -> None:
    sheet.freeze_panes = "A2"
    for at, title in enumerate(titles, start=1):
        cell = sheet.cell(1, at, title)
        cell.font, cell.fill = Font(bold=True), _HEAD


def _format(column: Column, currency: str) -> str:
    if column.holds is Holds.MONEY:
        return str(Decimal(0).scaleb(-MINOR_DIGITS.get(currency, 2)))
    return "0" if column.holds is Holds.COUNT else "@"


def _fill(cell: Any, text: str, column: Column, currency: str, *, as_text: bool, chinese: bool) -> None:
    """Amounts and counts are numbers, every text stays a text: no program takes it for a formula."""
    if column.holds in (Holds.MONEY, Holds.COUNT) and not as_text:
        cell.value = Decimal(text) if column.holds is Holds.MONEY else int(text)
        cell.number_format = _format(column, currency)
        return
    shown = _translate(text, column, currency) if chinese else text
    if ILLEGAL_CHARACTERS_RE.search(shown):
        raise FileError(f"{cell.parent.title}!{cell.coordinate}: {shown[:40]!r} cannot stand in a workbook")
    cell.value = shown
    cell.data_type = "s"  # openpyxl takes `=...` for a formula
    cell.number_format = "@"
    cell.quotePrefix = shown.startswith(FORMULA_SIGNS)  # and so would a program in which the cell is edited
    if "\n" in shown:
        cell.alignment = Alignment(wrap_text=True, vertical="top")


def _translate(text: str, column: Column, currency: str) -> str:
    if column.holds is Holds.VALUE:
        return text
    try:
        return write_cell(read_cell(text, column, currency), column, currency, chinese=True)
    except NotReadable:  # it is written as it is, and reading it says what is wrong
        return text


def _offer_choices(sheet: "Worksheet", at: int, column: Column, rows: int, *, chinese: bool) -> None:
    words = _words_of(column, chinese=chinese)
    if not words:
        return
    offer = DataValidation(type="list", formula1=f'"{",".join(words)}"', allow_blank=True, showErrorMessage=True)
    offer.error = f"{'只能填' if chinese else 'one of'}: {', '.join(words)}"
    letter = get_column_letter(at)
    sheet.add_data_validation(offer)
    offer.add(f"{letter}2:{letter}{rows + 1 + ROWS_TO_COME}")


def _words_of(column: Column, *, chinese: bool) -> list[str]:
    """What may stand in a column that has a list of it."""
    if column.holds is Holds.FLAG:
        return ["是", "否"] if chinese else ["yes", "no"]
    return [(chinese and said.split("/")[0]) or word for word, said in column.choices.items()]


def _write_help(sheet: "Worksheet", kind: Kind, *, chinese: bool) -> None:
    heads = (
        ["工作表", "列", "填什么", "例", "可填"]
        if chinese
        else ["sheet", "column", "what to write", "example", "words"]
    )
    _write_head(sheet, heads)
    lines = [(plan.title(chinese=chinese), column) for plan in PLANS[kind] for column in plan.columns]
    lines += [(OPTION_SHEET.title(chinese=chinese), column) for column in OPTIONS[kind]]
    for number, (title, column) in enumerate(lines, start=2):
        words = ", ".join(_words_of(column, chinese=chinese))
        needed = ("必填. " if chinese else "needed. ") if column.needed else ""
        what = needed + (column.help_chinese if chinese else column.help)
        example = _example(kind, column, chinese=chinese)
        for at, text in enumerate((title, column.title(chinese=chinese), what, example, words), start=1):
            cell = sheet.cell(number, at, text)
            cell.data_type, cell.number_format = "s", "@"
    for letter, width in zip("ABCDE", (14, 18, 80, 36, 60), strict=True):
        sheet.column_dimensions[letter].width = width


def _example(kind: Kind, column: Column, *, chinese: bool) -> str:
    """Of the sheet of options: the first of this kind of book."""
    first = OPTIONS[kind][0]
    if column.name == "option":
        return first.title(chinese=chinese)
    shown = first if column.holds is Holds.VALUE else column
    return _translate(shown.example, shown, "CNY") if chinese and shown.example else shown.example


def _write_about(sheet: "Worksheet", kind: Kind, version: int, *, chinese: bool) -> None:
    told: Mapping[str, object] = (
        {"类型": kind.value, "基于版本": version, "请勿修改": "导入时据此核对"}
        if chinese
        else {"kind": kind.value, "base version": version, "leave as it is": "the import compares it"}
    )
    for name, value in told.items():
        sheet.append([name, value])
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 18, 24
