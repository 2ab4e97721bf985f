"""A status map as a file: what is written reads back equal, and hostile files are one clear error."""

import csv
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from adapters.dictionary import known, own_entries
from adapters.files import status_map
from adapters.files.errors import FileError
from adapters.files.status_map import COLUMNS, MapFile, escape, read_map, unescape
from adapters.files.status_map_out import Shown, write_map
from ballast.domain.status_check import check_rows
from ballast.domain.status_map import Entry, clean_note, overlaid
from ballast.domain.words import Event, HoldReason, System

OWN = own_entries()
FEW = dict(list(OWN.items())[::20])
ENDINGS = (".yaml", ".csv", ".xlsx")
HEADER = "system,field,code,event,reason,note\n"

LETTERS = st.characters(
    blacklist_categories=["Cc", "Cs", "Cn", "Co"], blacklist_characters="\u2028\u2029\x85\ufeff\ufffe\uffff"
)
SIGNS = st.sampled_from(["", "=", "+", "-", "@", "'", "'=", "''@", '"', "#", "- ", "{", "_x0041_", " ", "0", "1e5"])
TEXT = st.builds(lambda sign, rest: sign + rest, SIGNS, st.text(LETTERS, max_size=12))
CODES = TEXT.filter(lambda text: bool(text.strip()))
NOTES = st.builds(lambda one, two: clean_note(f"{one}\n{two}"), TEXT, TEXT)
MEANT = st.sampled_from([
    (Event.SCANNED, None), (Event.NOTED, None), (Event.PARCEL_SIGNED, None), (Event.HELD, HoldReason.COURIER_DAMAGED),
])  # fmt: skip
ENTRIES = st.builds(lambda code, meant, note: Entry(System.KDNIAO, "StateEx", code, *meant, note), CODES, MEANT, NOTES)


def read_back(path: Path) -> MapFile:
    found = read_map(path)
    assert found.findings == []
    return found


# -- there and back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
@given(added=st.lists(ENTRIES, max_size=6), version=st.integers(0, 10**6), chinese=st.booleans())
def test_what_is_written_reads_back_equal(
    tmp_path: Path, ending: str, added: list[Entry], version: int, chinese: bool
) -> None:
    wanted = overlaid(FEW, added)
    path = tmp_path / f"map{ending}"
    write_map(path, Shown([wanted[key] for key in sorted(wanted)], OWN, version, chinese=chinese))
    found = read_back(path)
    assert found.version == version
    assert len(found.rows) == len(wanted)
    checked = check_rows(found.rows, known(), columns=found.columns)
    wrong = [one for one in checked.errors if one.kind not in ("contradictory", "adapter's own")]
    assert (wrong, checked.entries) == ([], wanted)


@given(TEXT)
def test_an_escaped_text_is_no_formula_and_comes_back(text: str) -> None:
    assert unescape(escape(text)) == text
    assert not escape(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("code", ["=1+1", "+86", "-1", "@SUM(A1)", "'=x", "'plain"])
def test_nothing_in_a_csv_file_is_a_formula(tmp_path: Path, code: str) -> None:
    path = tmp_path / "map.csv"
    one = Entry(System.KDNIAO, "StateEx", code, Event.NOTED, note=f"{code} as a note")
    write_map(path, Shown([one], OWN, 3))
    with path.open(encoding="utf-8-sig", newline="") as handle:
        cells = [cell for row in csv.reader(handle) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    assert [(row.code, row.note) for row in read_back(path).rows] == [(code, f"{code} as a note")]


def test_nothing_in_a_workbook_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "map.xlsx"
    write_map(path, Shown([Entry(System.KDNIAO, "StateEx", "=1+1", Event.NOTED, note="@x")], OWN, 3))
    [sheet] = load_workbook(path).worksheets
    assert sheet.title == "status_map"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} == {"s"}


# -- as people leave them ------------------------------------------------------------------------------------------


def csv_file(tmp_path: Path, text: str, encoding: str = "utf-8-sig") -> Path:
    path = tmp_path / "map.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", ["system,field,code,event", "系统,字段,状态码,事件", " System ,FIELD,Code,Our event"]
)
def test_headers_in_both_languages_with_any_delimiter(tmp_path: Path, header: str, mark: str, encoding: str) -> None:
    text = f"{header}\nkdniao,StateEx,208,SCANNED\n".replace(",", mark)
    [row] = read_back(csv_file(tmp_path, text, encoding)).rows
    assert (row.place, row.system, row.field, row.code, row.event) == (
        "map.csv, line 2", "kdniao", "StateEx", "208", "SCANNED",
    )  # fmt: skip


