"""The engine bench: Ballast's machinery, the floor and the two peers in turns, each checked for what it did."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from bench.engine.orders import STEPS, expected_ends, place_orders
from bench.rounds import Turn
from bench.stage import BenchFailed, Stage

SIZES: Final = {"floor": 8000, "floor_our_client": 8000, "ballast": 8000, "dbos": 500, "flow_per_order": 40}
"""How many of the orders each takes: the slow ones the first few, or a round would take an hour."""

QUICK: Final = {"floor": 300, "floor_our_client": 300, "ballast": 300, "dbos": 40, "flow_per_order": 4}
WORDS: Final = {"floor_our_client": ("bench.engine.floor", "ours")}
"""Contestants that are another one with a word more."""
OURS: Final = frozenset({"floor", "floor_our_client", "ballast"})
"""Those that work on Ballast's tables, and have to have written the same rows."""


def engine_rounds(stage: Stage, *, rounds: int, quick: bool) -> Iterator[dict[str, Turn]]:
    """Every contestant once per round, in an order that turns with the rounds. Raises `BenchFailed`."""
    sizes = list((QUICK if quick else SIZES).items())
    for number in range(rounds):
        first = number % len(sizes)
        turns = {name: _turn(stage, name, orders) for name, orders in sizes[first:] + sizes[:first]}
        yield {name: turns[name] for name, _ in sizes}


def _turn(stage: Stage, name: str, orders: int) -> Turn:
    if name in OURS:
        asyncio.run(place_orders(stage.url("ballast"), orders, datetime.now(UTC)))
    stage.forget()
    module, *words = WORDS.get(name, (f"bench.engine.{name}",))
    figures, costs = stage.contest(module, str(orders), *words)
    check(name, orders, figures, stage.seen())
    return Turn(orders=orders, seconds=figures["seconds"], costs=costs)


def check(name: str, orders: int, figures: dict[str, Any], seen: dict[str, int]) -> None:
    """Every order reached its end, every row is there, and the server saw each effect once. Raises `BenchFailed`."""
    if name in OURS:
        wanted, calls = expected_ends(orders), orders * len(STEPS)
    else:
        wanted, calls = {"ended": orders}, (orders + 1) * len(STEPS)  # one for the warm-up
    wrong = [f"{figures[what]} {what} instead of {count}" for what, count in wanted.items() if figures[what] != count]
    wrong += [f"{seen[what]} {what} seen instead of {calls}" for what in ("calls", "effects") if seen[what] != calls]
    if wrong:
        raise BenchFailed(f"engine, {name}: {'; '.join(wrong)}")
