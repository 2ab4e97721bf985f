"""Python's garbage collector, told what a long-lived process is: what is loaded stays, what a chunk needs goes."""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 10, 10
"""How many new objects, and younger collections, are waited for before the next look (Python's own: 700, 10, 10).

A chunk under way is tens of thousands of objects, nearly all of which are freed by count when it ends: looking through
them again and again was a fifth of a busy process's work, and found nothing.
"""


def spare_collector() -> None:
    """For the end of a process's start: what is loaded by now is never looked through again.

    Prefect alone is a quarter of a million objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
