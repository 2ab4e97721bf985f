"""Send at a rate, wait until the shop knows every number, and tell how long it took."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from math import ceil
from statistics import median
from typing import Any, Final

from bench.cost import Cost
from bench.latency.ground import Ground, ground
from bench.latency.orders import count_ends, read_hops, waybill
from bench.latency.sending import Sent, send
from bench.stage import BenchFailed, Stage

WARM_UP: Final = 60
"""Events before anything is measured: long-lived processes have run every flow before."""
PATIENCE: Final = 180.0
"""Seconds after the last event for the shop to see it, and then for ERP and courier."""
BETWEEN: Final = 2.0
STEPS: Final = 4
"""What is done for an event: its order moves; shop, courier and ERP are told."""


def measure(stage: Stage, *, rates: Sequence[int], seconds: float, burst: int) -> dict[str, Any]:
    """{"rates": {"50": figures, ..}, "burst": figures}. Raises `BenchFailed` when something was lost or told twice.

    Figures: p50, p95, p99 and max in seconds from the moment when an event was to be sent to the shop's receipt of its
    tracking number; count, lost; refused (answers that were not an acknowledgement; such are sent again);
    answered_p99; all_told_s, until ERP and courier knew everything, too; hops (see `orders.read_hops`); cost, what
    every process spent. Of the burst besides: drained_per_second, events until the last one is known to the shop, and
    steps_per_second, until everybody knows it.
    """
    sizes = [(f"{rate}", float(rate), round(rate * seconds)) for rate in rates] + [("burst", 0.0, burst)] * bool(burst)
    figures: dict[str, Any] = {}
    with ground(stage, WARM_UP + sum(size for *_, size in sizes)) as where:
        first = WARM_UP + 1
        _one(stage, where, range(1, first), 20.0)
        for name, rate, size in sizes:
            figures[name] = _one(stage, where, range(first, first + size), rate)
            first += size
            time.sleep(BETWEEN)
        _check(where, first - 1)
    return {"rates": {name: one for name, one in figures.items() if name != "burst"}, "burst": figures.get("burst", {})}


def _one(stage: Stage, where: Ground, orders: range, rate: float) -> dict[str, Any]:
    with stage.meter.measure() as spent, where.meter.measure() as ours:
        sent = asyncio.run(send(where.hooks, where.secrets, orders, rate))
        seen = _wait(where, orders)
        last = max((seen[waybill(n)] for n in orders if waybill(n) in seen), default=float("nan"))
        begun = min(sent.due_at.values())
        all_told = _wait_for_all(where) - begun
    figures = _figures(sent, seen, orders)
    hops = asyncio.run(read_hops(where.database_url, orders[0], orders[-1]))
    if not rate:
        figures["drained_per_second"] = round(len(orders) / (last - begun), 1)
        figures["steps_per_second"] = round(STEPS * len(orders) / all_told, 1)
    return {**figures, "all_told_s": round(all_told, 2), "hops": hops, "cost": _costs({**spent, **ours})}


def _costs(spent: dict[str, Cost]) -> dict[str, dict[str, float]]:
    return {name: {key: round(value, 1) for key, value in asdict(cost).items()} for name, cost in spent.items()}


def _wait(where: Ground, orders: range) -> dict[str, float]:
    """Until the shop has seen all of them, or patience ends."""
    end, wanted = time.monotonic() + PATIENCE, {waybill(number) for number in orders}
    while True:
        seen: dict[str, float] = where.seen()["at"]
        if wanted <= seen.keys() or time.monotonic() > end:
            return seen
        where.check()
        time.sleep(0.5)


def _wait_for_all(where: Ground) -> float:
    """When nothing is left to do: ERP and courier know everything, too."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ends = asyncio.run(count_ends(where.database_url))
        if not ends["unread"] + ends["unsent"]:
            break
        where.check()
        time.sleep(0.5)
    return time.monotonic()


def _figures(sent: Sent, seen: dict[str, float], orders: range) -> dict[str, Any]:
    found = sorted(seen[waybill(n)] - sent.due_at[n] for n in orders if waybill(n) in seen)
    if not found:
        raise BenchFailed("the shop was told of nothing")
    return {
        "p50": round(median(found), 3),
        "p95": round(_percentile(found, 95), 3),
        "p99": round(_percentile(found, 99), 3),
        "max": round(found[-1], 3),
        "count": len(found),
        "lost": len(orders) - len(found),
        "refused": sent.refused,
        "given_up": sent.given_up,
        "answered_p99": round(_percentile(sorted(sent.answered_in), 99), 3),
    }


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent do not exceed."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def _check(where: Ground, orders: int) -> None:
    """Every order left once, everybody was told once, and nothing is left to do."""
    seen, ends = where.seen(), asyncio.run(count_ends(where.database_url))
    wrong = [f"{len(seen['told_twice'])} waybills were told to the shop twice"] if seen["told_twice"] else []
    wanted = {
        "outbound": orders,
        "moves": orders,
        "read": orders,
        "unread": 0,
        "sent": 3 * orders,
        "unsent": 0,
        "effects_open": 0,
    }
    wrong += [f"{name} is {ends[name]}, not {count}" for name, count in wanted.items() if ends[name] != count]
    wrong += [f"{name} is {seen[name]}, not {orders}" for name in ("followed", "booked") if seen[name] != orders]
    wrong += [f"the shop saw {len(seen['at'])}, not {orders}"] if len(seen["at"]) != orders else []
    if wrong:
        raise BenchFailed("; ".join(wrong))
