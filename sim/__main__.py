"""`python -m sim CONFIG.json`: serve the world until a signal or the end of the parent process."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from sim.config import Config, load_config
from sim.town import build_town

PARENT_CHECK_SECONDS = 1.0


async def serve(config: Config) -> None:
    parent = os.getppid()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    runner = web.AppRunner(build_town(config).app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, config.host, config.port, backlog=1024)
    await site.start()
    sys.stdout.write(orjson.dumps({"port": runner.addresses[0][1]}).decode() + "\n")
    sys.stdout.flush()
    try:
        while not ended.is_set() and os.getppid() == parent:
            await wait_for_end(ended)
    finally:
        await runner.cleanup()


async def wait_for_end(ended: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(PARENT_CHECK_SECONDS):
            await ended.wait()
    except TimeoutError:
        return


def choose_runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """uvloop where it is installed: the simulator shares its cores with what it is there to test."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def spare_collector() -> None:
    """A world only grows: full collections would stop it for longer and longer and find nothing."""
    gc.set_threshold(100_000, 50, 1_000)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m sim CONFIG.json")
    spare_collector()
    choose_runner()(serve(load_config(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
