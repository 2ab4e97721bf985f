"""The database is restarted under everything that works: it goes on by itself, in the same processes."""

import asyncio
import logging
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ballast.db.embedded import TOOLS, embedded_server
from ballast.db.upgrade import create_database, upgrade
from ballast.domain.words import State
from deployments.apply import apply
from tests.contracts.outside import World
from tests.flows.prefect_server import prefect_server
from tests.flows.serving import serving, until
from tests.flows.stage import Stage, empty_books, open_house
from tests.web.stage import open_stage

log = logging.getLogger(__name__)


@pytest.fixture
async def own(running_world: World) -> AsyncIterator[tuple[Stage, str, Path]]:
    """A stage whose books, and whose Prefect server's, lie on a PostgreSQL of their own; its URL, its files."""
    with (
        tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "pg") as server,
    ):
        for name in ("ballast", "prefect"):
            await create_database(server.url("ballast"), name)
        await upgrade(server.url("ballast"))
        house = open_house(server.url("ballast"), running_world)
        await empty_books(house)
        with prefect_server(server.url("prefect"), Path(folder)):
            await apply()
            async with open_stage(house) as web:
                await running_world.post("hooks", {"hooks": f"http://127.0.0.1:{web.port}/hooks"})
                yield Stage(house, running_world), server.url("ballast"), Path(folder) / "pg"
                await running_world.calm()
                await running_world.post("settle")
        await house.close()


def _restart(files: Path, mode: str) -> None:
    """As an administrator does it. `immediate` is a crash: the server recovers from its log."""
    subprocess.run(
        [str(TOOLS / "pg_ctl"), "-D", str(files), "-w", "-m", mode, "-l", str(files / "log"), "restart"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=files.owner(), cwd="/",
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_an_order_moves_right_after_the_database_came_back(own: tuple[Stage, str, Path], mode: str) -> None:
    stage, url, files = own
    async with serving(url, stage.world) as serve:
        await asyncio.to_thread(_restart, files, mode)
        loop = asyncio.get_running_loop()
        back = loop.time()
        placed = await stage.world.place(lines=[{"sku": "SKU-001", "quantity": 1}], script="normal")
        number = str(placed["order"]["order_no"])

        async def is_there() -> bool:
            return bool(await stage.rows("select 1 from sales_order where order_no = :no", no=number))

        await until(is_there, said=serve.said)
        log.info("taken in %.1f s after the %s restart", loop.time() - back, mode)
        await stage.world.act(number, "pay")

        async def is_locked() -> bool:
            return await stage.state(number) is State.STOCK_LOCKED

        await until(is_locked, said=serve.said)
        log.info("locked %.1f s after the %s restart", loop.time() - back, mode)
        assert serve.process.returncode is None, serve.said()
        await until(serve.ready, said=serve.said)
        await serve.stop()
        assert serve.process.returncode == 0, serve.said()
