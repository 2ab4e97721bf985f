"""What goes wrong in a chaos run, and when: decided beforehand from the seed, so that a run can be had again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class What(StrEnum):
    """One kind of disturbance. The target says to whom."""

    KILL = "kill"  # SIGKILL to a process; the target is its name
    RESTART_DATABASE = "restart database"  # the target is PostgreSQL's stop mode
    STOP_PREFECT = "stop prefect"  # the server, for a while
    OUTAGE = "outage"  # a vendor takes no call for a while
    CANCEL = "cancel"  # customers change their minds
    RERUN = "rerun"  # an impatient hand on the rerun form


@dataclass(frozen=True, slots=True)
class Disturbance:
    """`at`: seconds after the first order. `seconds`: how long it lasts, where it lasts."""

    at: float
    what: What
    target: str = ""
    seconds: float = 0.0


KILLED = ("serve-1", "serve-2", "web")
"""A serve process is worker and listener at once; two of them share the work."""

VENDORS = ("kingdee", "qimen", "kdniao", "wechat")
"""Who is called often enough for an outage to be felt."""


def plan(seed: int, *, seconds: float, kills: int) -> Sequence[Disturbance]:
    """Disturbances of a run of `seconds`, earliest first: `kills` spread over it, everything else in its middle.

    Prefect is stopped for a minute (for a fifth of a run shorter than five), the database is restarted once orderly
    and once as by a power cut.
    """
    rng = Random(f"chaos/{seed}")  # noqa: S311  # a run that can be had again is the point
    gap = seconds * 0.9 / kills
    found = [Disturbance(gap * (n + rng.random()), What.KILL, _victim(rng, n)) for n in range(kills)]
    modes = ["fast", "immediate"]
    rng.shuffle(modes)
    early, late = (seconds * rng.uniform(*part) for part in ((0.10, 0.20), (0.56, 0.60)))
    found += [
        Disturbance(early, What.RESTART_DATABASE, modes[0]),
        Disturbance(late, What.RESTART_DATABASE, modes[1]),
        Disturbance(seconds * rng.uniform(0.25, 0.35), What.STOP_PREFECT, seconds=min(60.0, seconds / 5)),
        Disturbance(seconds * rng.uniform(0.60, 0.70), What.OUTAGE, rng.choice(VENDORS), min(30.0, seconds / 4)),
        *(Disturbance(seconds * rng.uniform(0.2, 0.8), What.CANCEL) for _ in range(2)),
        *(Disturbance(seconds * rng.uniform(0.2, 0.9), What.RERUN) for _ in range(2)),
    ]
    return sorted(found, key=lambda one: one.at)


def _victim(rng: Random, number: int) -> str:
    """Everybody's turn comes; who is next is chance."""
    return KILLED[number] if number < len(KILLED) else rng.choice(KILLED)
