"""How much memory something takes."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

MB = 1_000_000


@contextmanager
def memory_of(most: int) -> Iterator[None]:
    """At its highest, what is done inside takes no more than so many bytes beyond what was there."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak / MB:.1f} MB"
