"""A status map as people write it, YAML, CSV or XLSX: its rows as texts, each with its place. What they say is checked
elsewhere (`ballast/domain/status_check.py`)."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NoReturn

import yaml

from adapters.files import csv_rows, xlsx_rows
from adapters.files.cells import FORMULA_SIGNS, Cell, CellError, is_empty, read_text
from adapters.files.errors import FileError, check_size
from adapters.files.rows import Row as FileRow
from adapters.files.tables import DELIMITERS
from ballast.domain.findings import Finding, Level
from ballast.domain.status_check import Row

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_YAML: Final = 2 * 1024 * 1024
MOST_ROWS: Final = 20_000
SHEET: Final = "status_map"

COLUMNS: Final[Mapping[str, str]] = {
    "system": "系统",
    "field": "字段",
    "code": "代码",
    "event": "事件",
    "reason": "挂起原因",
    "state": "标准状态",
    "note": "备注",
    "origin": "来源",
    "map_version": "字典版本",
}
"""Our columns in both languages, in the order in which they are written."""

OTHER_NAMES: Final[Mapping[str, str]] = {
    "状态码": "code",
    "状态代码": "code",
    "their code": "code",
    "our event": "event",
    "hold reason": "reason",
    "说明": "note",
    "版本": "map_version",
}
NEEDED: Final = ("system", "field", "code", "event")
WRITTEN: Final = ("system", "field", "code", "event", "reason", "note")
"""What people write; the others are computed, and a row that has nothing else is empty."""

_NAMES: Final = {**{name: name for name in COLUMNS}, **{zh: name for name, zh in COLUMNS.items()}, **OTHER_NAMES}
_ESCAPED: Final = re.compile(r"'+[=+\-@\t\r]")


@dataclass(slots=True)
class MapFile:
    """A file that was read. `columns`: what it calls our columns. `version`: the one that it was made from, if told."""

    file: str
    version: int | None = None
    rows: list[Row] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, place: str, column: str, text: str) -> None:
        self.findings.append(Finding(Level.ERROR, "unreadable", text, place, self.columns.get(column, column)))

    def add(self, row: Row) -> None:
        if len(self.rows) == MOST_ROWS:
            raise FileError(f"{self.file}: more than {MOST_ROWS} rows: is this a status map?")
        self.rows.append(row)

    def tell_version(self, place: str, said: str) -> None:
        """Every row may repeat it; they have to agree."""
        if not re.fullmatch(r"[0-9]{1,9}", said):
            self.wrong(place, "map_version", f"{said[:40]!r} is no version: leave the column as it was exported")
        elif self.version is None:
            self.version = int(said)
        elif self.version != int(said):
            what = f"{said} here, {self.version} in rows before: this file was put together from two exports"
            self.wrong(place, "map_version", what)


def read_map(path: Path) -> MapFile:
    """Read a file by its ending. Raises `FileError` when it cannot be used at all."""
    readers = {".yaml": _read_yaml, ".yml": _read_yaml, ".csv": _read_csv, ".xlsx": _read_xlsx, ".xlsm": _read_xlsx}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileError(f"{path.name}: a status map ends with .yaml, .csv or .xlsx")
    check_size(path, MOST_BYTES, "a status map")
    return reader(path)


# -- tables --------------------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> MapFile:
    _check_text(path)
    headers = {each: csv_rows.read_header(path, "utf-8", each) for each in DELIMITERS}
    best = max(DELIMITERS, key=lambda each: len({_named(cell) for cell in headers[each]} - {""}))
    header = headers[best]
    found = _open_table(path.name, path.name, header)
    _read_rows(found, header, csv_rows.read_rows(path, "utf-8", best, len(header)), unescape)
    return found


def _read_xlsx(path: Path) -> MapFile:
    names = xlsx_rows.sheet_names(path)
    if SHEET not in names and len(names) > 1:
        raise FileError(
            f"{path.name}: which sheet is the status map? Call it {SHEET}; there are {', '.join(names)[:200]}"
        )
    sheet = SHEET if SHEET in names else names[0]
    _, header = xlsx_rows.read_header(path, sheet)
    found = _open_table(path.name, f"{path.name}, sheet {sheet}", header)
    _read_rows(found, header, xlsx_rows.read_rows(path, sheet, len(header)), str)
    return found


def _open_table(file: str, where: str, header: Sequence[Cell]) -> MapFile:
    names = [_named(cell) for cell in header]
    there = ", ".join(_header_text(cell)[:40] for cell in islice(header, 20)) or "none"
    if missing := [f"{name} ({COLUMNS[name]})" for name in NEEDED if name not in names]:
        raise FileError(f"{where}: has no column {', '.join(missing)}; its first row has {there}")
    if double := sorted({name for name in names if name and names.count(name) > 1}):
        raise FileError(f"{where}: has the column {', '.join(double)} more than once: which one is meant?")
    found = MapFile(file, columns={name: _header_text(header[names.index(name)]) for name in names if name})
    for cell, name in zip(header, names, strict=True):
        if not name and _header_text(cell):
            text = f"the column {_header_text(cell)[:40]!r} is not read"
            found.findings.append(Finding(Level.WARNING, "unknown column", text, where))
    return found


def _read_rows(found: MapFile, header: Sequence[Cell], rows: Iterable[FileRow], plain: Callable[[str], str]) -> None:
    """`plain`: a text as it was before it was written safely."""
    places = {name: place for place, name in enumerate(map(_named, header)) if name}
    for row in rows:
        place = _place(row)
        if row.problem:
            found.wrong(place, "", row.problem)
            continue
        if not row.cells or all(is_empty(row.cells[places[name]]) for name in WRITTEN if name in places):
            continue
        texts = {name: _text(found, place, name, row.cells[at], plain) for name, at in places.items()}
        if said := texts.get("map_version"):
            found.tell_version(place, said)
        if None not in texts.values():
            found.add(Row(place, *(texts.get(name) or "" for name in (*WRITTEN, "state"))))


def _place(row: FileRow) -> str:
    sheet, mark, number = row.line.rpartition("!")
    return f"{row.file}, sheet {sheet}, row {number}" if mark else f"{row.file}, line {row.line}"


def _text(found: MapFile, place: str, name: str, cell: Cell, plain: Callable[[str], str]) -> str | None:
    """None when it cannot be read, which is told. Only a code keeps the blanks around it."""
    try:
        text = read_text(cell)
    except CellError as wrong:
        found.wrong(place, name, str(wrong))
        return None
    return plain(cell) if name == "code" and isinstance(cell, str) else plain(text)


def _named(cell: Cell) -> str:
    """Our name of a column, in whatever language it is written; empty when it is none of ours."""
    return _NAMES.get(_header_text(cell).lower(), "")


def _header_text(cell: Cell) -> str:
    try:
        return read_text(cell)
    except CellError:
        return ""


def _check_text(path: Path) -> None:
    """Raises `FileError` with the line when it is not UTF-8: half a dictionary in question marks helps nobody."""
    raw = path.read_bytes()
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        what = "is not UTF-8 (GBK, perhaps): save it as «CSV UTF-8» (另存为 «CSV UTF-8»), or as .xlsx"
        raise FileError(f"{path.name}, line {line}: {what}") from None


def escape(text: str) -> str:
    """A text that no spreadsheet program takes for a formula: an apostrophe before one that begins like it."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) or _ESCAPED.match(text) else text