def test_empty_lines_are_no_rows_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    text = "system,field,code,event,map_version\n\n,,,,\n,,,,4\nkdniao,StateEx,208,SCANNED,4\n\n"
    found = read_back(csv_file(tmp_path, text))
    assert ([row.place for row in found.rows], found.version) == (["map.csv, line 5"], 4)


def test_a_number_that_a_sheet_made_of_a_code_is_text_again(tmp_path: Path) -> None:
    book = Workbook()
    for values in (["system", "field", "code", "event"], ["kdniao", "StateEx", 208, "SCANNED"], [None] * 4):
        book.active.append(values)  # type: ignore[union-attr]  # a new workbook has a sheet
    book.save(tmp_path / "map.xlsx")
    [row] = read_back(tmp_path / "map.xlsx").rows
    assert (row.code, row.place) == ("208", "map.xlsx, sheet Sheet, row 2")


def test_a_cell_that_is_no_text_is_told_with_row_and_column(tmp_path: Path) -> None:
    book = Workbook()
    for values in (["系统", "字段", "代码", "事件"], ["kdniao", "Success", False, "NOTED"]):
        book.active.append(values)  # type: ignore[union-attr]  # a new workbook has a sheet
    book.save(tmp_path / "map.xlsx")
    found = read_map(tmp_path / "map.xlsx")
    assert [str(one) for one in found.findings] == [
        "error: map.xlsx, sheet Sheet, row 2, column 代码: False is a bool, not a text: format the column as text"
    ]


def test_yaml_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    rows = "- {system: kdniao, field: Success, code: false, event: NOTED}\n- 系统: kdniao\n  代码: 0010\n"
    path.write_text(f"version: 7\ncodes:\n{rows}", encoding="utf-8-sig")
    found = read_back(path)
    assert found.version == 7
    assert [(row.code, row.place) for row in found.rows] == [
        ("false", "map.yaml, line 3"),
        ("0010", "map.yaml, line 4"),
    ]


def test_a_column_that_is_not_read_is_told(tmp_path: Path) -> None:
    found = read_map(csv_file(tmp_path, "system,field,code,event,owner\nkdniao,StateEx,208,SCANNED,li\n"))
    assert [str(one) for one in found.findings] == ["warning: map.csv: the column 'owner' is not read"]


# -- hostile files -------------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(FileError) as refusal:
        read_map(path)
    return str(refusal.value)


def test_gbk_is_refused_with_the_line_and_what_to_do(tmp_path: Path) -> None:
    text = f"{HEADER}kdniao,StateEx,208,SCANNED,,moves\nkdniao,StateEx,209,SCANNED,,到达自提点\n"
    assert refused(csv_file(tmp_path, text, "gb18030")) == (
        "map.csv, line 3: is not UTF-8 (GBK, perhaps): save it as «CSV UTF-8» (另存为 «CSV UTF-8»), or as .xlsx"
    )


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("system,field,code,code,event", "has the column code more than once"),
        ("system,field,code,代码,event", "has the column code more than once"),
        ("order_no,status", "has no column system (系统), field (字段), code (代码), event (事件)"),
        ("", "has no column"),
    ],
)
def test_a_header_that_is_none(tmp_path: Path, header: str, words: str) -> None:
    assert words in refused(csv_file(tmp_path, f"{header}\n"))


def test_a_quote_that_does_not_close_costs_its_row(tmp_path: Path) -> None:
    text = f'{HEADER}kdniao,StateEx,"208,SCANNED,,\nkdniao,StateEx,209,SCANNED,,\n'
    found = read_map(csv_file(tmp_path, text))
    assert [row.code for row in found.rows] == ["209"]
    assert [one.place for one in found.findings] == ["map.csv, line 2"]


def test_a_row_of_another_width_is_told(tmp_path: Path) -> None:
    found = read_map(csv_file(tmp_path, f"{HEADER}kdniao,StateEx,208,SCANNED\n"))
    assert (found.rows, found.findings[0].place) == ([], "map.csv, line 2")


@pytest.mark.parametrize(("versions", "words"), [("4,5", "put together from two exports"), ("x", "is no version")])
def test_a_version_that_cannot_be(tmp_path: Path, versions: str, words: str) -> None:
    rows = [f"kdniao,StateEx,{code},NOTED,{said}" for code, said in enumerate(versions.split(","))]
    found = read_map(csv_file(tmp_path, "\n".join(["system,field,code,event,map_version", *rows])))
    assert words in found.findings[0].text and found.findings[0].column == "map_version"


