"""Books of rules in files: what is written reads back equal, what a person does to a workbook is told with its cell."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from adapters.files.errors import FileError
from adapters.files.rule_books import read_rule_file, write_rule_file
from ballast.domain.findings import Finding, Level
from ballast.domain.rules.prices import PriceKind, PriceRow, PriceSet, Product
from ballast.domain.rules.promotions import Promotion, PromotionKind, PromotionSet
from ballast.rules.books import Kind, RuleSet, default_book, read_book, sheets_of, written_of
from ballast.rules.sheet_plans import PLANS
from tests.adapters.files.rule_sets import SETS, exactly

BOOK = PriceSet(
    products={
        "TEA-399": Product(sku="TEA-399", name="明前龙井", series="green-tea", list_price=39900, floor=28000),
        "CUP-1": Product(sku="CUP-1", list_price=2900),
    },
    tiers=("gold",),
    tier_notes={"gold": "from 100,000 a year on"},
    rows=(
        PriceRow(row="gold-100", kind=PriceKind.TIER, tier="gold", series="green-tea", from_quantity=100, price=32900),
        PriceRow(row="c1001", kind=PriceKind.CONTRACT, customer="C1001", sku="TEA-399", price=31500, note="=1+1"),
        PriceRow(
            row="double-12", kind=PriceKind.LIMITED, pays=9000,
            starts=datetime(2026, 12, 11, 16, tzinfo=UTC), ends=datetime(2026, 12, 12, 16, tzinfo=UTC),
        ),
    ),
)  # fmt: skip
Edit = Callable[[Any], None]
shown = datetime.fromisoformat
"""What a cell shows: local, without a zone."""


def export(path: Path, rules: RuleSet = BOOK, kind: Kind = Kind.PRICE, *, chinese: bool = False) -> Path:
    write_rule_file(path, kind, sheets_of(rules), version=7, chinese=chinese)
    return path


def edited(
    tmp_path: Path, edit: Edit, rules: RuleSet = BOOK, kind: Kind = Kind.PRICE, *, chinese: bool = False
) -> Path:
    """Exported, opened, changed and saved as a person does."""
    path = export(tmp_path / "book.xlsx", rules, kind, chinese=chinese)
    book = load_workbook(path)
    edit(book)
    book.save(path)
    return path


def read(path: Path) -> tuple[Any, list[Finding]]:
    return read_book(read_rule_file(path))


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(each.level.value, each.place, each.column) for each in findings]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("ending", ["xlsx", "json", "yaml"])
def test_what_is_written_reads_back_equal(tmp_path: Path, kind: Kind, ending: str) -> None:
    @settings(max_examples=25 if ending == "xlsx" else 80)
    @given(rules=SETS[kind], chinese=st.booleans())
    def check(rules: RuleSet, chinese: bool) -> None:
        path = export(tmp_path / f"b.{ending}", rules, kind, chinese=chinese)
        written = read_rule_file(path)
        again, findings = read_book(written)
        assert (written.kind, written.base) == (kind, 7)
        assert [str(each) for each in findings if each.level is Level.ERROR] == []
        assert exactly(again) == exactly(rules)
        assert sheets_of(again) == sheets_of(rules)

    check()


@pytest.mark.parametrize("kind", Kind)
def test_sheets_read_back_equal(kind: Kind) -> None:
    @given(rules=SETS[kind])
    def check(rules: RuleSet) -> None:
        again, _ = read_book(written_of(kind, sheets_of(rules)))
        assert exactly(again) == exactly(rules)

    check()


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("ending", ["xlsx", "json", "yaml"])
def test_the_defaults_go_through_every_format(tmp_path: Path, kind: Kind, ending: str) -> None:
    rules = default_book(kind)
    for chinese in (True, False):
        assert read(export(tmp_path / f"b.{ending}", rules, kind, chinese=chinese)) == (rules, [])


def test_an_export_in_chinese_reads_like_one_in_english(tmp_path: Path) -> None:
    chinese, english = export(tmp_path / "a.xlsx", chinese=True), export(tmp_path / "b.xlsx")
    assert load_workbook(chinese).sheetnames == ["商品", "客户等级", "价格", "选项", "说明", "关于"]
    sheet = load_workbook(chinese)["价格"]
    assert [cell.value for cell in sheet[1]][:4] == ["行名", "类型", "客户", "等级"]
    assert [sheet["B2"].value, sheet["K4"].value, sheet["M2"].value] == ["阶梯价", "9折", "是"]
    assert exactly(read(chinese)[0]) == exactly(read(english)[0]) == exactly(BOOK)
    assert read(chinese)[1] == read(english)[1] == []


def test_a_workbook_is_made_for_people(tmp_path: Path) -> None:
    book = load_workbook(export(tmp_path / "b.xlsx"))
    sheet: Worksheet = book["prices"]
    assert (sheet.freeze_panes, sheet["A1"].font.b) == ("A2", True)
    lists = {str(each.sqref): each.formula1 for each in sheet.data_validations.dataValidation}
    assert lists["B2:B1004"] == '"contract,tier,limited"'
    assert lists["M2:M1004"] == '"yes,no"'
    assert (sheet["J2"].value, sheet["J2"].number_format) == (329, "0.00")
    assert (sheet["N3"].value, sheet["N3"].data_type, sheet["N3"].quotePrefix) == ("=1+1", "s", True)
    explained = {(row[0].value, row[1].value) for row in book["help"].iter_rows(min_row=2)}
    assert explained >= {(plan.name, column.name) for plan in PLANS[Kind.PRICE] for column in plan.columns}
    assert ("options", "precedence") in explained


def test_a_person_edits_an_export(tmp_path: Path) -> None:
    def edit(book: Workbook) -> None:
        sheet = book["价格"]
        sheet["J2"] = 319.5
        sheet.append(["新行", "限时价", None, None, "TEA-399", None, None, shown("2026-12-24"), shown("2026-12-25")])
        sheet["K5"], sheet["K5"].number_format = 0.85, "0%"
        sheet["H5"].number_format = sheet["I5"].number_format = "yyyy/m/d"
        book["选项"]["B2"] = "否"

    rules, findings = read(edited(tmp_path, edit, chinese=True))
    assert findings == []
    assert rules.rows[0].price == 31950
    assert rules.rows[3] == PriceRow(
        row="新行", kind=PriceKind.LIMITED, sku="TEA-399", pays=8500,
        starts=datetime(2026, 12, 23, 16, tzinfo=UTC), ends=datetime(2026, 12, 25, 16, tzinfo=UTC),
    )  # fmt: skip
    assert (rules.rows[3].place, rules.options.gate) == ("价格!5", False)


def put(sheet: str, cell: str, value: object, form: str = "General") -> Edit:
    def edit(book: Workbook) -> None:
        book[sheet][cell] = value
        book[sheet][cell].number_format = form

    return edit


BAD_CELLS: list[tuple[str, str, object, str, str]] = [
    ("prices", "J2", "about 300", "price", "is text, not an amount: write digits only"),
    ("prices", "J2", "399元", "price", "is text, not an amount"),
    ("prices", "J2", "３９９", "price", "full-width digits: write 399"),
    ("prices", "G2", "１００", "from_quantity", "full-width digits: write 100"),
    ("prices", "J2", "1,299.00", "price", "separators in it: write 1299.00"),
    ("prices", "J2", 399.005, "price", "399.005 has more decimals than CNY has"),
    ("prices", "J2", -1, "price", "-1 is negative"),
    ("prices", "J2", True, "price", "True is not an amount"),
    ("prices", "J2", shown("2026-01-05"), "price", "is not an amount"),
    ("prices", "J2", 10**13, "price", "more than anything costs"),
    ("prices", "J2", "#N/A", "price", "the formula error #N/A"),
    ("prices", "J2", "=1+2", "price", "a formula without a value"),
    ("prices", "G2", 1.5, "from_quantity", "is not a whole number"),
    ("prices", "G2", 0, "from_quantity", "not between 1 and"),
    ("prices", "K4", 90, "pays", "90 alone would be 90折: write 9折 or 90% (pays 90 %), or 90% off"),
    ("prices", "K4", 9, "pays", "write 9折 (pays 90 %), or 9%"),
    ("prices", "K4", 0.9, "pays", "write 9折 (pays 90 %) or 0.9折 (pays 9 %)"),
    ("prices", "K4", "９折", "pays", "full-width digits: write 9折"),
    ("prices", "K4", "90折", "pays", "more than the whole price: write 9折, which pays 90 %"),
    ("prices", "K2", "90%", "pays", "only a limited 限时价 row"),
    ("prices", "B2", "limitted", "kind", "did you mean limited?"),
    ("prices", "B2", "限时", "kind", "is none of contract 合同价, tier 阶梯价, limited 限时价; did you mean 限时价?"),
    ("prices", "H2", "12/12/2026", "starts", "is not a time: write 2026-12-12"),
    ("prices", "H2", "2026-02-30", "starts", "is not a time"),
    ("prices", "H2", 46368, "starts", "is not a time"),
    ("prices", "M2", 1, "tax_included", "neither yes nor no"),
    ("prices", "L2", "RMB", "currency", "is none of BRL, CNY"),
    ("prices", "C3", shown("2026-01-05"), "customer", "is a date, not a text"),
    ("prices", "C3", "C1\u200b001", "customer", "a character that nobody sees (U+200B)"),
    ("prices", "C3", "C1\n001", "customer", "a line break"),
    ("prices", "A3", "gold-100", "row", "stands at prices!A2 already"),
    ("prices", "A3", None, "row", "row 行名 is missing"),
    ("prices", "J3", None, "price", "gives no price"),
    ("prices", "Q3", "stray", "", "under no column name"),
    ("products", "A3", "TEA-399", "sku", "stands at products!A2 already"),
    ("products", "E2", "28o", "floor", "is text, not an amount"),
    ("tiers", "A3", 12345678901234567890, "tier", "more digits than a spreadsheet keeps"),
    ("options", "A3", "gate", "option", "stands at options!A2 already"),
    ("options", "A3", "tolerence", "option", "is no option"),
    ("options", "B3", "1%", "value", "not an amount"),
    ("options", "B4", "1", "value", "is not a percentage: write 1%, or 100%"),
    ("options", "B6", "contract, tier", "value", "limited 限时价 is missing"),
]  # fmt: skip


def form_of(value: object) -> str:
    return "yyyy-mm-dd" if isinstance(value, datetime) else "General"


@pytest.mark.parametrize(("sheet", "cell", "value", "column", "says"), BAD_CELLS)
def test_a_bad_cell_is_named(tmp_path: Path, sheet: str, cell: str, value: object, column: str, says: str) -> None:
    _, findings = read(edited(tmp_path, put(sheet, cell, value, form_of(value))))
    found = [each for each in findings if each.level is Level.ERROR]
    assert told(found) == [("error", f"{sheet}!{cell}", column)]
    assert says in found[0].text


def test_a_bad_cell_is_named_as_a_chinese_reader_calls_it(tmp_path: Path) -> None:
    _, findings = read(edited(tmp_path, put("价格", "J2", "３９９"), chinese=True))
    assert str(findings[0]) == "error: 价格!J2, column 单价: '３９９' has full-width digits: write 399"


def test_what_floats_add_is_no_amount(tmp_path: Path) -> None:
    assert read(edited(tmp_path, put("prices", "J2", 0.1 + 0.2)))[0].rows[0].price == 30
    assert read(edited(tmp_path, put("prices", "J2", 399.00000000000006)))[0].rows[0].price == 39900


def test_midnight_in_ends_is_what_the_cell_shows(tmp_path: Path) -> None:
    at = shown("2026-12-31")
    day = read(edited(tmp_path, put("prices", "I2", at, "yyyy-mm-dd")))[0].rows[0].ends
    moment = read(edited(tmp_path, put("prices", "I2", at, "yyyy-mm-dd hh:mm")))[0].rows[0].ends
    assert (day, moment) == (datetime(2026, 12, 31, 16, tzinfo=UTC), datetime(2026, 12, 30, 16, tzinfo=UTC))
    _, findings = read(edited(tmp_path, put("prices", "I2", shown("2026-12-31 08:00"), "yyyy-mm-dd")))
    assert told(findings) == [("error", "prices!I2", "ends")]
    assert "hides the time 08:00:00" in findings[0].text


def test_merged_cells_are_refused(tmp_path: Path) -> None:
    _, findings = read(edited(tmp_path, lambda book: book["prices"].merge_cells("D2:D4")))
    assert told(findings) == [("error", "prices!D2:D4", "")]
    assert "unmerge them" in findings[0].text


def test_what_is_hidden_is_told(tmp_path: Path) -> None:
    def hide(book: Workbook) -> None:
        book["prices"].row_dimensions[3].hidden = True
        book["prices"].column_dimensions["N"].hidden = True
        book["tiers"].sheet_state = "hidden"

    rules, findings = read(edited(tmp_path, hide))
    assert exactly(rules) == exactly(BOOK)
    assert told(findings) == [("warning", "tiers", ""), ("warning", "prices!3", ""), ("warning", "prices!N", "")]


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    def move(book: Workbook) -> None:
        sheet = book["prices"]
        sheet.move_range("A1:A4", cols=20)
        sheet["U1"], sheet["J1"] = " 行 名 ", "PRICE"

    rules, findings = read(edited(tmp_path, move))
    assert (exactly(rules), findings) == (exactly(BOOK), [])


def test_a_column_twice_a_missing_one_and_an_unknown_one(tmp_path: Path) -> None:
    def spoil(book: Workbook) -> None:
        book["prices"]["N1"] = "单价"
        book["products"]["A1"] = "skuu"

    _, findings = read(edited(tmp_path, spoil))
    assert told(findings) == [
        ("error", "products", "sku"), ("error", "prices!N1", "单价"), ("warning", "products!A1", "skuu"),
    ]  # fmt: skip
    assert "stands twice, at prices!J1 too" in findings[1].text
    assert "did you mean sku?" in findings[2].text


def test_sheets_that_are_missing_unknown_or_there_twice(tmp_path: Path) -> None:
    def spoil(book: Workbook) -> None:
        book["tiers"].title = "tierz"

    _, findings = read(edited(tmp_path, spoil))
    assert [each.kind for each in findings] == ["missing sheet", "unknown sheet"]
    assert "did you mean tiers?" in findings[1].text
    with pytest.raises(FileError, match="prices 价格 is there twice"):
        read(edited(tmp_path, lambda book: book.create_sheet("价格")))
    with pytest.raises(FileError, match="holds price rules, not risk"):
        read_rule_file(export(tmp_path / "b.xlsx"), Kind.RISK)


def test_a_workbook_without_about_says_by_its_sheets_what_it_is(tmp_path: Path) -> None:
    written = read_rule_file(edited(tmp_path, lambda book: book.remove(book["about"])))
    assert (written.kind, written.base) == (Kind.PRICE, None)
    book = Workbook()
    book.save(tmp_path / "other.xlsx")
    with pytest.raises(FileError, match="which rules are these"):
        read_rule_file(tmp_path / "other.xlsx")


def test_findings_are_bounded_and_errors_come_first(tmp_path: Path) -> None:
    def spoil(book: Workbook) -> None:
        for number in range(2, 300):
            book["prices"].cell(number, 10).value = "x"
            book["prices"].cell(number, 1).value = f"r{number}"
            book["prices"].cell(number, 2).value = "tier"
        book.create_sheet("notes")

    _, findings = read(edited(tmp_path, spoil))
    assert len(findings) == 101
    assert {each.level for each in findings} == {Level.ERROR}
    assert findings[-1].text == "... and 200 more"


def test_a_book_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export(tmp_path / "b.xlsx")
    monkeypatch.setattr("adapters.files.rule_books.MOST_ROWS", 2)
    with pytest.raises(FileError, match="more than 2 rows"):
        read_rule_file(path)
    monkeypatch.setattr("adapters.files.rule_books.MOST_BYTES", 100)
    with pytest.raises(FileError, match="is this a book of rules"):
        read_rule_file(path)


@pytest.mark.parametrize("name", ["b.csv", "b.xls", "b.txt", "missing.xlsx"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    if name.startswith("b"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(FileError, match=r"ends with|cannot be read"):
        read_rule_file(tmp_path / name)


@pytest.mark.parametrize("ending", ["xlsx", "json", "yaml"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, ending: str) -> None:
    for content in (b"", b"\xff\xfe\x00garbage", b"[" * 100_000, b"PK\x03\x04"):
        path = tmp_path / f"b.{ending}"
        path.write_bytes(content)
        with pytest.raises(FileError):
            read_rule_file(path, Kind.PRICE)


def promotion_file(tmp_path: Path, **cells: object) -> tuple[Any, list[Finding]]:
    """A workbook with one coupon of which some cells are written anew."""
    rules = PromotionSet(promotions=(Promotion(name="p", kind=PromotionKind.COUPON, code="NEW30", off=3000),))

    def edit(book: Workbook) -> None:
        at = {cell.value: cell.column for cell in book["promotions"][1]}
        for name, value in cells.items():
            book["promotions"].cell(2, at[name]).value = value  # type: ignore[assignment]  # whatever a cell takes

    return read(edited(tmp_path, edit, rules, Kind.PROMOTION))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"off": None}, ["error P2 off"]),
        ({"pays": "9折"}, ["error R2 pays"]),
        ({"code": None}, ["error W2 code"]),
        ({"kind": "满减", "per_multiple": "是"}, ["error O2 threshold", "warning W2 code"]),
        ({"kind": "percent"}, ["error R2 pays", "warning P2 off", "warning W2 code"]),
        ({"off": None, "pays": "free"}, ["error R2 pays"]),
        ({"priority": "high"}, ["error E2 priority"]),
        ({"skus": "A，B、C;D\nE"}, []),
        ({"skus": "Ａ1"}, ["warning F2 skus"]),
        ({"when": True}, []),
    ],
)  # fmt: skip
def test_the_cells_of_a_promotion_have_to_go_together(
    tmp_path: Path, cells: dict[str, object], expected: list[str]
) -> None:
    findings = told(promotion_file(tmp_path, **cells)[1])
    assert [f"{level} {place.removeprefix('promotions!')} {column}" for level, place, column in findings] == expected


def test_words_have_any_separator_that_people_type(tmp_path: Path) -> None:
    rules, _ = promotion_file(tmp_path, skus="A，B、C;D\nE； F,,A", when=True)
    assert rules.promotions[0].skus == ("A", "B", "C", "D", "E", "F")
    assert rules.promotions[0].when == "true"
