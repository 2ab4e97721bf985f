"""Categories of articles and how long each may come back: the shortest counts, mistakes have their lines."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.return_window import Categories, ReturnWindows
from ballast.domain.returns import SELLERS_FAULT, ReturnReason
from ballast.rules.current import LOOK_EVERY
from ballast.rules.entries import RulesError
from ballast.rules.return_categories import named_in
from ballast.rules.returns import SAMPLE, read_return_rules
from ballast.rules.windows_in_force import WindowsInForce

DAY = timedelta(days=1)
CATEGORIES = Categories({"fresh": ("F*", "MILK"), "cut": ("FC*", "CUT"), "big": ("BIG*",)})
NO_REASON, QUALITY = ReturnReason.NO_REASON, ReturnReason.QUALITY
SKUS = st.sampled_from(("F1", "FC1", "MILK", "MILK-2", "CUT", "BIG-1", "OTHER"))
RULES = """
rules:
- {name: a, when: '"fresh" in categories', then: reject}
"""


def test_a_star_stands_for_any_rest_and_an_article_may_be_in_several() -> None:
    assert {sku: CATEGORIES.of(sku) for sku in ("F1", "F", "FC1", "MILK", "MILK-2", "f1")} == {
        "F1": {"fresh"}, "F": {"fresh"}, "FC1": {"fresh", "cut"}, "MILK": {"fresh"}, "MILK-2": set(), "f1": set(),
    }  # fmt: skip


def test_the_shortest_of_the_pieces_counts_and_says_whose_it_is() -> None:
    windows = ReturnWindows(CATEGORIES, {"fresh": 2 * DAY, "big": 15 * DAY, "cut": 0 * DAY})

    def of(*skus: str, reason: ReturnReason = NO_REASON) -> tuple[timedelta | None, str]:
        found = windows.narrowest(skus, reason, 7 * DAY)
        return found.lasts, found.category

    assert of("OTHER") == (7 * DAY, "")
    assert of("BIG-1") == (15 * DAY, "big"), "longer than the default"
    assert of("BIG-1", "OTHER") == (7 * DAY, "")
    assert of("BIG-1", "MILK") == (2 * DAY, "fresh")
    assert of("CUT", "MILK") == (None, "cut")
    assert of("CUT", reason=QUALITY) == (7 * DAY, "cut"), "by the seller's fault it can come back all the same"
    assert of("FC1", reason=QUALITY) == (2 * DAY, "fresh")


@given(
    st.sets(SKUS, min_size=1),
    st.sampled_from(ReturnReason),
    st.dictionaries(st.sampled_from(("fresh", "cut", "big")), st.integers(0, 30).map(lambda days: days * DAY)),
    st.integers(1, 30),
)
def test_whatever_may_come_back_comes_back_while_its_order_is_open(
    skus: set[str], reason: ReturnReason, of_category: dict[str, timedelta], days: int
) -> None:
    windows, default = ReturnWindows(CATEGORIES, of_category), days * DAY
    together = windows.narrowest(skus, reason, default).lasts
    alone = [windows.narrowest([sku], reason, default).lasts for sku in skus]
    assert together == (None if None in alone else min(one for one in alone if one is not None))
    assert windows.open_for(skus, default) >= max([default, *filter(None, alone)])
    if reason in SELLERS_FAULT:
        assert together is not None


def written(folder: Path, text: str) -> Path:
    file = folder / "returns.yaml"
    file.write_text(text)
    return file


def test_the_file_has_categories_windows_and_conditions_over_them(tmp_path: Path) -> None:
    text = "categories: {fresh: [F*, MILK], 定制: CUT-*}\nwindow: {default: 10, fresh: 2, 定制: 0}" + RULES
    rules = read_return_rules(written(tmp_path, text))
    assert rules.window == 10 * DAY
    assert rules.windows.of_category == {"fresh": 2 * DAY, "定制": timedelta()}
    assert rules.windows.categories.of("CUT-1") == {"定制"}
    assert rules.answer({**SAMPLE, "categories": []}) is None
    answer = rules.answer({**SAMPLE, "categories": ["fresh"]})
    assert answer is not None and answer.name == "a"
    assert read_return_rules(written(tmp_path, "rules: []\n")).windows == ReturnWindows()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("categories: {fresh: [F*F]}" + RULES, "1: 'F*F' is no SKU"),
        ("categories:\n  fresh: []" + RULES, "2: a category without articles"),
        ("categories: {default: [F]}" + RULES, "1: 'default' is no name of a category"),
        ("categories: [fresh]" + RULES, "1: expected keys and values"),
        ("categories: {fresh: F}\nwindow:\n  frsh: 3" + RULES, "3: unknown key 'frsh'; known are default, fresh"),
        ("categories: {fresh: F}\nwindow: {fresh: 1.5}" + RULES, "2: '1.5' is no number of days: write a whole one, 0"),
        ("categories: {fresh: F}\nwindow: {default: 0}" + RULES, "2: '0' is no number of days: write a whole one, 1"),
        ("categories: {fresh: F}\nwindow: {fresh: -1}" + RULES, "2: '-1' is no number of days"),
        ("categories: {frsh: F}" + RULES, "3: there is no category 'fresh'; known are frsh"),
        (RULES, "3: there is no category 'fresh'; none is listed"),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RulesError) as wrong:
        read_return_rules(written(tmp_path, text))
    assert any(said in problem.partition("returns.yaml:")[2] for problem in wrong.value.problems), wrong.value


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('"x" in categories', "x"),
        ('"x" not in categories and "y" in skus', "x"),
        ('reason == "quality" and contains(categories, "x")', "x"),
        ('some(categories, # != "x")', "x"),
        ('some(categories, startsWith(#, "x"))', ""),
        ('len(categories) > 0 and "x" == reason', ""),
    ],
)
def test_the_categories_that_a_condition_looks_for(text: str, named: str) -> None:
    assert named_in(text, "categories") == ({named} - {""})


def test_a_change_is_taken_on_and_a_mistake_leaves_the_old_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("ballast.rules.windows_in_force.time.monotonic", lambda: now[0])
    force = WindowsInForce(tmp_path / "returns.yaml")
    assert (force.current(), force.problem is None) == ((None, ReturnWindows()), False), "there is no file yet"

    def change(text: str) -> None:
        now[0] += LOOK_EVERY + 1
        file = written(tmp_path, text)
        os.utime(file, ns=(int(now[0]), int(now[0])))

    change("window: {default: 10}\nrules: []")
    assert (force.current()[0], force.problem) == (10 * DAY, None)
    change("window: {default: ten}\nrules: []")
    assert force.current()[0] == 10 * DAY
    assert force.problem is not None and "'ten' is no number of days" in str(force.problem)
