"""One connection to the Prefect server for all runs of a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect.context import AsyncClientContext, SyncClientContext


@asynccontextmanager
async def shared_clients() -> AsyncIterator[None]:
    """Runs that begin inside use these clients instead of making two of their own.

    A client reads all root certificates when it is made, also for plain HTTP: 30 ms of CPU in which nothing else moves.
    """
    with SyncClientContext.get_or_create():
        async with AsyncClientContext.get_or_create():
            yield
