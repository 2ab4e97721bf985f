"""Books of rules in YAML and as sheets of the database: places, mistakes, and the defaults that come with Ballast."""

from pathlib import Path

import pytest

from ballast.domain.findings import Level
from ballast.domain.rules.prices import PriceSet
from ballast.domain.rules.promotions import PromotionSet
from ballast.domain.rules.risk import RiskSet
from ballast.rules.book_yaml import read_yaml_book
from ballast.rules.books import Kind, default_book, read_book, written_of
from ballast.rules.entries import RulesError
from ballast.rules.sheet_plans import OPTIONS, PLANS

RISK = "kind: risk\nrules: []\noptions: []\n"


def book(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "b.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_change_nothing_for_prices_and_promotions() -> None:
    assert default_book(Kind.PRICE) == PriceSet()
    assert default_book(Kind.PROMOTION) == PromotionSet()
    rules = default_book(Kind.RISK)
    assert isinstance(rules, RiskSet)
    assert rules.rules


@pytest.mark.parametrize("kind", [Kind.PRICE, Kind.PROMOTION])
def test_the_examples_in_the_defaults_are_right(tmp_path: Path, kind: Kind) -> None:
    text = Path(f"rules/{kind}.yaml").read_text(encoding="utf-8").replace(": []", ":").replace("#  - {", "  - {")
    rules, findings = read_book(read_yaml_book(book(tmp_path, text)))
    assert findings == []
    assert not isinstance(rules, RiskSet)
    assert len(rules.rows if isinstance(rules, PriceSet) else rules.promotions) == 3


def test_a_mistake_in_the_defaults_names_its_line(tmp_path: Path) -> None:
    path = book(tmp_path, 'kind: risk\nrules:\n  - {name: a, when: "true", score: many}\noptions: []\n')
    with pytest.raises(RulesError, match=r"b\.yaml:3, column score: 'many' is text, not a whole number"):
        default_book(Kind.RISK, path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("- 1", "b.yaml:1: keys with values have to stand here"),
        ("rules: []", "`kind` has to say which rules these are: price, promotion, risk"),
        ("kind: prize", "b.yaml:1: `kind` has to say"),
        (f"{RISK}kind: risk", "b.yaml:4: a key stands twice"),
        (f"{RISK}version: new", "b.yaml:4: `version` is the number"),
        (f"{RISK}风控: []", "b.yaml:4: the sheet rules 风控 stands twice"),
        ("kind: risk\nrules: x", "b.yaml:2: rules has to be a list of rows"),
        ("kind: risk\nrules:\n  - x", "b.yaml:3: keys with values"),
        ("kind: risk\nrules:\n  - {name: {a: b}}", "b.yaml:3: a value has to stand here"),
        ("kind: risk\nrules:\n  - &a {name: x}\n  - *a", r"b.yaml:4: references \(\*a\) are not used here"),
        ("kind: risk\nrules: " + "[" * 20 + "]" * 20, "nested too deeply"),
        ("kind: [risk", "b.yaml:2"),
        ("kind: risk\n\tx: 1", "b.yaml:2"),
    ],
)
def test_a_file_that_is_no_book_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RulesError, match=says):
        read_yaml_book(book(tmp_path, text))


def test_a_file_that_is_too_large_or_not_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.yaml"
    path.write_bytes(b"kind: risk # \xff")
    with pytest.raises(RulesError, match="not UTF-8"):
        read_yaml_book(path)
    monkeypatch.setattr("ballast.rules.book_yaml.MOST_BYTES", 5)
    with pytest.raises(RulesError, match="larger than"):
        read_yaml_book(path)


def test_places_are_lines(tmp_path: Path) -> None:
    path = book(
        tmp_path, "kind: risk\nrules:\n  - name: a\n    when: x > 1\n    score: 1001\n    colour: red\n    标签: t\n"
    )
    _, findings = read_book(read_yaml_book(path))
    assert [(each.level, each.place, each.kind) for each in findings] == [
        (Level.ERROR, "b.yaml", "missing sheet"),
        (Level.ERROR, "b.yaml:5", "unreadable"),
        (Level.WARNING, "b.yaml:6", "unknown column"),
    ]


def test_nothing_and_lists_are_cells_too(tmp_path: Path) -> None:
    text = "kind: promotion\npromotions:\n  - {name: a, kind: 包邮, skus: [A, B], cap: ~, group: }\noptions:\n"
    rules, findings = read_book(read_yaml_book(book(tmp_path, text)))
    assert findings == []
    assert isinstance(rules, PromotionSet)
    assert (rules.promotions[0].skus, rules.promotions[0].cap) == (("A", "B"), None)


def test_sheets_of_the_database_have_the_places_of_an_export() -> None:
    sheets = {"rules": [{"name": "a", "when": "x", "score": "?", "old": "1"}], "options": [], "gone": []}
    _, findings = read_book(written_of(Kind.RISK, sheets))
    assert [(each.level.value, each.place, each.kind) for each in findings] == [
        ("error", "rules!E2", "unreadable"), ("warning", "rules", "unknown column"),
        ("warning", "gone", "unknown sheet"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", Kind)
def test_no_two_columns_are_called_the_same(kind: Kind) -> None:
    for columns in (*(plan.columns for plan in PLANS[kind]), OPTIONS[kind]):
        names = [name for column in columns for name in {column.name, column.chinese, *column.also}]
        assert len(names) == len(set(names))
        assert all(column.help and column.help_chinese for column in columns)
