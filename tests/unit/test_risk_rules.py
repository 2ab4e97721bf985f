"""Risk rules: names of windows, what rules come to, what is wrong with them, and what a release remembers."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.findings import Level
from ballast.domain.origin import is_card_number, plain_mobile
from ballast.domain.rules.facts import FACTS, short_province
from ballast.domain.rules.risk import (
    MOST_EVIDENCE,
    Action,
    RiskOptions,
    RiskRule,
    RiskSet,
    evidence,
    rules_in,
    still_new,
    sum_up,
)
from ballast.domain.rules.windows import Figure, Neighbour, Subject, Window, measure, window_trouble
from ballast.rules.phones import province_of
from ballast.rules.risk_table import RiskTable, check_risk

PICKUP = RiskRule(
    name="pickup_point",
    when="contains(address, '代收点') and amount > 5000",
    score=40,
    tag="pickup",
    action=Action.HOLD,
)
BURST = RiskRule(name="ip_burst", when="ip_orders_1h >= 5", score=40, tag="burst", action=Action.REVIEW)
FIRST = RiskRule(name="first_high", when="first_order and amount > 3000", score=20, tag="new")
SET = RiskSet(rules=(PICKUP, BURST, FIRST), options=RiskOptions(hold_from=50, review_from=90))
BAD: dict[str, object] = {"address": "杭州代收点", "amount": 6000, "ip_orders_1h": 6, "first_order": True}


# -- windows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ip_orders_1h", "ip_orders_72h", "phone_return_rate_30d", "customer_cards_90d"])
def test_a_window_is_read_from_its_name_and_named_again(name: str) -> None:
    window = Window.parse(name)
    assert window is not None and window.name == name and window_trouble(name) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ip_orders_73h", "at most 72 hours"),
        ("ip_orders_91d", "at most 90 days"),
        ("ip_orders_9999999999d", "not a number of hours or days"),
        ("ip_orders_0h", "not a number"),
        ("ip_orders_01h", "not a number"),
        ("ip_returns_5h", "counted in days, for example ip_returns_7d"),
        ("card_cards_7d", "one card"),
        ("ip_order_1h", "write <ip|device"),
        ("email_orders_1h", "write <ip|device"),
        ("ip_orders_1m", "write <ip|device"),
    ],
)
def test_a_name_out_of_bounds_is_none_and_says_why(name: str, words: str) -> None:
    assert Window.parse(name) is None and words in window_trouble(name)
    [finding] = check_risk(RiskSet(rules=(RiskRule(name="r", when=f"{name} > 1", score=1, place="risk row 3"),)))
    assert (finding.place, finding.column, finding.level) == ("risk row 3", "when", Level.ERROR)
    assert words in finding.text


def test_no_fact_is_named_like_a_window() -> None:
    assert [name for name in FACTS if window_trouble(name) or Window.parse(name)] == []


@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["", "a", "b", "c"])), max_size=12),
    st.integers(0, 20),
    st.sampled_from(["", "a", "b"]),
)
def test_the_most_within_one_window_is_what_counting_every_window_gives(
    others: list[tuple[int, str]], at: int, card: str
) -> None:
    hour = 3600 * 10**6
    told = [Neighbour(when * hour, which, False) for when, which in sorted(others)]
    everyone = [(when, which) for when, which in others] + [(at, card)]
    inside = [[one for one in everyone if start <= one[0] <= start + 4] for start in range(at - 4, at + 1)]
    orders = Window(Subject.IP, Figure.ORDERS, 4, "h")
    cards = Window(Subject.IP, Figure.CARDS, 4, "h")
    assert measure(orders, at * hour, card, told) == max(len(them) for them in inside)
    # cards of this order's windows, whether or not an order stands at their edge
    assert measure(cards, at * hour, card, told) == max(len({one[1] for one in them if one[1]}) for them in inside)


# -- judging -------------------------------------------------------------------------------------------------------


def test_rules_that_hold_come_to_points_tags_and_the_strongest_action() -> None:
    verdict = RiskTable(SET).judge(BAD | {"hour": 3})
    assert [rule.name for rule in verdict.fired] == ["pickup_point", "ip_burst", "first_high"]
    assert (verdict.score, verdict.tags, verdict.action) == (100, ("pickup", "burst", "new"), Action.REVIEW)
    assert verdict.facts == BAD  # not the hour: nobody read it


@pytest.mark.parametrize(
    ("facts", "score", "action"),
    [
        ({"amount": 100, "address": "", "ip_orders_1h": 1}, 0, Action.SCORE),
        ({"amount": 4000, "address": "", "ip_orders_1h": 1}, 20, Action.SCORE),
        ({"amount": 6000, "ip_orders_1h": 1}, 60, Action.HOLD),
        ({"first_order": False}, 80, Action.REVIEW),
        ({"first_order": False, "ip_orders_1h": 1}, 40, Action.HOLD),
    ],
)
def test_thresholds_and_rules_together(facts: dict[str, object], score: int, action: Action) -> None:
    verdict = RiskTable(SET).judge(BAD | facts)
    assert (verdict.score, verdict.action) == (score, action)


def test_thresholds_alone_hold_and_review() -> None:
    rules = tuple(RiskRule(name=f"r{n}", when=f"amount > {n}", score=30) for n in range(3))
    for amount, action in ((1, Action.SCORE), (2, Action.HOLD), (3, Action.REVIEW)):
        assert RiskTable(RiskSet(rules=rules, options=SET.options)).judge({"amount": amount}).action is action


def test_a_rule_that_is_switched_off_or_cannot_be_computed_does_not_fire_and_stops_nobody() -> None:
    rules = (
        replace(PICKUP, on=False),
        replace(BURST, when="ip_orders_1h >="),
        FIRST,
        replace(FIRST, when="amount > 1"),
    )
    table = RiskTable(RiskSet(rules=rules))
    assert [rule.when for rule in table.judge(BAD).fired] == ["first_order and amount > 3000", "amount > 1"]
    assert table.troubles.keys() == {"ip_burst"} and table.windows == frozenset()
    assert table.reads == {"first_order", "amount"}
    assert table.judge({}).fired == ()


def test_only_windows_that_rules_read_are_asked_for() -> None:
    assert {window.name for window in RiskTable(SET).windows} == {"ip_orders_1h"}


# -- check ---------------------------------------------------------------------------------------------------------


def test_good_rules_have_no_findings() -> None:
    assert check_risk(SET) == []
    assert check_risk(RiskSet()) == []


@pytest.mark.parametrize(
    ("change", "column", "level", "words"),
    [
        ({"when": "amout > 5"}, "when", Level.ERROR, "did you mean amount"),
        ({"when": "amount > 5", "on": False, "score": -1}, "score", Level.ERROR, "-1 is not 0 to 1000"),
        ({"score": 1001}, "score", Level.ERROR, "1001"),
        ({"score": 0, "tag": "", "action": Action.SCORE}, "action", Level.WARNING, "asks for nothing"),
        ({"name": "a, b"}, "name", Level.ERROR, "no name"),
        ({"name": ""}, "name", Level.ERROR, "no name"),
        ({"name": "x" * 41}, "name", Level.ERROR, "1 to 40"),
        ({"name": "pickup_point"}, "name", Level.ERROR, "stands 2 times"),
        ({"when": PICKUP.when}, "when", Level.WARNING, "very same condition"),
        ({"when": "true"}, "when", Level.WARNING, "reads no fact"),
        ({"when": "ip_orders_1h > 101"}, "when", Level.ERROR, "exact up to 100"),
        ({"when": "500 <= ip_orders_1h"}, "when", Level.ERROR, "exact up to 100"),
        ({"when": "ip_orders_1h not in [1..200]"}, "when", Level.ERROR, "200 cannot be told"),
        ({"when": "phone_returns_30d == 101 or amount > 1"}, "when", Level.ERROR, "exact up to 100"),
        ({"when": "amount ＞ 5"}, "when", Level.ERROR, "full-width"),
    ],
)
def test_what_is_wrong_with_a_rule_is_found_with_its_place(
    change: dict[str, Any], column: str, level: Level, words: str
) -> None:
    rule = replace(FIRST, place="rules!5", **change)
    found = check_risk(RiskSet(rules=(PICKUP, rule)))
    mine = [one for one in found if one.place == "rules!5"]
    assert [(one.column, one.level) for one in mine] == [(column, level)]
    assert words in mine[0].text


@pytest.mark.parametrize(
    "when", ["ip_orders_1h > 100", "amount > 5000", "phone_return_rate_30d > 0.4", "ip_orders_1h in [5..100]"]
)
def test_thresholds_that_can_be_told_are_taken(when: str) -> None:
    assert check_risk(RiskSet(rules=(replace(FIRST, when=when),))) == []


@pytest.mark.parametrize(
    ("options", "column", "level"),
    [
        (RiskOptions(hold_from=80, review_from=50), "review_from", Level.ERROR),
        (RiskOptions(hold_from=0), "hold_from", Level.ERROR),
        (RiskOptions(review_from=-5), "review_from", Level.ERROR),
        (RiskOptions(hold_from=50, review_from=101), "review_from", Level.WARNING),
    ],
)
def test_thresholds_that_contradict_or_are_never_reached(options: RiskOptions, column: str, level: Level) -> None:
    found = check_risk(replace(SET, options=options))
    assert [(one.place, one.column, one.level) for one in found] == [("options", column, level)]


# -- evidence ------------------------------------------------------------------------------------------------------


def test_evidence_is_read_again() -> None:
    verdict = RiskTable(SET).judge(BAD)
    told = evidence(verdict, 3)
    assert told == (
        "risk v3 [ip_burst, pickup_point, first_high] score 100: amount 6000; first_order True; ip_orders_1h 6"
    ), "an address stands with the order, and nowhere else"
    assert rules_in(told) == {"ip_burst", "pickup_point", "first_high"}
    assert rules_in("as they say") == rules_in("") == rules_in("risk v3 [] score 0") == frozenset()


names = st.text(st.characters(exclude_characters=",;:[]#", exclude_categories=("C", "Z")), min_size=1, max_size=40)


@given(st.lists(names, min_size=1, max_size=40, unique=True), st.text(max_size=2000))
def test_a_release_remembers_every_rule_however_many_there_are(found: list[str], address: str) -> None:
    rules = [RiskRule(name=name, when="amount > 1", score=1) for name in found]
    verdict = sum_up(rules, {"address": address, "amount": 1 / 3}, RiskOptions(hold_from=1))
    told = evidence(verdict, 12)
    assert len(told) <= MOST_EVIDENCE
    left = still_new(verdict, rules_in(told))
    assert (left.fired, left.action, left.score) == ((), Action.SCORE, 0)
    other = RiskRule(name="a" * 39 + "!", when="amount > 2", score=1)
    assert [rule.name for rule in still_new(sum_up([*rules, other], {}, RiskOptions()), rules_in(told)).fired] == (
        [] if other.name in found else [other.name]
    )


def test_the_same_evidence_does_not_hold_again_and_more_of_it_neither() -> None:
    table = RiskTable(SET)
    released = rules_in(evidence(table.judge(BAD | {"first_order": False}), 1))
    again = still_new(table.judge(BAD | {"first_order": False, "ip_orders_1h": 60}), released)
    assert (again.fired, again.action, again.facts) == ((), Action.SCORE, {})


def test_a_new_rule_holds_by_what_it_asks_or_by_the_whole_score() -> None:
    table = RiskTable(SET)
    pickup = still_new(table.judge(BAD), {"ip_burst"})
    assert [rule.name for rule in pickup.fired] == ["pickup_point", "first_high"]
    assert (pickup.action, pickup.score) == (Action.REVIEW, 100)  # 100 points in all, review begins at 90
    assert pickup.facts == {name: BAD[name] for name in ("address", "amount", "first_order")}
    plain = still_new(table.judge(BAD | {"ip_orders_1h": 1}), {"pickup_point"})
    assert (plain.action, plain.score) == (Action.HOLD, 60)
    tag_only = RiskRule(name="t", when="amount > 1", tag="x")
    left = still_new(sum_up([BURST, tag_only], {"amount": 2}, RiskOptions(hold_from=10)), {"ip_burst"})
    assert (left.fired, left.score, left.action) == ((tag_only,), 0, Action.SCORE)
    assert still_new(table.judge(BAD), []) == table.judge(BAD)


# -- forms in which things are compared ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "card"),
    [
        ("4111111111111111", True),
        ("4111 1111 1111 1111", True),
        ("6222-0212-3456-7894", True),
        ("4111111111111112", False),
        ("tok_4111111111111111", False),
        ("79927398713", False),
    ],
)
def test_card_numbers_are_known_by_their_check_digit(text: str, card: bool) -> None:
    assert is_card_number(text) is card


def test_one_mobile_has_one_form() -> None:
    assert {plain_mobile(text) for text in ("+86 139-1234-5678", "008613912345678", "13912345678")} == {"13912345678"}
    assert plain_mobile("+1 415 555 0100") == "14155550100"
    assert {plain_mobile(text) for text in ("00000000000", "000-0000-0000", "1", "-", "")} == {""}


def test_provinces_have_one_form() -> None:
    told = [
        "浙江",
        "浙江省",
        "浙江省杭州市",
        "广西壮族自治区",
        "内蒙古自治区",
        "黑龙江省",
        "上海市",
        "香港特别行政区",
        "中国",
        "",
    ]
    said = ["浙江", "浙江", "浙江", "广西", "内蒙古", "黑龙江", "上海", "香港", "", ""]
    assert [short_province(text) for text in told] == said
    assert [province_of(text) for text in ("13800000001", "+86 13000000000", "12345", "", "+1 415 555 0100")] == [
        "北京", "山东", "", "", "",
    ]  # fmt: skip
