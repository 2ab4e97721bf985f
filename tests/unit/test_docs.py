"""The documents say what the code does: names, commands, settings, links. Prose is left to people."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
import yaml
from cyclopts import App
from pydantic import SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

import ballast.cli.alerts
import ballast.cli.backups
import ballast.cli.cancelling
import ballast.cli.channels
import ballast.cli.charting
import ballast.cli.customers
import ballast.cli.editing
import ballast.cli.incoming
import ballast.cli.ledger
import ballast.cli.machine
import ballast.cli.meanings
import ballast.cli.money
import ballast.cli.orders
import ballast.cli.pruning
import ballast.cli.quoting
import ballast.cli.reconciling
import ballast.cli.replaying
import ballast.cli.reporting
import ballast.cli.reserved
import ballast.cli.returning
import ballast.cli.risk
import ballast.cli.rule_trying
import ballast.cli.rules
import ballast.cli.stock
import ballast.cli.stock_limits
import ballast.cli.stock_view
import ballast.cli.upkeep
import ballast.cli.watching  # noqa: F401  # they register their commands
from adapters.storefronts.direct.webhook import DirectHook
from ballast.cli import app
from ballast.domain.rules.facts import FACTS
from ballast.domain.rules.windows import Figure, Subject
from ballast.domain.words import HOLD_LABELS, PAID_WAITING, STATE_LABELS
from ballast.ports import HookRequest
from ballast.rules.sheet_plans import OPTIONS, PLANS
from ballast.settings import DirectSettings, Part, Settings

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def documents() -> list[str]:
    """Every document of ours, by its path from the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "adapters").rglob("*.md")]
    found += [ROOT / "web" / "README.md", ROOT / "sim" / "README.md"]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def prose(name: str) -> str:
    """A document without its code blocks: a `#` in there is no heading, and brackets are no links."""
    return re.sub(r"^```.*?^```$", "", text(name), flags=re.MULTILINE | re.DOTALL)


def commands(group: App, path: str = "ballast") -> Iterator[tuple[str, App]]:
    """(what people type, its app) of every command, groups opened."""
    for name in group:
        if name.startswith("-"):
            continue
        if group[name].default_command and list(commands(group[name])):
            yield f"{path} {name}", group[name]  # a group that does something by itself
        below = list(commands(group[name], f"{path} {name}"))
        yield from below or [(f"{path} {name}", group[name])]


def options(command: App) -> list[str]:
    """The options of a command that are not given by position, as they are typed."""
    arguments = command.assemble_argument_collection()
    return [one.name for one in arguments if one.field_info.kind is one.field_info.KEYWORD_ONLY]


def part_of(field: FieldInfo) -> type[Part] | None:
    """The branch of the settings tree that a field holds, if it is one."""
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    return next((kind for kind in kinds if issubclass(kind, Part)), None)


@cache
def setting_fields() -> dict[str, FieldInfo]:
    """Variable -> the field that it sets."""
    fields = {}
    for name, field in Settings.model_fields.items():
        part = part_of(field)
        below = {f"{name}__{inner}": one for inner, one in part.model_fields.items()} if part else {name: field}
        fields |= {f"BALLAST_{one}".upper(): its_field for one, its_field in below.items()}
    return fields


def setting_names() -> list[str]:
    return list(setting_fields())


WORDS = {"README.md": ("**needed**", "none", "empty"), "README.zh-CN.md": ("**必填**", "无", "空")}
"""What stands for no default, for one that is nothing, and for the empty text."""


def says_the_default(cell: str, field: FieldInfo, readme: str) -> bool:
    """Whether a cell of a settings table is the default that the code has."""
    needed, none, empty = WORDS[readme]
    default = field.get_default(call_default_factory=True)
    if field.is_required():
        return cell == needed
    if default in (None, "", ()):
        return cell == (empty if default == "" else none)
    written = cell.removeprefix("`").removesuffix("`")
    value = orjson.loads(written) if isinstance(default, dict | bool) else written
    return cell == f"`{written}`" and TypeAdapter(type(default)).validate_python(value) == default


