"""How many of a system's calls at once each process may make. Pure: what all of them hold and want in, a number out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TURN: Final = 0.5
"""Seconds that a process keeps its only slot while others have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one process holds of a limit, and how much it could use. `since`: it has held slots, or none, since then."""

    slots: int
    wanted: int
    since: float  # Unix seconds
    until: float  # when its lease ends


def fair_slots(limit: int, owner: str, shares: Mapping[str, Share], now: float) -> int:
    """How many slots `owner`, one of the `shares`, should have now: never more than the others leave free.

    The limit is shared out evenly among those who want something; what one does not want, the others have. Where
    there are more of them than slots they take turns, whoever has waited longest first.
    """
    mine = shares[owner]
    if not mine.wanted:
        return 0
    free = limit - sum(share.slots for name, share in shares.items() if name != owner)
    wanting = {name: share.wanted for name, share in shares.items() if share.wanted}
    if len(wanting) <= limit:
        return max(0, min(free, _even(limit, wanting)[owner]))
    waiting = sorted((name for name in wanting if not shares[name].slots), key=lambda name: (shares[name].since, name))
    if mine.slots:
        return 0 if waiting and now - mine.since >= TURN else max(0, min(free, 1))
    return 1 if free > waiting.index(owner) else 0


def _even(limit: int, wanting: Mapping[str, int]) -> dict[str, int]:
    """The limit dealt out one by one; nobody gets more than it wants."""
    dealt, left = dict.fromkeys(wanting, 0), limit
    while left and (hungry := sorted(name for name in wanting if dealt[name] < wanting[name])):
        each = max(1, min(left // len(hungry), min(wanting[name] - dealt[name] for name in hungry)))
        for name in hungry[:left]:
            dealt[name] += each
            left -= each
    return dealt
