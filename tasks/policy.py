"""Who retries what, in one place.

Blips belong to the adapter (`adapters/http.py`), an order's later attempts to the database (`again`, then a hold), and
a whole system that is down to Prefect: the chunk's task fails, is retried with back-off, and is red in the UI.
"""

from datetime import timedelta
from typing import Any, Final

CHUNK: Final[dict[str, Any]] = {
    "retries": 2,
    "retry_delay_seconds": [2, 10],
    "persist_result": False,
    "log_prints": False,
    "cache_policy": None,
}
"""Options of every task that works on a chunk. A retry finds in the database what is left to do."""

ALONE: Final[dict[str, Any]] = {**CHUNK, "retries": 0}
"""Options of tasks whose next attempt belongs to somebody else: the next sweep, or a person."""


CUT_OFF: Final = timedelta(seconds=10)
"""How long orders rest (machine time) after their chunk was cut off because its process ends: a call that was under way
may take as long to have its effect, and whoever comes next has to find it.
"""

BEAT: Final = timedelta(seconds=10)
"""A run that takes longer says so often that it is alive: `close-runs` closes what has fallen silent."""


class SystemDown(Exception):
    """Not one call of the chunk was taken: the system is down. Orders keep their place; retried later."""