def env_example() -> dict[str, str]:
    return dict(re.findall(r"^# (BALLAST_[A-Z0-9_]+)=(.*)$", text(".env.example"), re.MULTILINE))


@pytest.mark.parametrize("readme", READMES)
def test_every_state_and_hold_reason_stands_there_with_both_labels(readme: str) -> None:
    rows = [line for line in text(readme).splitlines() if line.startswith("| `")]
    words = {str(word): label for word, label in (*STATE_LABELS.items(), *HOLD_LABELS.items())}
    for word, label in words.items():
        assert [r for r in rows if f"| `{word}` |" in r and f" {label.en} |" in r and f" {label.zh} |" in r], word
    for label in HOLD_LABELS.values():
        assert (label.advice_zh if readme == "README.zh-CN.md" else label.advice_en) in text(readme)
    assert PAID_WAITING.zh in text(readme)
    assert PAID_WAITING.en in text(readme)


def command_of(row: str, found: list[tuple[str, App]]) -> str:
    """Which command a row of the table is about: the longest name that it begins with."""
    named = [command for command, _ in found if re.match(rf"\| `{command}[ `]", row)]
    return max(named, key=len, default="")


@pytest.mark.parametrize("readme", READMES)
def test_every_command_stands_there_with_its_options(readme: str) -> None:
    rows = [line for line in text(readme).splitlines() if line.startswith("| `ballast ")]
    found = list(commands(app))
    assert len(found) > 8
    for command, its_app in found:
        [row] = [line for line in rows if command_of(line, found) == command]
        assert [name for name in options(its_app) if name not in row] == [], command


@pytest.mark.parametrize("readme", READMES)
def test_no_command_stands_there_that_does_not_exist(readme: str) -> None:
    typed = re.findall(r"^\| `(ballast [a-z -]*[a-z])", text(readme), re.MULTILINE)
    assert {line.strip() for line in typed} == {command for command, _ in commands(app)}


@pytest.mark.parametrize("readme", READMES)
def test_every_deployment_stands_there(readme: str) -> None:
    names = [one["name"] for one in yaml.safe_load(text("prefect.yaml"))["deployments"]]
    found = re.findall(r"^\| `([a-z-]+)` \|", text(readme), re.MULTILINE)
    assert [name for name in found if "-" in name or name in names] == names


@pytest.mark.parametrize("path", sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("adapters/*/*/README.md")))
def test_an_adapter_says_what_happens_when_an_outcome_is_not_known(path: str) -> None:
    headings = re.findall(r"^## (.+)$", prose(path), re.MULTILINE)
    assert {"After a time-out", "After a yes that was none"} <= set(headings)


@pytest.mark.parametrize("readme", READMES)
def test_every_setting_stands_there(readme: str) -> None:
    named = re.findall(r"^\| `(BALLAST_[A-Z0-9_]+)` \|", text(readme), re.MULTILINE)
    assert sorted(named) == sorted(setting_names())


@pytest.mark.parametrize("readme", READMES)
def test_every_setting_stands_there_with_its_default(readme: str) -> None:
    cells = dict(re.findall(r"^\| `(BALLAST_[A-Z0-9_]+)` \| (.+?) \| ", text(readme), re.MULTILINE))
    wrong = [name for name, field in setting_fields().items() if not says_the_default(cells[name], field, readme)]
    assert wrong == []


def test_the_readmes_are_kept_in_step() -> None:
    english, chinese = ([len(h) for h in re.findall(r"^(#+) ", prose(name), re.MULTILINE)] for name in READMES)
    assert english == chinese
    english_links, chinese_links = (set(re.findall(r"\]\(([^)]+)\)", prose(name))) for name in READMES)
    assert {link.replace(".zh-CN", "") for link in english_links} == {
        link.replace(".zh-CN", "") for link in chinese_links
    }


