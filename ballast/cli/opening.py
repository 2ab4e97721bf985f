"""How a command gets at the database: the configured one, the one that runs in this folder, or the embedded one."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any, TypeVar

from ballast.clock import SHANGHAI
from ballast.settings import Settings, settings
from ballast.wiring import House, close_house, database_url, house

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

            os.environ["BALLAST_DATABASE_URL"] = stack.enter_context(database(settings())).ours
            settings.cache_clear()
        return asyncio.run(_opened(work))


def with_database(work: Callable[[str], T]) -> T:
    """Run `work` with the URL of the database as it is: nothing is brought to the newest shape before."""
    join_running()
    with ExitStack() as stack:
        if settings().database_url is None:
            from ballast.db.embedded import embedded_server
            from ballast.db.upgrade import create_database

            url = stack.enter_context(embedded_server((settings().home / "postgres").resolve())).url("ballast")
            asyncio.run(create_database(url, "ballast"))
        else:
            url = database_url(settings())
        return work(url)


async def _opened(work: Callable[[House], Awaitable[T]]) -> T:
    try:
        return await work(await house())
    finally:
        await close_house()


def in_prefect(run: Callable[[], Awaitable[T]]) -> T:
    """Run a flow from the command line, seen in the Prefect UI like any other. Raises `NotRunning` without a server."""
    if not join_running() and "PREFECT_API_URL" not in os.environ:
        raise NotRunning("no Prefect server: start `ballast up` in this folder or set PREFECT_API_URL")

    from prefect import tags

    async def closing() -> T:
        try:
            with tags("ballast", "by-hand"):  # as if the form had been sent
                return await run()
        finally:
            await close_house()

    return asyncio.run(closing())


def show_said(said: Mapping[str, str], *, json: bool) -> int:
    """What happened to each order; the exit code: 1 when one is unknown, or in the archive."""
    if json:
        print_json(said)
    else:
        from rich.console import Console

        for number, what in said.items():
            Console().print(f"{number}: {what}")
    return 1 if any(what.startswith(("unknown order", "in the archive")) for what in said.values()) else 0


def aware(at: datetime | None) -> datetime | None:
    """A time that a person typed: without zone it is China Standard Time."""
    return at.replace(tzinfo=SHANGHAI) if at is not None and at.tzinfo is None else at


def print_json(value: Any) -> None:
    """For scripts: one JSON document on stdout, times as ISO 8601."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")
