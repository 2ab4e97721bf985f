"""A book of rules in YAML: every sheet is a list of rows. The defaults under `rules/` are written so."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from ballast.domain.findings import Finding, Level
from ballast.rules.columns import Column, Kind, SheetPlan, closest
from ballast.rules.entries import RulesError
from ballast.rules.sheet_plans import find_sheet
from ballast.rules.written import MOST_BYTES, MOST_ROWS, WrittenBook, WrittenRow, unknown_sheet

MOST_DEPTH: Final = 10
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Twenty times as fast where it is there."""


def read_yaml_book(path: Path, kind: Kind | None = None) -> WrittenBook:
    """Places are `FILE:LINE`. Raises `RulesError` when the file cannot be used at all."""
    file = path.name
    top = _compose(path)
    pairs = list(_pairs(file, top))
    named = dict(pairs)
    if len(named) < len(pairs):
        twice = next(node for index, (name, node) in enumerate(pairs) if name in [other for other, _ in pairs[:index]])
        raise RulesError([f"{_place(file, twice)}: a key stands twice"])
    book = WrittenBook(_kind(file, named.get("kind"), kind), file, _version(file, named.get("version")), {})
    found: dict[str, list[WrittenRow]] = {}
    for title, node in pairs:
        if title in ("kind", "version"):
            continue
        plan = find_sheet(book.kind, title)
        if plan is None:
            book.findings.append(unknown_sheet(book.kind, title, _place(file, node)))
        elif plan.name in found:
            raise RulesError([f"{_place(file, node)}: the sheet {plan.name} {plan.chinese} stands twice"])
        else:
            found[plan.name] = _rows(book, plan, node)
    book.sheets = found
    return book


def _compose(path: Path) -> yaml.Node:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RulesError([f"{path}: larger than {MOST_BYTES // 2**20} MB: this is no book of rules"])
        text = path.read_bytes().decode("utf-8-sig")
        _refuse_tricks(path.name, text)
        node = yaml.compose(text, Loader=_LOADER)
    except OSError as error:
        raise RulesError([f"{path}: {error.strerror or 'cannot be read'}"]) from None
    except UnicodeDecodeError:
        raise RulesError([f"{path}: not UTF-8; save it as UTF-8"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise RulesError([f"{where}: {getattr(error, 'problem', None) or 'no YAML'}"]) from None
    if node is None:
        raise RulesError([f"{path}: the file is empty"])
    return node


def _refuse_tricks(file: str, text: str) -> None:
    """A few references to references are a file of billions of rows, and depth costs the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise RulesError([f"{file}:{line}: references (*{event.anchor}) are not used here: write it out"])
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise RulesError([f"{file}:{line}: nested too deeply"])


def _kind(file: str, node: yaml.Node | None, asked: Kind | None) -> Kind:
    said = str(node.value).strip() if isinstance(node, yaml.ScalarNode) else ""
    if node is None and asked is not None:
        return asked
    if said not in list(Kind):
        where = _place(file, node) if node is not None else file
        raise RulesError([f"{where}: `kind` has to say which rules these are: {', '.join(Kind)}"])
    if asked is not None and said != asked:
        raise RulesError([f"{_place(file, node)}: holds {said} rules, not {asked}"])
    return Kind(said)


def _version(file: str, node: yaml.Node | None) -> int | None:
    if node is None:
        return None
    if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(r"[0-9]{1,9}", str(node.value)):
        raise RulesError([f"{_place(file, node)}: `version` is the number of the version that this was made from"])
    return int(node.value)


def _rows(book: WrittenBook, plan: SheetPlan, node: yaml.Node) -> list[WrittenRow]:
    if _is_nothing(node):
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise RulesError([f"{_place(book.file, node)}: {plan.name} has to be a list of rows"])
    if len(node.value) > MOST_ROWS:
        raise RulesError([f"{_place(book.file, node)}: {plan.name} has more than {MOST_ROWS:,} rows"])
    known: dict[str, Column | None] = {}
    return [_row(book, plan, known, each) for each in node.value]


def _row(book: WrittenBook, plan: SheetPlan, known: dict[str, Column | None], node: yaml.Node) -> WrittenRow:
    """`known`: the columns that keys mean, found once for all rows."""
    cells: dict[str, object] = {}
    places: dict[str, str] = {}
    for title, value in _pairs(book.file, node):
        if title not in known:
            known[title] = plan.find(title)
        column, place = known[title], _place(book.file, value)
        if column is None:
            text = f"no column of {plan.name}{closest(title, [each.name for each in plan.columns])}"
            book.findings.append(
                Finding(Level.WARNING, "unknown column", f"{title[:40]!r} is {text}", place, title[:40])
            )
        elif column.name in cells:
            book.findings.append(Finding(Level.ERROR, "column twice", "stands twice in this row", place, title[:40]))
        else:
            cells[column.name], places[column.name] = _value(book.file, value), place
    return WrittenRow(_place(book.file, node), cells, places)


def _value(file: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.SequenceNode):
        return [_scalar(file, each) for each in node.value]
    return _scalar(file, node)


def _scalar(file: str, node: yaml.Node) -> str:
    if _is_nothing(node):
        return ""
    if not isinstance(node, yaml.ScalarNode):
        raise RulesError([f"{_place(file, node)}: a value has to stand here, no list and no keys"])
    return str(node.value)


def _is_nothing(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _pairs(file: str, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise RulesError([f"{_place(file, node)}: keys with values have to stand here"])
    for key, value in node.value:
        yield _scalar(file, key), value


def _place(file: str, node: yaml.Node | None) -> str:
    return f"{file}:{node.start_mark.line + 1}" if node is not None else file
