"""Books of rules as decision models: an engine evaluates them to the right rows, and strange models are refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zen
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.errors import FileError
from adapters.files.rule_books import read_rule_file, write_rule_file
from ballast.domain.findings import Finding
from ballast.domain.rules.prices import PriceSet
from ballast.domain.rules.promotions import Promotion, PromotionKind, PromotionSet
from ballast.domain.rules.risk import RiskRule, RiskSet
from ballast.rules.books import Kind, RuleSet, default_book, read_book, sheets_of
from tests.adapters.files.rule_sets import price_sets
from tests.adapters.files.test_rule_books import BOOK, export


def evaluate(path: Path, facts: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    decision = zen.ZenEngine().create_decision(path.read_text(encoding="utf-8"))
    decision.validate()
    return decision.evaluate(facts)["result"]


def rows_for(path: Path, **facts: Any) -> list[str]:
    usual = {
        "customer": "",
        "tier": "",
        "sku": "TEA-399",
        "series": "green-tea",
        "quantity": 1,
        "at": "2026-06-01 12:00:00",
    }
    return [row["row"] for row in evaluate(path, {**usual, **facts})["prices"]]


def test_an_engine_finds_the_price_rows(tmp_path: Path) -> None:
    path = export(tmp_path / "b.json", chinese=True)
    assert rows_for(path) == []
    assert rows_for(path, tier="gold", quantity=99) == []
    assert rows_for(path, tier="gold", quantity=100) == ["gold-100"]
    assert rows_for(path, customer="C1001") == ["c1001"]
    assert rows_for(path, customer="C1001", sku="CUP-1") == []
    moments = ["2026-12-11 23:59:59", "2026-12-12 00:00:00", "2026-12-12 23:59:59", "2026-12-13 00:00:00"]
    assert [rows_for(path, at=at) for at in moments] == [[], ["double-12"], ["double-12"], []]
    assert rows_for(path, at="2026-12-11T16:00:00Z") == ["double-12"]
    facts = {
        "customer": "C1001",
        "tier": "gold",
        "sku": "TEA-399",
        "series": "green-tea",
        "quantity": 100,
        "at": moments[1],
    }
    found = evaluate(path, facts)
    assert [row["row"] for row in found["prices"]] == ["gold-100", "c1001", "double-12"]
    assert [row.get("price", row.get("pays")) for row in found["prices"]] == [329, 315, "90%"]
    assert found["products"][0]["floor"] == 280


def test_an_engine_finds_the_rows_of_any_price_book(tmp_path: Path) -> None:
    path = tmp_path / "b.json"

    @settings(max_examples=60)
    @given(rules=price_sets, data=st.data())
    def check(rules: PriceSet, data: st.DataObject) -> None:
        export(path, rules)
        row = data.draw(st.sampled_from(rules.rows)) if rules.rows else None
        at = (row.starts if row else None) or datetime(2026, 6, 1, tzinfo=UTC)
        asked = {each: getattr(row, each) if row else "" for each in ("customer", "tier", "sku", "series")}
        quantity = row.from_quantity if row else 1
        expected = [
            each.row for each in rules.rows
            if all(getattr(each, name) in ("", asked[name]) for name in asked)
            and each.from_quantity <= quantity
            and (each.starts is None or each.starts <= at) and (each.ends is None or at < each.ends)
        ]  # fmt: skip
        assert rows_for(path, **asked, quantity=quantity, at=at.isoformat()) == expected

    check()


RISKY = {"address": "x", "amount": 100, "ip_orders_1h": 1, "phone_orders_30d": 0, "phone_return_rate_30d": 0}


@pytest.mark.parametrize(
    ("facts", "fired"),
    [
        ({}, []),
        ({"address": "菜鸟代收点 3", "amount": 5000}, []),
        ({"address": "菜鸟代收点 3", "amount": 5000.01}, ["pickup-high"]),
        ({"ip_orders_1h": 5, "phone_orders_30d": 3, "phone_return_rate_30d": 0.5},
        ["one-ip-many-orders", "phone-returns"]),
    ],
)  # fmt: skip
def test_an_engine_finds_the_risk_rules(tmp_path: Path, facts: dict[str, Any], fired: list[str]) -> None:
    conditions = {
        "pickup-high": 'contains(address, "代收点") and amount > 5000',
        "one-ip-many-orders": "ip_orders_1h >= 5",
        "phone-returns": "phone_orders_30d >= 3 and phone_return_rate_30d > 0.4",
    }
    rules = [RiskRule(name=name, when=when, score=60) for name, when in conditions.items()]
    rules.append(RiskRule(name="off", when="amount >= 0", on=False))
    path = export(tmp_path / "b.json", RiskSet(rules=tuple(rules)), Kind.RISK)
    assert [row["name"] for row in evaluate(path, {**RISKY, **facts})["rules"]] == fired


def test_an_engine_finds_the_promotions(tmp_path: Path) -> None:
    promotions = (
        Promotion(name="all", kind=PromotionKind.FREE_SHIPPING),
        Promotion(name="off", kind=PromotionKind.FREE_SHIPPING, on=False),
        Promotion(name="shop", kind=PromotionKind.FREE_SHIPPING, channels=("wechat", "direct")),
        Promotion(name="first", kind=PromotionKind.FREE_SHIPPING, first_order=True, when="amount > 100"),
    )
    path = export(tmp_path / "b.json", PromotionSet(promotions=promotions), Kind.PROMOTION)

    def names(**facts: Any) -> list[str]:
        usual = {"channel": "x", "tier": "", "customer": "", "at": "2026-06-01", "first_order": False, "amount": 101}
        return [row["name"] for row in evaluate(path, {**usual, **facts})["promotions"]]

    assert names() == ["all"]
    assert names(channel="direct") == ["all", "shop"]
    assert names(first_order=True) == ["all", "first"]
    assert names(first_order=True, amount=100) == ["all"]


@pytest.mark.parametrize("kind", Kind)
def test_every_default_is_a_valid_model(tmp_path: Path, kind: Kind) -> None:
    path = export(tmp_path / "b.json", default_book(kind), kind)
    zen.ZenEngine().create_decision(path.read_text(encoding="utf-8")).validate()


def changed(tmp_path: Path, change: Callable[[Any], None], rules: RuleSet = BOOK) -> Path:
    path = tmp_path / "b.json"
    write_rule_file(path, Kind.PRICE, sheets_of(rules), version=3, chinese=False)
    model = json.loads(path.read_text(encoding="utf-8"))
    change(model)
    path.write_text(json.dumps(model), encoding="utf-8")
    return path


def table(model: Any, name: str = "prices") -> Any:
    return next(node for node in model["nodes"] if node["name"] == name)


def add_node(kind: str) -> Callable[[Any], None]:
    return lambda model: model["nodes"].append({"id": "x", "type": kind, "name": "extra", "content": {}})


REFUSED: list[tuple[Callable[[Any], None], str]] = [
    (add_node("functionNode"), "the node 'extra' is a functionNode: rules are decision tables only"),
    (add_node("inputNode"), "has 2 nodes of type inputNode, not one"),
    (add_node("decisionTableNode"), "the connection from 'price v3 价格' to 'extra' is missing"),
    (lambda model: model["edges"].pop(), "the connection from .* is missing"),
    (lambda model: model["edges"].append({"sourceId": "tiers", "targetId": "prices"}), "does not belong"),
    (lambda model: model["edges"].append({"sourceId": ["x"], "targetId": "prices"}), "does not belong"),
    (lambda model: table(model).update(name="prizes"), "the table 'prizes' is none of price rules"),
    (lambda model: table(model).update(name="tiers"), "the table tiers 客户等级 is there twice"),
    (lambda model: table(model)["content"].update(hitPolicy="first"), "hit policy collect"),
    (lambda model: table(model)["content"].update(rules=7), "has no rows"),
    (lambda model: table(model)["content"]["inputs"][0].update(field="x"), "customer 客户 has to be a condition over"),
    (lambda model: table(model)["content"]["outputs"].append({"id": "q", "name": "colour"}), "a column 'colour'"),
    (
        lambda model: table(model)["content"]["outputs"].append({"id": "row", "name": "row"}),
        "the column row 行名 twice",
    ),
    (lambda model: table(model)["content"].update(inputs=7), "inputs has to be a list"),
    (lambda model: model.pop("edges"), "has to have nodes and edges"),
    (lambda model: model["nodes"].append(7), "a node without id"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED)
def test_a_strange_model_is_refused(tmp_path: Path, change: Callable[[Any], None], says: str) -> None:
    with pytest.raises(FileError, match=says):
        read_rule_file(changed(tmp_path, change))


CELLS: list[tuple[str, object, str]] = [
    ("tier", "gold", "is not a text in quotes"),
    ("tier", "> 5", "is not a text in quotes"),
    ("from_quantity", "> 10", "is not written like >= 10"),
    ("starts", '> "2026-12-12"', "is not written like d("),
    ("starts", 'd($, "Asia/Shanghai") >= d("2026-02-30 00:00:00", "Asia/Shanghai")', "is not a time"),
    ("price", '"329"', "is text, not an amount"),
    ("price", 329, "is not a text"),
    ("tax_included", "maybe", "neither yes nor no"),
]


@pytest.mark.parametrize(("column", "cell", "says"), CELLS)
def test_a_cell_that_says_something_else_is_named(tmp_path: Path, column: str, cell: object, says: str) -> None:
    path = changed(tmp_path, lambda model: table(model)["content"]["rules"][0].update({column: cell}))
    findings: list[Finding] = read_book(read_rule_file(path))[1]
    assert [(each.place, each.column) for each in findings] == [("prices, row 1", column)]
    assert says in findings[0].text


def test_what_an_editor_renames_is_still_read(tmp_path: Path) -> None:
    def rename(model: Any) -> None:
        rows = table(model)["content"]
        rows["outputs"][0].update(id="9f0c", name="行名")
        for rule in rows["rules"]:
            rule["9f0c"] = rule.pop("row")
            rule["_description"] = "a note of the editor"

    assert read_book(read_rule_file(changed(tmp_path, rename))) == (BOOK, [])