def unescape(text: str) -> str:
    """What `escape` made it of."""
    return text[1:] if _ESCAPED.match(text) else text


# -- YAML ----------------------------------------------------------------------------------------------------------


def _read_yaml(path: Path) -> MapFile:
    raw = path.read_bytes()
    if len(raw) > MOST_YAML:
        raise FileError(f"{path.name}: larger than {MOST_YAML // 2**20} MB: is this a status map?")
    _check_text(path)
    found = MapFile(path.name, columns={name: name for name in COLUMNS})
    try:
        top = yaml.compose(raw.decode("utf-8-sig"), Loader=yaml.BaseLoader)
        parts = dict(_pairs(path.name, top)) if top is not None else {}
        for name, node in parts.items():
            if name not in ("version", "codes"):
                raise FileError(f"{_line(path.name, node)}: {name[:40]!r} is no key here; there are version and codes")
        if "version" in parts:
            found.tell_version(_line(path.name, parts["version"]), _scalar(path.name, parts["version"]))
        _read_codes(found, parts.get("codes"))
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise FileError(f"{path.name}: is not YAML: {wrong}") from None
    return found


def _read_codes(found: MapFile, codes: yaml.Node | None) -> None:
    if not isinstance(codes, yaml.SequenceNode):
        where = _line(found.file, codes) if codes is not None else found.file
        raise FileError(
            f"{where}: `codes` has to be a list of rows: - {{system: ..., field: ..., code: ..., event: ...}}"
        )
    for node in codes.value:
        place = _line(found.file, node)
        texts: dict[str, str] = {}
        for name, value in _pairs(found.file, node):
            ours = _NAMES.get(name.strip().lower(), "")
            if not ours or ours in texts:
                found.wrong(place, name[:40], "stands twice in this row" if ours else "is no column of a status map")
                break
            texts[ours] = _scalar(found.file, value)
        else:
            row = {name: text if name == "code" else text.strip() for name, text in texts.items()}
            if any(row.get(name) for name in WRITTEN):
                found.add(Row(place, *(row.get(name, "") for name in (*WRITTEN, "state"))))


def _pairs(file: str, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise FileError(f"{_line(file, node)}: keys with values have to stand here")
    for key, value in node.value:
        yield _scalar(file, key), value


def _scalar(file: str, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        _not_a_text(file, node)
    return str(node.value)


def _not_a_text(file: str, node: yaml.Node) -> NoReturn:
    raise FileError(f"{_line(file, node)}: a text has to stand here, no list and no keys")


def _line(file: str, node: yaml.Node) -> str:
    return f"{file}, line {node.start_mark.line + 1}"
