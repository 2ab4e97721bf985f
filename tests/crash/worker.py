"""`python -m tests.crash.worker`: the listener of `deployments.serve`, as in production, until somebody kills it.

It waits for a line before it begins: a process that takes over stands ready while its predecessor is at work.
"""

import asyncio
import logging
import sys

from ballast.wiring import house
from deployments.serve import Listener


async def work() -> None:
    """Listen, look and answer for ever; no pool, for nobody plans runs here."""
    await asyncio.gather(*Listener(await house()).duties())


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    if sys.stdin.readline():
        asyncio.run(work())
