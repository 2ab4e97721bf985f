"""The rounds of the whole bench: floor, Ballast and DBOS one after the other, again and again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.stage import Stage
from bench.whole.contest import CONTESTANTS, Result, contest
from bench.whole.figures import Round

NAMES: Final = tuple(CONTESTANTS)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done. `peers`: orders of DBOS, which is slow; the others have `orders`."""

    orders: int
    peers: int
    rounds: int


FULL: Final = Size(orders=1200, peers=200, rounds=3)
QUICK: Final = Size(orders=40, peers=20, rounds=1)


def run_rounds(stage: Stage, size: Size, say: Callable[[str], None]) -> list[Round]:
    """All rounds; each begins with another contestant, so that none always has the machine as another left it.

    `say` is told a line per contest. Raises `BenchFailed` when one does not get to its end.
    """
    rounds: list[Round] = []
    for number in range(size.rounds):
        first = number % len(NAMES)
        done: dict[str, Result] = {}
        for name in (*NAMES[first:], *NAMES[:first]):
            done[name] = contest(stage, name, size.peers if name == "dbos" else size.orders)
            say(f"round {number + 1}, {name}: {done[name].orders_per_second:.1f} orders/s")
        rounds.append({name: done[name] for name in NAMES})
    return rounds