def test_a_formula_that_was_never_calculated_is_an_empty_cell(tmp_path: Path) -> None:
    book = Workbook()
    for values in (["system", "field", "code", "event"], ["kdniao", "StateEx", '=HYPERLINK("http://x")', "SCANNED"]):
        book.active.append(values)  # type: ignore[union-attr]  # a new workbook has a sheet
    book.save(tmp_path / "map.xlsx")
    found = read_back(tmp_path / "map.xlsx")
    assert [one.kind for one in check_rows(found.rows, known()).errors if one.place] == ["no code"]


def test_a_workbook_of_several_sheets_says_which(tmp_path: Path) -> None:
    book = Workbook()
    book.create_sheet("prices")
    book.save(tmp_path / "map.xlsx")
    assert "which sheet is the status map? Call it status_map; there are Sheet, prices" in refused(
        tmp_path / "map.xlsx"
    )
    sheet = book.create_sheet("status_map")
    for values in (["system", "field", "code", "event"], ["kdniao", "StateEx", "208", "SCANNED"]):
        sheet.append(values)
    book.save(tmp_path / "map.xlsx")
    assert [row.place for row in read_back(tmp_path / "map.xlsx").rows] == ["map.xlsx, sheet status_map, row 2"]


def test_a_workbook_of_another_table_is_refused(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["SKU", "price"])  # type: ignore[union-attr]  # a new workbook has a sheet
    book.save(tmp_path / "map.xlsx")
    assert refused(tmp_path / "map.xlsx").endswith("its first row has SKU, price")


def test_files_that_are_too_large_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ends with .yaml, .csv or .xlsx" in refused(tmp_path / "map.txt")
    assert "cannot be read" in refused(tmp_path / "missing.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is no file" in refused(tmp_path / "folder.csv")
    (tmp_path / "text.xlsx").write_text("system,field")
    assert "is not a readable XLSX workbook" in refused(tmp_path / "text.xlsx")
    monkeypatch.setattr(status_map, "MOST_ROWS", 2)
    rows = "".join(f"kdniao,StateEx,{code},NOTED,,\n" for code in range(3))
    assert "more than 2 rows" in refused(csv_file(tmp_path, HEADER + rows))
    monkeypatch.setattr(status_map, "MOST_BYTES", 100)
    assert "is this a status map?" in refused(csv_file(tmp_path, HEADER + rows))


def test_a_workbook_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            archive.writestr(f"xl/{number}.xml", b" " * 25 * 2**20)
    assert "MB unpacked" in refused(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("codes: [\n", "is not YAML"),
        ("- a\n", "keys with values have to stand here"),
        ("version: 1\nrows: []\n", "'rows' is no key here; there are version and codes"),
        ("version: 1\n", "`codes` has to be a list"),
        ("version: [1]\ncodes: []\n", "line 1: a text has to stand here"),
        ("version: 1\ncodes:\n- {system: {a: b}}\n", "line 3: a text has to stand here"),
        ("version: 1\ncodes:\n- kdniao\n", "line 3: keys with values"),
        ("a: &a [x]\nb: &b [*a, *a]\ncodes: *b\n", "no key here"),
        ("codes: " + "[" * 2000, "is not YAML"),
    ],
)
def test_yaml_that_is_no_status_map(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "map.yaml").write_text(text, encoding="utf-8")
    assert words in refused(tmp_path / "map.yaml")


@pytest.mark.parametrize("row", ["{system: kdniao, system: qimen}", "{system: kdniao, colour: red}"])
def test_a_yaml_row_with_a_wrong_key_is_told_with_its_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "map.yaml").write_text(f"version: 1\ncodes:\n- {row}\n", encoding="utf-8")
    found = read_map(tmp_path / "map.yaml")
    assert (found.rows, [one.place for one in found.findings]) == ([], ["map.yaml, line 3"])


@pytest.mark.parametrize("ending", [".yaml", ".csv"])
@given(cuts=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 9), st.binary(max_size=4)), min_size=1, max_size=8))
def test_a_bent_file_is_refused_or_read_and_nothing_else(
    tmp_path: Path, ending: str, cuts: list[tuple[int, int, bytes]]
) -> None:
    path = tmp_path / f"map{ending}"
    write_map(path, Shown(list(FEW.values()), OWN, 1))
    raw = path.read_bytes()
    for at, length, instead in cuts:
        raw = raw[:at] + instead + raw[at + length :]
    path.write_bytes(raw)
    try:
        found = read_map(path)
    except FileError as refusal:
        assert str(refusal).startswith(path.name)
    else:
        check_rows(found.rows, known(), columns=found.columns)


def test_the_columns_are_named_in_both_languages() -> None:
    assert len(set(COLUMNS.values())) == len(COLUMNS) == 9
