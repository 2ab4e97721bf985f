"""A town on a free port, our side on another, and raw callers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sim.config import Config
from sim.town import Town, build_town
from tests.sim.callers import Callers
from tests.sim.receiver import Receiver
from tests.sim.settings import make_settings


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a test touches."""

    town: Town
    call: Callers
    received: Receiver


OpenStage = Callable[..., Awaitable[Stage]]


@asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def open_stage() -> AsyncIterator[OpenStage]:
    """Call it with changes of the settings; everything is taken down after the test."""
    async with AsyncExitStack() as stack:

        async def open(**changes: Any) -> Stage:
            receiver = Receiver()
            hooks_app = web.Application()
            receiver.mount(hooks_app)
            hooks = await stack.enter_async_context(serve(hooks_app))
            town = build_town(Config.read(make_settings(hooks=f"{hooks}/hooks", **changes)))
            base = await stack.enter_async_context(serve(town.app))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Stage(town, Callers(session, base), receiver)

        yield open


@pytest.fixture
async def stage(open_stage: OpenStage) -> Stage:
    return await open_stage()
