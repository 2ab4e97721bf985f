"""The small port on which the long-lived process says whether it is well."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import httpx
import uvicorn
from prefect.client.orchestration import get_client
from starlette.applications import Starlette
from starlette.routing import Route

from ballast.settings import SettingsError
from ballast.wiring import House
from web.health import Check, Readiness, answer_health
from web.metrics import Metrics

LOOKED_WITHIN = 10.0
"""Seconds. It looks once a second; a run that keeps the event loop for itself makes it late."""


class Ears(Protocol):
    """What a listener tells of itself."""

    hears: bool
    looked_at: float | None


@asynccontextmanager
async def health_port(here: House, listener: Ears) -> AsyncIterator[int]:
    """Answer `/health`, `/ready` and `/metrics` while the context is open; the port, 0 when none is set.

    Raises `SettingsError` when somebody else has the port.
    """
    if not here.settings.serve_port:
        yield 0
        return
    door = _open(here.settings.web_host, here.settings.serve_port)
    ready = Readiness(here, more=checks(here, listener))
    metrics = Metrics(here)
    app = Starlette(
        routes=[
            Route("/health", answer_health),
            Route("/ready", ready.answer),
            Route("/metrics", metrics.answer),
        ]
    )
    config = uvicorn.Config(
        app, access_log=False, log_config=None, ws="none", server_header=False, lifespan="off",
        timeout_graceful_shutdown=1,  # who does not read our answers does not hold up the end of this process
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        yield int(door.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


def _open(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as taken:
        raise SettingsError(
            f"BALLAST_SERVE_PORT {port} cannot be opened ({type(taken).__name__}): every serve process of a machine "
            "needs a port of its own, or 0 for none"
        ) from None


def checks(here: House, listener: Ears) -> dict[str, Check]:
    """What a listener and worker needs, besides the database."""

    async def prefect() -> str | None:
        try:
            async with get_client() as client:
                await client.hello()
        except httpx.HTTPError as error:
            return f"does not answer ({type(error).__name__})"
        return None

    async def hears() -> str | None:
        return None if listener.hears else "hears no news, looks once a second"

    async def looks() -> str | None:
        if here.stopping:
            return "this process is stopping"
        now = asyncio.get_running_loop().time()
        if listener.looked_at is None or now - listener.looked_at > LOOKED_WITHIN:
            return f"has not looked for work for {LOOKED_WITHIN:g} s"
        return None

    return {"prefect": prefect, "listener": hears, "look": looks}
