"""What a replay runs in: simulators in a process of their own, a fresh database, and our side in this process."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from pydantic import SecretStr
from sqlalchemy import text

from ballast.clock import SetClock
from ballast.db.engine import make_engine
from ballast.settings import DoorSettings, Patience, Settings
from ballast.wiring import House, close_house, use_house
from deployments.machine import database
from deployments.processes import StartFailed, alone, free_port
from deployments.rehearsal.world import Credentials, World, world
from web.__main__ import server_config
from web.app import make_app

SILENCE: Final = timedelta(days=15)
"""Nothing is lost on the way here, and a record has milestones only: who is quiet that long is asked."""

ENDLESS: Final = timedelta(days=36500)
"""The record decides how an order ends, not our patience: nobody closes it before the last recorded time."""

PATIENCE: Final = Patience(
    unpaid=SILENCE,
    warehouse_quiet=SILENCE,
    courier_quiet=SILENCE,
    early_news=SILENCE,
    unpaid_close=ENDLESS,
    return_window=ENDLESS,
    linger=timedelta(0),
)

NO_RULES: Final = "rules: []\n"
"""The record answers returns, and says which came back: no rule does, and no window of today's refuses one."""

AT_ONCE: Final = 0.001
"""Seconds: the world sends what it has and waits, so nobody else is coming."""

NO_ENVIRONMENT: Final = "BALLAST_REPLAY_READS_NO_SETTING_"
"""Systems and robots that somebody has configured are real ones: none of them hears of a replay."""


class ReplayFailed(Exception):
    """The replay cannot go on: nothing of it is of use. What to look at stands in the text."""


class WorldFailed(ReplayFailed):
    """The simulated world refused what it was asked for, or its messages were not taken: see the log beside it."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The world's control room, from inside the loop that also takes its webhooks."""

    http: httpx.AsyncClient

    async def play(self, acts: Sequence[Mapping[str, Any]], *, stop: bool) -> tuple[int, frozenset[int]]:
        """Let acts happen: how many were tried, and the places of those that cannot happen yet. `stop` at the first of
        them. Every message of theirs was taken then.
        """
        told = await self._post("recorded", {"acts": list(acts), "stop": stop})
        if not told["settled"]:
            raise WorldFailed("messages of the world were not taken within half a minute")
        return int(told["tried"]), frozenset(map(int, told["waits"]))

    async def settle(self) -> None:
        """Wait until our side has taken every message that is under way."""
        await self._post("settle", {})

    async def stock(self, pieces: Mapping[str, int]) -> None:
        """Articles that the ERP and the warehouse are to know, with so many pieces in every warehouse."""
        articles = [{"sku": sku, "quantity": quantity} for sku, quantity in pieces.items()]
        await self._post("articles", {"articles": articles})

    async def requests(self) -> dict[str, int]:
        """Calls that were made to each system, in all."""
        told = (await self.http.get("progress")).raise_for_status().json()
        return dict(told["requests"])

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = await self.http.post(path, json=dict(body))
        if answer.status_code != 200:
            raise WorldFailed(f"the world answers {answer.status_code} to {path}: {answer.text[:500]}")
        return answer.json()


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands before our side opens: the world's process, an empty database, a port for its webhooks."""

    outside: World
    config: Settings


@contextmanager
def ground(settings: Settings, policy: Path, begins_at: datetime) -> Iterator[Ground]:
    """Start what is not in this process. Everything lies in a folder of its own."""
    home, credentials = settings.home / "replay", Credentials.make()
    with ExitStack() as stack:
        stack.enter_context(alone(home))
        port = free_port()
        hooks = f"http://127.0.0.1:{port}/hooks"
        outside = stack.enter_context(
            world(credentials, seed=1, speed=0.0, hooks=hooks, home=home, stands_at=begins_at)
        )
        own = settings.model_copy(update={"home": home, "database_url": None})
        books = stack.enter_context(database(own, fresh=True)).ours
        (home / "returns.yaml").write_text(NO_RULES, encoding="utf-8")
        config = own_settings(own, credentials.ours(outside.url), books=books, port=port, policy=policy)
        yield Ground(outside, config)


def own_settings(settings: Settings, systems: Mapping[str, Any], *, books: str, port: int, policy: Path) -> Settings:
    """The settings of a replay: its own systems and nobody else's, whatever the environment says."""
    return Settings(
        _env_file=None,
        _env_prefix=NO_ENVIRONMENT,
        **systems,
        database_url=SecretStr(books),
        home=settings.home,
        web_port=port,
        language=settings.language,
        chunk=settings.chunk,
        patience=PATIENCE,
        door=DoorSettings(intake="let_in"),  # these orders were taken, whatever was on the shelf
        sla_policy=policy.resolve(),
        return_rules=settings.home / "returns.yaml",
    )


@asynccontextmanager
async def our_side(at: Ground, begins_at: datetime) -> AsyncIterator[tuple[House, SetClock, Outside]]:
    """Our side: the house that flows and tasks of this process work in, and the door for webhooks, on one set clock."""
    clock = SetClock(begins_at)
    assert at.config.database_url is not None  # ground has one
    house = House(at.config, clock, make_engine(at.config.database_url.get_secret_value()))
    async with house.engine.connect() as connection:  # thrown away at the end: nothing waits for the disk
        await connection.execute(text("alter database ballast set synchronous_commit = off"))
        await connection.commit()
    await house.engine.dispose()
    use_house(house)
    server = uvicorn.Server(server_config(make_app(house, gather=AT_ONCE), house.settings))
    serving = asyncio.create_task(server.serve())
    try:
        await _until_up(server, serving)
        async with httpx.AsyncClient(base_url=f"{at.outside.url}/world/", timeout=60, trust_env=False) as http:
            yield house, clock, Outside(http)
    finally:
        server.should_exit = True
        await asyncio.wait([serving])
        await close_house()


async def _until_up(server: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    end = time.monotonic() + 30
    while not server.started:
        if serving.done() or time.monotonic() > end:
            raise StartFailed("the door for the world's webhooks did not open")
        await asyncio.sleep(0.02)
