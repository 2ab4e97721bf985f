"""What people are told of their book of rules: in its own words, by cell, and on their own clock."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from adapters.files.rule_books import read_rule_file, write_rule_file
from ballast.clock import SHANGHAI
from ballast.domain.rules.calculating import Calculator
from ballast.domain.rules.prices import PriceSet, Wanted
from ballast.domain.rules.promotions import Cart, CartLine, Promotion, PromotionKind, PromotionSet
from ballast.domain.rules.row_changes import row_changes
from ballast.rules.appraisal import CART_FACTS, Question, appraise
from ballast.rules.books import Kind, sheets_of
from ballast.rules.compiled import PROMOTION_FACTS, Part, assemble, compile_rules, default_part
from ballast.rules.sheet_plans import OPTIONS, in_plan_order
from tasks.rules import Around, understand

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)
CIRCLE = (
    Promotion(name="甲", kind=PromotionKind.SPEND_OFF, threshold=300_00, off=50_00, excludes=("乙",)),
    Promotion(name="乙", kind=PromotionKind.PERCENT, pays=9000, excludes=("丙",)),
    Promotion(name="丙", kind=PromotionKind.PERCENT, pays=9500, excludes=("甲",)),
)


def workbook(path: Path, promotions: tuple[Promotion, ...], **cells: Any) -> Path:
    """A Chinese workbook of promotions; `cells` are written into its first sheet afterwards."""
    file = path / "促销.xlsx"
    write_rule_file(file, Kind.PROMOTION, sheets_of(PromotionSet(promotions=promotions)), version=0, chinese=True)
    book = load_workbook(file)
    for place, value in cells.items():
        book.worksheets[0][place] = value
    book.save(file)
    return file


def found(file: Path) -> list[tuple[str, str]]:
    around = Around(PriceSet(), PromotionSet())
    return [(one.place, one.column) for one in understand(read_rule_file(file), around, NOW).findings]


def test_what_rules_contradict_is_told_by_cell_and_by_the_title_of_the_column(tmp_path: Path) -> None:
    assert ("促销!Z2", "互斥") in found(workbook(tmp_path, CIRCLE))


def test_a_condition_is_told_together_with_a_cell_that_cannot_be_read(tmp_path: Path) -> None:
    file = workbook(tmp_path, CIRCLE[:1], O2="３００", N2="amount > and", Z2=None)
    assert {("促销!O2", "门槛"), ("促销!N2", "条件")} <= set(found(file))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("chinese", [True, False])
def test_the_help_sheet_has_options_of_this_kind_as_its_example(tmp_path: Path, kind: Kind, chinese: bool) -> None:
    write_rule_file(tmp_path / "book.xlsx", kind, {}, version=0, chinese=chinese)
    rows = load_workbook(tmp_path / "book.xlsx")["说明" if chinese else "help"].iter_rows(values_only=True)
    title, first = ("选项" if chinese else "option"), OPTIONS[kind][0]
    assert [row[3] for row in rows if row[1] == title] == [first.chinese if chinese else first.name]


def test_stored_sheets_are_shown_in_the_order_in_which_people_write_them() -> None:
    options, products = [{"value": "yes", "option": "gate"}], [{"moon": "1", "name": "龙井", "sku": "TEA"}]
    stored: dict[str, list[dict[str, str]]] = {"odd": [], "options": options, "products": products}
    shown = in_plan_order(Kind.PRICE, stored)
    assert list(shown) == ["products", "options", "odd"] and shown == stored
    assert [list(row) for row in shown["products"] + shown["options"]] == [["sku", "name", "moon"], ["option", "value"]]


def test_products_are_named_by_their_sku() -> None:
    tea = {"sku": "TEA-399", "name": "龙井", "list_price": "399.00"}
    [change] = row_changes({"products": [tea]}, {"products": [tea | {"name": "明前龙井"}]})
    assert str(change) == "changed  products TEA-399: name: 龙井 -> 明前龙井"


def test_times_of_promotions_are_told_on_the_clock_of_china() -> None:
    late = Promotion(name="双12", kind=PromotionKind.PERCENT, pays=9000, starts=datetime(2026, 12, 11, 16, tzinfo=UTC))
    cart = Cart(lines=(CartLine(line_no=1, sku="TEA", quantity=1, price=100_00),), at=NOW)
    promotions = PromotionSet(promotions=(late,))
    for calculator in (Calculator(promotions, SHANGHAI), compile_rules(promotions)["promotions"]):
        assert calculator.calculate(cart).outcomes[0].why == "starts 2026-12-12"


def test_every_fact_that_a_promotion_may_read_is_worked_out() -> None:
    asked = Question(lines=[], at=NOW, currency="JPY", channel="shop", tier="gold", customer="C-1", province="浙江省",
                     city="宁波市", first_order=True, coupons=("NEW",))  # fmt: skip
    lines = (CartLine(line_no=1, sku="TEA", quantity=2, price=150), CartLine(line_no=2, sku="CUP", quantity=1, price=9))
    assert CART_FACTS.keys() == PROMOTION_FACTS
    assert {name: work(asked, lines) for name, work in CART_FACTS.items()} == {
        "amount": 309.0, "quantity": 3, "lines": 2, "channel": "shop", "tier": "gold", "customer": "C-1",
        "province": "浙江省", "city": "宁波市", "first_order": True, "coupons": ["NEW"], "hour": 12, "weekday": 5,
    }  # fmt: skip


def test_a_condition_that_reads_no_fact_is_a_condition() -> None:
    """As somebody writes who wants to switch a promotion off and on again."""
    for when, goods in (("1 == 1", 90_00), ("1 == 2", 100_00)):
        one = Promotion(name="甲", kind=PromotionKind.PERCENT, pays=9_000, when=when)
        rules = assemble({kind: default_part(kind)[0] for kind in Kind} | {
            Kind.PROMOTION: Part(1, compile_rules(PromotionSet(promotions=(one,))))
        })  # fmt: skip
        asked = Question(lines=[Wanted(line_no=1, sku="TEA", quantity=1, own_price=100_00)], at=NOW)
        assert appraise(rules, asked).calculation.goods == goods


def test_an_end_is_told_by_its_last_day_as_it_was_written() -> None:
    ends = datetime(2026, 12, 13, tzinfo=SHANGHAI)
    one = Promotion(name="甲", kind=PromotionKind.PERCENT, pays=9_000, ends=ends)
    cart = Cart(lines=(CartLine(line_no=1, sku="TEA", quantity=1, price=100_00),), at=ends)
    (outcome,) = Calculator(PromotionSet(promotions=(one,)), SHANGHAI).calculate(cart).outcomes
    assert outcome.why == "ended 2026-12-12"