def test_the_example_file_names_every_setting_and_no_other() -> None:
    assert sorted(env_example()) == sorted(setting_names())


def test_the_example_file_is_usable_and_shows_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every line taken in: it is accepted, and what has a default shows just that."""
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in env_example().items()), encoding="utf-8")
    shown = Settings(_env_file=file)
    for name, field in Settings.model_fields.items():
        value: Any = getattr(shown, name)
        if isinstance(value, Part):
            assert differing(value) == [], name
        elif field.default is not None:
            assert value == field.default, name


def differing(part: Part) -> list[str]:
    """Fields that have a default and show another value. An empty default may show an example."""
    wrong = []
    for name, field in type(part).model_fields.items():
        usual = field.get_default(call_default_factory=True)
        if not field.is_required() and usual not in (None, "", ()) and getattr(part, name) != usual:
            wrong.append(name)
    return wrong


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    known = setting_names()
    for document in documents():
        for name in re.findall(r"BALLAST_[A-Z0-9_]*[A-Z0-9]", text(document)):
            assert any(one == name or one.startswith(f"{name}_") for one in known), (document, name)


@pytest.mark.parametrize("document", documents())
def test_every_link_leads_somewhere(document: str) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(document)):
        if not re.match(r"[a-z]+:", link):
            assert (ROOT / document).parent.joinpath(link).exists(), link


@pytest.mark.parametrize("document", documents())
def test_every_make_target_exists(document: str) -> None:
    code = " ".join(re.findall(r"`+[^`]+`+", text(document)))
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:[A-Z]+=\S+ )?([a-z-]+)", code)) <= targets


@pytest.mark.parametrize("readme", READMES)
def test_the_example_of_a_push_is_accepted(readme: str) -> None:
    [block] = re.findall(r"^```python\n(.*?)^```$", text(readme), re.MULTILINE | re.DOTALL)
    example: dict[str, Any] = {}
    exec(compile(ast.parse(block), readme, "exec"), example)
    now = datetime(2026, 1, 5, 1, 0, 30, tzinfo=UTC)
    body, headers = example["signed"](example["ORDER"], now.timestamp())
    given = {name.lower(): value for name, value in headers.items()}
    request = HookRequest(method="POST", query={}, headers=given, body=body)
    [message] = DirectHook(DirectSettings(secret=SecretStr(example["SECRET"]))).receive(request, now).messages
    assert message.order_no == example["ORDER"]["order_no"]


def test_every_lesson_names_tests_that_exist() -> None:
    lines = [line for line in text("docs/lessons.md").splitlines() if line.startswith("| ")][1:]
    assert [line.split(".")[0].removeprefix("| ") for line in lines[:15]] == [str(number) for number in range(1, 16)]
    for line in lines:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", line)
        assert named, line
        for file, test in named:
            assert re.search(rf"^(async )?def {test}\(", text(file), re.MULTILINE), f"{file}::{test}"


@pytest.mark.parametrize("page", ["docs/rules.md", "docs/rules.zh-CN.md"])
def test_every_column_option_and_fact_of_rules_stands_there_with_both_names(page: str) -> None:
    rows = [line for line in text(page).splitlines() if line.startswith("| ")]
    columns = [column for plans in PLANS.values() for plan in plans for column in plan.columns]
    columns += [option for options in OPTIONS.values() for option in options]
    names = [(one.name, one.chinese) for one in columns if one.name not in ("option", "value")]
    assert [
        pair for pair in names if not any(f"| `{pair[0]}` |" in row and f"| {pair[1]} |" in row for row in rows)
    ] == []
    for fact, said in FACTS.items():
        assert [row for row in rows if f"| `{fact}` |" in row and (said.en in row or said.zh in row)], fact
    for word in (*Subject, *Figure):
        assert f"`{word}`" in text(page), word
    assert {
        word for column in columns for word in column.choices.values() if word.split("/")[0] not in text(page)
    } == set()
