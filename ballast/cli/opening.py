"""How a command gets at the database: the configured one, the one that runs in this folder, or the embedded one."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, TypeVar

from ballast.settings import Settings, settings
from ballast.wiring import House, close_house, house

T = TypeVar("T")


class NotRunning(Exception):
    """This command needs services that do not run here: start `ballast up` in this folder, then try again."""


def join_running() -> bool:
    """Take on the settings of the machine that runs in this folder (`ballast up`, `ballast demo`), if one does."""
    from deployments.machine import read_running

    found = read_running(Settings().home)
    for name, value in found.items():
        os.environ.setdefault(name, value)
    settings.cache_clear()
    return bool(found)


def with_house(work: Callable[[House], Awaitable[T]]) -> T:
    """Run `work` with an open house. Starts the embedded server for as long as it takes when nothing else is there."""
    join_running()
    with ExitStack() as stack:
        if settings().database_url is None:
            from deployments.machine import database

            ours, _ = stack.enter_context(database(settings()))
            os.environ["BALLAST_DATABASE_URL"] = ours
            settings.cache_clear()
        return asyncio.run(_opened(work))


async def _opened(work: Callable[[House], Awaitable[T]]) -> T:
    try:
        return await work(await house())
    finally:
        await close_house()


def print_json(value: Any) -> None:
    """For scripts: one JSON document on stdout, times as ISO 8601."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")
