"""What the whole bench would report wrongly without anybody seeing it: its checks, and how its ratios are made."""

from contextlib import nullcontext
from pathlib import Path
from statistics import StatisticsError
from typing import Any

import pytest

from bench.rounds import Spread
from bench.stage import BenchFailed
from bench.whole import __main__ as command
from bench.whole.checks import TABLES, complaints, different_rows
from bench.whole.contest import Result
from bench.whole.figures import failures, figures, ratios

NUMBERS = ("SO1", "SO2")


def truth_of(number: str, **changed: Any) -> dict[str, Any]:
    """An order that went all the way."""
    return {
        "order_no": number,
        "total": 500,
        "freight": 0,
        "lines": [{"line_no": 1, "sku": "A", "quantity": 2}],
        "payments": [{"transaction_id": "T" + number, "amount": 500}],
        "refunds": [],
        "returns": [],
        "wished": {"instead": {}},
        "sent_instead": {},
        "erp": {"outstock": [{"status": "C", "quantities": {"A": 2}}], "receipt_told": True, "returns": []},
        "wms": {"status": "DELIVERED", "shipped": {"A": 2}},
        "parcels": [{"waybill": "W" + number, "subscribed": 1, "empty_yes": 0, "outcome": "signed"}],
        "shop": {"order_state": 3, "tracking": ["W" + number]},
        "script": "normal",
        "at_rest": True,
        **changed,
    }


def effects_of(orders: int, **counts: int) -> dict[str, Any]:
    once = ("erp_sale_order", "erp_outstock", "wms_delivery_order", "shop_upload", "receipt_remind", "subscription")
    return {
        "counts": dict.fromkeys(once, orders) | counts,
        "duplicates": {},
        "oversold": {},
        "repeated_requests": {},
    }


def test_whoever_did_all_of_it_once_is_not_complained_of() -> None:
    assert complaints(2, NUMBERS, [truth_of(number) for number in NUMBERS], effects_of(2)) == []


@pytest.mark.parametrize(
    ("second", "ended", "effects", "said"),
    [
        ({}, ("SO1",), {}, "lost"),
        ({"erp": {"outstock": [], "receipt_told": False, "returns": []}}, NUMBERS, {}, "disagreeing"),
        ({"shop": {"order_state": 2, "tracking": ["WSO2"]}}, NUMBERS, {}, "not confirmed"),
        ({}, NUMBERS, {"shop_upload": 3}, "3 effects shop_upload, not 2"),
        ({}, NUMBERS, {"subscription": 1}, "1 effects subscription, not 2"),
    ],
)
def test_what_was_left_out_or_done_twice_is_said(
    second: dict[str, Any], ended: tuple[str, ...], effects: dict[str, int], said: str
) -> None:
    truth = [truth_of("SO1"), truth_of("SO2", **second)]
    assert any(said in one for one in complaints(2, ended, truth, effects_of(2, **effects)))


def test_duplicates_and_refused_repeats_are_said() -> None:
    truth = [truth_of(number) for number in NUMBERS]
    twice = effects_of(2) | {"duplicates": {"shop_upload": 1}}
    repeated = effects_of(2) | {"repeated_requests": {"shop_upload": 1}}
    assert complaints(2, NUMBERS, truth, twice) == ["1 orders of 2: duplicate_effects"]
    assert complaints(2, NUMBERS, truth, repeated) == ["1 refused repeats of shop_upload"]


def test_orders_that_were_never_placed_are_missed() -> None:
    assert "1 orders were placed, not 2" in complaints(2, ("SO1",), [truth_of("SO1")], effects_of(1))


def test_a_table_with_another_number_of_rows_is_named() -> None:
    same = dict.fromkeys(TABLES, 7)
    assert different_rows(same, same) == []
    assert different_rows(same, same | {"effect": 6}) == ["effect: Ballast has 7 rows, the floor 6"]
    assert different_rows(same, {})[0] == "inbox: Ballast has 7 rows, the floor 0"


def result(name: str, orders: int, seconds: float, *said: str, rows: int = 1) -> Result:
    costs = {name: {"cpu_s": seconds, "peak_mb": 50.0}}
    left = {} if name == "dbos" else dict.fromkeys(TABLES, rows)
    return Result(contestant=name, orders=orders, seconds=seconds, costs=costs, complaints=said, rows=left)


def round_of(floor: float, ballast: float, dbos: float, **more: Any) -> dict[str, Result]:
    return {
        "floor": result("floor", 100, floor),
        "ballast": result("ballast", 100, ballast, **more),
        "dbos": result("dbos", 10, dbos),
    }


def test_a_ratio_is_of_the_same_round_and_of_speeds() -> None:
    """Not of the medians: then a slow minute of the machine would count for one of the two."""
    rounds = [round_of(5, 10, 5), round_of(8, 10, 10), round_of(30, 40, 40)]
    found = ratios(rounds)
    assert found["whole_to_floor"] == Spread(0.75, 0.5, 0.8)
    assert found["whole_to_dbos"] == Spread(10.0, 5.0, 10.0)  # ten times the orders in the same time


def test_the_figures_are_medians_and_say_whether_they_count() -> None:
    good = figures([round_of(5, 10, 5)])
    assert (good["whole_to_floor"], good["whole_orders_per_second"], good["checks_passed"]) == (0.5, 10.0, True)
    assert figures([round_of(5, 10, 5, rows=2)])["checks_passed"] is False


def test_a_failed_check_names_its_round_and_contestant() -> None:
    bad = round_of(5, 10, 5) | {"dbos": result("dbos", 10, 5, "it lost one")}
    assert failures([round_of(5, 10, 5), bad]) == ["round 2, dbos: it lost one"]


def test_no_round_is_no_figure() -> None:
    with pytest.raises(StatisticsError):
        ratios([])


@pytest.mark.parametrize(("rows", "code"), [(1, 0), (2, 1)], ids=["all is well", "a check fails"])
def test_a_failed_check_ends_without_a_table_and_without_a_file(
    rows: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "stage", nullcontext)
    monkeypatch.setattr(command, "run_rounds", lambda *_: [round_of(5, 10, 5, rows=rows)])
    assert command.main(file=tmp_path / "results.json") == code
    said = capsys.readouterr().out
    assert ("Whole way" in said) is (code == 0)
    assert ("effect: Ballast has 2 rows, the floor 1" in said) is (code == 1)
    assert (tmp_path / "results.json").exists() is (code == 0)


def test_a_contest_that_does_not_end_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stands_still(*_: object) -> None:
        raise BenchFailed("ballast stands still: 7 of 20 [orders]")

    monkeypatch.setattr(command, "stage", nullcontext)
    monkeypatch.setattr(command, "run_rounds", stands_still)
    assert command.main(quick=True) == 1
    assert "ballast stands still: 7 of 20 [orders]" in capsys.readouterr().out


def test_nonsense_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "stage", lambda: pytest.fail("it started"))
    assert command.main(orders=0) == 2
    assert command.main(file=tmp_path / "nowhere" / "x.json") == 2
