"""Crash points: named places at which a test kills this process, to see that nothing is lost and nothing done twice.

Off unless the environment of this very process has `CRASH_AT=KIND/POINT` or `CRASH_AT=KIND/POINT:N` (the N-th time it
passes there); no file can set it. KIND is the kind of an effect, a step, or a duty:

| kind | before | written | called | stored | moved |
|---|---|---|---|---|---|
| `erp.reserve`, `wms.create` | nothing written | effect written | a call came back | of their step | of their step |
| `erp.change` | likewise | likewise | likewise | likewise | likewise |
| `erp.cancel`, `wms.cancel` | nothing written | effect written | a call came back | result in | committed |
| messages, as `shop.shipped` | claimed | effect written | a call came back | result in | committed |
| steps, as `lock_stock` | claimed | - | the answers are there | results and moves in | committed |
| `inbox`, `orders` | nothing taken | - | - | changes and `done` in | committed |
| `refunds` | claimed | - | the answers are there | what they say in | committed |
| `returns` | claimed | - | - | what was decided about a chunk is in | committed |
| `sla` | nothing claimed | - | - | breaches and alerts in | committed |
| `reconcile` | nothing asked | - | the answers are there | what they say, and is done about it, in | committed |
| `alerts` | nothing claimed | claimed, counted | the call came back | sent | committed |
| `prune` | nothing locked | - | - | a chunk of orders is in the archive | committed |
| `answer`, `cancel`, `hold`, `rerun` | nothing read | - | - | what was asked for is in | committed |
| `figures`, `restock` | - | - | `figures` are there | figures, or who goes on, in | committed |

Where results and moves are one transaction, `stored` lies before its commit and `moved` after it. Steps have `called`
where they ask; what the answers say is in no book then. A chunk passes `called` once per call: others are under way.
"""

import os
import re
import signal
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final

VARIABLE: Final = "CRASH_AT"


class Point(StrEnum):
    """Where a process stands between deciding an effect and having moved its order."""

    BEFORE = "before"  # nothing of it is written down
    WRITTEN = "written"  # written down as about to be made; not called
    CALLED = "called"  # called; its result is in memory only
    STORED = "stored"  # result and move are written, not committed
    MOVED = "moved"  # committed; nobody outside this process knows that it was


@dataclass(frozen=True, slots=True)
class Crash:
    """Where to die: at the `time`-th pass."""

    kind: str
    point: Point
    time: int = 1


def read_crash(text: str) -> Crash | None:
    """`lock_stock/stored` or `lock_stock/stored:2`; nothing in, None out. Raises ValueError for anything else."""
    if not text:
        return None
    parts = re.fullmatch(rf"([a-z_.]+)/({'|'.join(Point)})(?::([1-9][0-9]*))?", text)
    if parts is None:
        raise ValueError(f"{VARIABLE}={text} is no crash point: KIND/POINT or KIND/POINT:N, see ballast/points.py")
    return Crash(parts[1], Point(parts[2]), int(parts[3] or 1))


_CRASH: Final = read_crash(os.environ.get(VARIABLE, ""))
_PASSES = count(1)


def reached(kind: str, point: Point) -> None:
    """The process is at this point now. It goes on, or ends here without another word when it was started to."""
    if _CRASH is not None and (kind, point) == (_CRASH.kind, _CRASH.point) and next(_PASSES) == _CRASH.time:
        os.kill(os.getpid(), signal.SIGKILL)
