"""Calling tasks as what they are, plain functions, where nobody wants to see a run of each: in a replay.

Prefect starts a hundred task runs a second. A replay of two years makes thousands of passes in a minute, and its report
is what people read; the work of a task is the same either way. Retries stay out: a replay's world does not fail.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, ParamSpec, TypeVar, cast

from prefect import Task
from prefect.utilities.annotations import opaque

P = ParamSpec("P")
R = TypeVar("R")

_PLAINLY: Final[ContextVar[bool]] = ContextVar("plainly", default=False)


@contextmanager
def plainly() -> Iterator[None]:
    """Inside, flows leave no runs, names and artifacts behind: neither of themselves nor of their tasks."""
    mark = _PLAINLY.set(True)
    try:
        yield
    finally:
        _PLAINLY.reset(mark)


def is_plain() -> bool:
    """Whether Prefect is left out here."""
    return _PLAINLY.get()


def seen(task: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """The task itself, whose call is a task run; or the function in it.

    Prefect looks for other tasks' futures in every value of what a task is given, three times: a chunk of orders or
    messages has none, and is passed as one thing.
    """
    if not isinstance(task, Task):
        return task
    if _PLAINLY.get():
        return cast(Callable[P, Awaitable[R]], task.fn)

    def call(*args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        return cast(Awaitable[R], task(*map(opaque, args), **kwargs))

    return call
