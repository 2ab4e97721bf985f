"""A short chaos run as somebody starts it: everything is killed, and every order ends right all the same."""

from typing import Any

import pytest

from tests.e2e.rehearsing import rehearse

COUNTS = (
    "lost", "duplicate_effects", "oversold", "overrefunded", "refunded_twice", "restocked_twice", "shipped_twice",
    "disagreeing", "stuck",
)  # fmt: skip


def check(figures: dict[str, Any], orders: int, kills: int) -> None:
    assert {name: figures[name] for name in COUNTS} == dict.fromkeys(COUNTS, 0)
    assert figures["orders"] == orders and figures["other"] == 0
    assert figures["signed_share"] >= 0.95
    assert sum(figures["holds"].values()) == figures["on_hold"]
    assert figures["kills"] >= kills and set(figures["killed"]) == {"serve-1", "serve-2", "web"}
    assert {one["mode"] for one in figures["database_restarts"]} == {"fast", "immediate"}
    assert figures["prefect_stopped_s"] > 0 and figures["outage"] and figures["missing"] == []
    assert figures["stock_differs"] == []


def test_a_short_run_ends_right() -> None:
    words = ("--orders", "60", "--minutes", "0.6", "--kills", "5", "--seed", "77")
    figures, _ = rehearse("chaos", *words, timeout=500)
    check(figures, 60, 5)


@pytest.mark.slow
def test_a_thousand_orders_end_right() -> None:
    figures, _ = rehearse("chaos", "--orders", "1000", "--seed", "78", timeout=1700)
    check(figures, 1000, 20)
