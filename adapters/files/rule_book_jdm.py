"""A book of rules as a decision model in the open JDM format: one decision table per sheet, collecting every row that
holds. Engines evaluate it as it is; what asks nothing (prices, titles, notes) are outputs. It reads back equal.

Facts that its columns ask for: customer, tier, sku, series, quantity, at (local time of China, or with an offset),
channel, first_order, and what conditions name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from adapters.files.errors import FileError
from ballast.domain.findings import Finding, Level
from ballast.rules.books import Sheets
from ballast.rules.cells import Broken, read_cell
from ballast.rules.columns import KIND_CHINESE, Column, Holds, Kind, SheetPlan, closest
from ballast.rules.sheet_plans import PLANS, find_sheet, guess_kinds
from ballast.rules.written import MOST_ROWS, WrittenBook, WrittenRow, sheet_names

_FACTS: Final[Mapping[str, Mapping[str, str]]] = {
    "products": {"sku": "sku"},
    "tiers": {"tier": "tier"},
    "prices": {
        "customer": "customer", "tier": "tier", "sku": "sku", "series": "series", "from_quantity": "quantity",
        "starts": "at", "ends": "at",
    },
    "promotions": {
        "channels": "channel", "tiers": "tier", "customers": "customer", "starts": "at", "ends": "at",
        "first_order": "first_order", "when": "", "on": "",
    },
    "rules": {"when": "", "on": ""},
    "places": {"provinces": "province", "on": ""},
    "strategies": {
        "channels": "channel", "tiers": "tier", "provinces": "province", "skus": "sku", "on": "",
    },
    "options": {"option": "option"},
}  # fmt: skip
"""Sheet -> column that asks -> the fact that it asks for; empty: the cell is a condition by itself."""

_CONTENT: Final = "application/vnd.gorules.decision"
_ZONE: Final = "Asia/Shanghai"
_CHINA: Final = ZoneInfo(_ZONE)
_PIECE: Final = r"\"[^\"]*\"|'[^']*'|`[^`]*`"
_TEXT: Final = re.compile(rf"({_PIECE})(\s*\+\s*({_PIECE}))*", re.DOTALL)
_ITEM: Final = re.compile(rf"\s*({_TEXT.pattern})\s*(,|$)", re.DOTALL)
_MOMENT: Final = re.compile(r'd\(\$, ?"Asia/Shanghai"\) ?(>=|<) ?d\("([0-9: -]{16,19})", ?"Asia/Shanghai"\)')
_AT_LEAST: Final = re.compile(r">=\s*([0-9]+)")
_TITLE: Final = re.compile(r"(\w+) v([0-9]{1,9})\b.*")


# -- writing -------------------------------------------------------------------------------------------------------


def write_jdm(path: Path, kind: Kind, sheets: Sheets, version: int, *, chinese: bool) -> None:
    """Raises OSError, and `FileError` for a text that the language of the cells cannot say."""
    nodes = [_node("input", "inputNode", f"{kind} v{version} {KIND_CHINESE[kind]}", 0, 0, {"schema": ""})]
    edges = []
    for place, plan in enumerate(PLANS[kind]):
        table = _table(plan, sheets.get(plan.name, ()), chinese=chinese)
        nodes.append(_node(plan.name, "decisionTableNode", plan.title(chinese=chinese), 320, 160 * place, table))
        edges += [_edge("input", plan.name), _edge(plan.name, "output")]
    nodes.append(_node("output", "outputNode", "output", 640, 0, {"schema": ""}))
    model = {"contentType": _CONTENT, "nodes": nodes, "edges": edges}
    path.write_bytes(orjson.dumps(model, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _node(key: str, kind: str, name: str, x: int, y: int, content: object) -> dict[str, object]:
    return {"id": key, "type": kind, "name": name, "position": {"x": x, "y": y}, "content": content}


def _edge(source: str, target: str) -> dict[str, object]:
    return {"id": f"{source}-{target}", "type": "edge", "sourceId": source, "targetId": target}


def _table(plan: SheetPlan, rows: Sequence[Mapping[str, str]], *, chinese: bool) -> dict[str, object]:
    asks = _FACTS[plan.name]
    named = [{"id": column.name, "name": column.title(chinese=chinese)} for column in plan.columns]
    return {
        "hitPolicy": "collect",
        "passThrough": False,
        "inputField": None,
        "outputPath": plan.name,
        "executionMode": "single",
        "inputs": [{**each, "field": asks[each["id"]]} for each in named if each["id"] in asks],
        "outputs": [{**each, "field": each["id"]} for each in named if each["id"] not in asks],
        "rules": [
            {"_id": f"{plan.name}-{number}", **{each.name: _cell(plan, each, row) for each in plan.columns}}
            for number, row in enumerate(rows, start=1)
        ],
    }  # fmt: skip


def _cell(plan: SheetPlan, column: Column, row: Mapping[str, str]) -> str:
    text = row.get(column.name, "")
    if not text or column.holds is Holds.EXPRESSION:
        return text
    if column.holds is Holds.FLAG:
        return "true" if read_cell(text, column) else "false"
    if column.name not in _FACTS[plan.name]:
        return text if column.holds in (Holds.MONEY, Holds.COUNT) else _quote(text)
    if column.holds is Holds.COUNT:
        return f">= {text}"
    if column.holds in (Holds.TIME, Holds.END):
        local = read_cell(text, column).astimezone(_CHINA)
        sign = ">=" if column.holds is Holds.TIME else "<"
        return f'd($, "{_ZONE}") {sign} d("{local:%Y-%m-%d %H:%M:%S}", "{_ZONE}")'
    words = read_cell(text, column) if column.holds is Holds.WORDS else (text,)
    return ", ".join(map(_quote, words))


def _quote(text: str) -> str:
    """The language has no escapes: a text with quotes of one kind stands in those of the other, one with both is put
    together."""
    pieces = re.findall(r'[^"]+|"+', text) if '"' in text and "'" in text else [text]
    return " + ".join(f"'{piece}'" if '"' in piece else f'"{piece}"' for piece in pieces)


# -- reading -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Model:
    """A model while it is read."""

    file: str
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, text: str) -> FileError:
        return FileError(f"{self.file}: {text}")

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [node for node in self.nodes.values() if node["type"] == kind]


def read_jdm(path: Path, asked: Kind | None) -> WrittenBook:
    """Only models that `write_jdm` could have written, cells aside. Raises `FileError`."""
    model = _Model(path.name)
    data = _load(model, path)
    _take_nodes(model, data.get("nodes"))
    _check_edges(model, data.get("edges"))
    tables = model.of_type("decisionTableNode")
    kind, base = _read_title(model, [table["name"] for table in tables], asked)
    sheets: dict[str, list[WrittenRow]] = {}
    for table in tables:
        plan = find_sheet(kind, table["name"])
        if plan is None:
            raise model.refuse(f"the table {table['name'][:40]!r} is none of {kind} rules: {sheet_names(kind)}")
        if plan.name in sheets:
            raise model.refuse(f"the table {plan.name} {plan.chinese} is there twice: which one is meant?")
        sheets[plan.name] = _rows(model, plan, table.get("content"))
    return WrittenBook(kind, path.name, base, sheets, model.findings)


def _load(model: _Model, path: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as wrong:
        raise model.refuse(f"is not JSON: {wrong}") from None
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list) or not isinstance(data.get("edges"), list):
        raise model.refuse("is no decision model (JDM): it has to have nodes and edges")
    return data


def _take_nodes(model: _Model, nodes: Any) -> None:
    for node in nodes:
        if not isinstance(node, dict) or not all(isinstance(node.get(key), str) for key in ("id", "type", "name")):
            raise model.refuse("a node without id, type and name")
        if node["type"] not in ("inputNode", "outputNode", "decisionTableNode"):
            raise model.refuse(
                f"the node {node['name'][:40]!r} is a {node['type'][:40]}: rules are decision tables only, "
                "nothing reads functions, expressions, switches or other decisions"
            )
        if node["id"] in model.nodes:
            raise model.refuse(f"two nodes have the id {node['id'][:40]!r}")
        model.nodes[node["id"]] = node
    for kind in ("inputNode", "outputNode"):
        if len(model.of_type(kind)) != 1:
            raise model.refuse(f"has {len(model.of_type(kind))} nodes of type {kind}, not one")


def _check_edges(model: _Model, edges: Any) -> None:
    """Tables stand beside each other: one that feeds another would mean something that nothing reads."""
    source, target = (model.of_type(kind)[0]["id"] for kind in ("inputNode", "outputNode"))
    tables = [node["id"] for node in model.of_type("decisionTableNode")]
    wanted = {pair for table in tables for pair in ((source, table), (table, target))}
    ends = [edge if isinstance(edge, dict) else {} for edge in edges]
    found = {(str(edge.get("sourceId", "?")), str(edge.get("targetId", "?"))) for edge in ends}
    for a, b in sorted(found ^ wanted):
        names = [model.nodes[key]["name"][:40] if key in model.nodes else key[:40] for key in (a, b)]
        what = "is missing" if (a, b) in wanted else "does not belong"
        raise model.refuse(f"the connection from {names[0]!r} to {names[1]!r} {what}: input - every table - output")


def _read_title(model: _Model, tables: list[str], asked: Kind | None) -> tuple[Kind, int | None]:
    found = _TITLE.fullmatch(model.of_type("inputNode")[0]["name"])
    kinds = [Kind(found[1])] if found and found[1] in list(Kind) else guess_kinds(tables)
    if not kinds and asked:
        kinds = [asked]
    if len(kinds) != 1:
        raise model.refuse(f"which rules are these? Its tables are {', '.join(tables)[:200] or 'none'}")
    if asked is not None and kinds[0] is not asked:
        raise model.refuse(f"holds {kinds[0]} rules, not {asked}")
    return kinds[0], int(found[2]) if found else None


def _rows(model: _Model, plan: SheetPlan, content: Any) -> list[WrittenRow]:
    rules = content.get("rules") if isinstance(content, dict) else None
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise model.refuse(f"the table {plan.name} has no rows")
    if content.get("hitPolicy") != "collect":
        raise model.refuse(f"the table {plan.name} has to collect every row that holds: hit policy collect")
    if len(rules) > MOST_ROWS:
        raise model.refuse(f"the table {plan.name} has more than {MOST_ROWS:,} rows")
    columns = _columns(model, plan, content)
    return [_row(model, plan, columns, number, rule) for number, rule in enumerate(rules, start=1)]


def _columns(model: _Model, plan: SheetPlan, content: Mapping[str, Any]) -> dict[str, Column]:
    """Our column by the id that it has in this file."""
    found: dict[str, Column] = {}
    asks = _FACTS[plan.name]
    for side in ("inputs", "outputs"):
        columns = content.get(side) or []
        if not isinstance(columns, list):
            raise model.refuse(f"the table {plan.name}: {side} has to be a list")
        for told in columns:
            key, name = (str(told.get(part, "")) if isinstance(told, dict) else "" for part in ("id", "name"))
            column = plan.find(key) or plan.find(name)
            if column is None:
                near = closest(name, [each.name for each in plan.columns])
                raise model.refuse(f"the table {plan.name} has a column {name[:40]!r} that nothing reads{near}")
            if column in found.values():
                raise model.refuse(f"the table {plan.name} has the column {column.name} {column.chinese} twice")
            asked = asks.get(column.name)
            if (asked is not None) != (side == "inputs") or (asked is not None and (told.get("field") or "") != asked):
                what = "a result" if asked is None else f"a condition over {asked!r}" if asked else "a condition"
                raise model.refuse(f"the table {plan.name}: {column.name} {column.chinese} has to be {what}")
            found[key] = column
    return found


def _row(
    model: _Model, plan: SheetPlan, columns: Mapping[str, Column], number: int, rule: Mapping[str, Any]
) -> WrittenRow:
    place = f"{plan.name}, row {number}"
    for key in rule:
        if key not in columns and not key.startswith("_"):
            text = f"{key[:40]!r} is no column of this table"
            model.findings.append(Finding(Level.WARNING, "unknown column", text, place, key[:40]))
    return WrittenRow(
        place, {columns[key].name: _read(plan, columns[key], rule[key]) for key in columns if key in rule}
    )


def _read(plan: SheetPlan, column: Column, cell: Any) -> object:
    """What the cell says, in the form in which it stands in a spreadsheet."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if not isinstance(cell, str):
        return Broken(f"{str(cell)[:40]!r} is not a text: cells of a decision table are")
    said = cell.strip()
    if column.holds in (Holds.EXPRESSION, Holds.FLAG):
        return said
    if column.name not in _FACTS[plan.name] and column.holds in (Holds.MONEY, Holds.COUNT):
        return said
    if column.holds is Holds.COUNT:
        found = _AT_LEAST.fullmatch(said)
        return found[1] if found else Broken(f"{said[:40]!r} is not written like >= 10")
    if column.holds in (Holds.TIME, Holds.END):
        return _moment(column, said)
    if column.holds is Holds.WORDS:
        words = _words(said)
        return (
            words[0]
            if words and column.name not in _FACTS[plan.name] and len(words) == 1
            else words or _not_quoted(said)
        )
    return _unquote(said) if _TEXT.fullmatch(said) else _not_quoted(said)


def _not_quoted(said: str) -> Broken:
    return Broken(f'{said[:40]!r} is not a text in quotes, such as "gold"')


def _moment(column: Column, said: str) -> object:
    sign = ">=" if column.holds is Holds.TIME else "<"
    found = _MOMENT.fullmatch(said)
    if found is None or found[1] != sign:
        like = f'd($, "{_ZONE}") {sign} d("2026-12-12 00:00:00", "{_ZONE}")'
        return Broken(f"{said[:60]!r} is not written like {like}")
    try:
        return datetime.fromisoformat(found[2]).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return Broken(f"{found[2]!r} is not a time")


def _words(said: str) -> list[str]:
    """`"a", "b"`; nothing when it is something else."""
    words, at = [], 0
    while at < len(said):
        found = _ITEM.match(said, at)
        if found is None:
            return []
        words.append(_unquote(found[1]))
        at = found.end()
    return words


def _unquote(said: str) -> str:
    return "".join(piece[1:-1] for piece in re.findall(_PIECE, said, re.DOTALL))
