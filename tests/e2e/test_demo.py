"""The demo as a new user starts it, with a shorter patience: the world's own truth is the judge."""

from tests.e2e.rehearsing import rehearse

ORDERS = 200
FIGURES = {
    "orders", "signed", "closed", "on_hold", "other", "lost", "duplicate_effects", "oversold", "overrefunded",
    "refunded_twice", "restocked_twice", "shipped_twice", "returns_asked", "returns",
    "disagreeing", "stuck", "seconds", "orders_per_second", "flow_runs", "task_runs",
    "accuracy_before", "accuracy_after", "drifted", "not_answered", "interventions_per_order",
    "alerts", "alerts_lost", "alerts_twice", "calls",
}  # fmt: skip


def test_two_hundred_orders_come_to_rest_in_a_world_with_faults() -> None:
    figures, said = rehearse("demo", "--orders", str(ORDERS), "--faults", "mild", "--exit", timeout=400)
    assert set(figures) == FIGURES
    for count in (
        "lost", "duplicate_effects", "oversold", "overrefunded", "refunded_twice", "restocked_twice", "shipped_twice",
        "disagreeing", "stuck", "alerts_lost", "alerts_twice",
    ):  # fmt: skip
        assert figures[count] == 0, figures
    assert figures["orders"] == ORDERS and figures["other"] == 0
    assert figures["signed"] + figures["closed"] + figures["on_hold"] == ORDERS
    assert figures["signed"] > ORDERS * 0.9
    assert figures["returns_asked"] > 0 and figures["returns"]["closed"] > 0
    assert figures["flow_runs"] > 0 and figures["task_runs"] > 0
    assert (figures["accuracy_after"], figures["interventions_per_order"]) == (1.0, 0.0)
    assert 0.99 <= figures["accuracy_before"] <= 1.0
    assert "Traceback" not in said
