"""What the rounds of the whole bench say together: ratios round by round, their median and their ends."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.table import Table

from bench.rounds import Spread
from bench.whole.checks import different_rows
from bench.whole.contest import Result

Round = Mapping[str, Result]
"""Contestant -> how it did; all of a round ran one after the other, on the same machine at about the same time."""

PEERS = ("floor", "dbos")


def ratios(rounds: Sequence[Round]) -> dict[str, Spread]:
    """Ballast's orders per second to each peer's, of the same round: above 1 Ballast is faster."""
    return {
        f"whole_to_{peer}": Spread.of(
            [one["ballast"].orders_per_second / one[peer].orders_per_second for one in rounds]
        )
        for peer in PEERS
    }


def speed(rounds: Sequence[Round], contestant: str) -> Spread:
    """Orders per second."""
    return Spread.of([one[contestant].orders_per_second for one in rounds])


def failures(rounds: Sequence[Round]) -> list[str]:
    """Every failed check in one sentence; without any the figures may be shown."""
    said = [
        f"round {number}, {name}: {what}"
        for number, one in enumerate(rounds, 1)
        for name, result in one.items()
        for what in result.complaints
    ]
    for number, one in enumerate(rounds, 1):
        said += [f"round {number}: {what}" for what in different_rows(one["ballast"].rows, one["floor"].rows)]
    return said


def figures(rounds: Sequence[Round]) -> dict[str, Any]:
    """JSON-able: medians by their names, then everything round by round."""
    return {
        **{name: spread.median for name, spread in ratios(rounds).items()},
        "whole_orders_per_second": speed(rounds, "ballast").median,
        "checks_passed": not failures(rounds),
        "rounds": [{name: result.as_dict() for name, result in one.items()} for one in rounds],
    }


def tables(rounds: Sequence[Round]) -> list[Table]:
    """How fast each was, and what each process spent."""
    fast = Table(title="Whole way: real adapters, every call and webhook; median (least - most) of the rounds")
    for column in ("contestant", "orders", "orders/s", "Ballast is"):
        fast.add_column(column, justify="left" if column == "contestant" else "right")
    between = ratios(rounds)
    for name, result in rounds[0].items():
        ratio = between.get(f"whole_to_{name}")
        fast.add_row(name, str(result.orders), str(speed(rounds, name)), f"{ratio} x" if ratio else "")
    spent = Table(title="CPU milliseconds per order, and peak memory (MB), by process: medians")
    for column in ("contestant", "process", "CPU ms/order", "peak MB"):
        spent.add_column(column, justify="left" if column in ("contestant", "process") else "right")
    for name, result in rounds[0].items():
        for process in result.costs:
            cpu = median(one[name].costs[process]["cpu_s"] / one[name].orders for one in rounds)
            peak = median(one[name].costs[process]["peak_mb"] for one in rounds)
            spent.add_row(name, process, f"{cpu * 1000:.1f}", f"{peak:.0f}")
    return [fast, spent]
