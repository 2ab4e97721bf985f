"""A web process on a real port, its house on a real database, and what is in the inbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr

from ballast.clock import Clock
from ballast.db.engine import make_engine, rows
from ballast.settings import Settings
from ballast.wiring import House, page_key
from tests.contracts.outside import settings_for
from web.__main__ import server_config
from web.app import make_app

CONSOLE_KEY = "console-key-of-the-tests"
HOOK_KEY = "key-of-the-automations-of-the-tests"
NOWHERE = "postgresql+asyncpg://postgres@/none?host=/nonexistent"


def make_house(url: str, **changes: Any) -> House:
    """A house with every system configured."""
    outside = settings_for("http://127.0.0.1:9")
    values: dict[str, Any] = {
        "console_key": SecretStr(CONSOLE_KEY),
        "prefect_hook_key": SecretStr(HOOK_KEY),
        "qimen": outside.qimen,
        "kdniao": outside.kdniao,
        "wechat": outside.wechat,
        "wechatpay": outside.wechatpay,
        "direct": outside.direct,
    }
    config = Settings(**{**values, **changes}, _env_file=None)
    return House(config, Clock(), make_engine(url))


@dataclass(frozen=True, slots=True)
class Stage:
    """What a test touches."""

    house: House
    http: httpx.AsyncClient
    port: int

    async def inbox(self, source: str = "") -> list[Any]:
        """What is stored, of one source or all."""
        async with self.house.transaction() as tx:
            return list(await rows(tx, "select * from inbox where :source in ('', source) order by id", source=source))

    async def order_page(self, order_no: str, **query: str) -> httpx.Response:
        """The page behind the link that artifacts carry."""
        key = page_key(CONSOLE_KEY, order_no)
        return await self.http.get(f"/orders/{order_no}", params={"key": key, **query})


@asynccontextmanager
async def open_stage(house: House) -> AsyncIterator[Stage]:
    """Serve this house on a free port until the context ends."""
    server = uvicorn.Server(server_config(make_app(house), house.settings, port=0))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not running.done()
    port = server.servers[0].sockets[0].getsockname()[1]
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20, limits=limits
    ) as http:
        yield Stage(house, http, port)
    server.should_exit = True
    await running
