"""Connections: one engine per process, JSON by orjson, and the wake-up bell that LISTEN/NOTIFY rings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import asyncpg
import orjson
from sqlalchemy import TextClause, event, make_url, text
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

BELL = "ballast"
"""The NOTIFY channel. The payload is the name of what has become due: a step, `inbox`, `orders`, `outbox`, `alerts`."""


DATABASE_ERRORS: Final = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What the database throws when it does not take something. OSError holds refused connections and time-outs; asyncpg's
own classes come through while a connection is made.
"""


def dumps(value: Any) -> str:
    """JSON text; datetimes become ISO 8601 with offset."""
    return orjson.dumps(value).decode()


def make_engine(url: str, *, pool: int = 10, plan_once: bool = False) -> AsyncEngine:
    """An engine for `postgresql://` or `postgresql+asyncpg://` URLs. Closed connections are replaced before use.

    `plan_once`: the server keeps the plan of a statement, whatever its values: where the same cheap question is asked
    hundreds of times a second, planning it costs four times as much as answering it.
    """
    parsed = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(
        parsed,
        pool_size=pool,
        max_overflow=pool,
        json_serializer=dumps,
        json_deserializer=_loads,
        connect_args={"server_settings": {"plan_cache_mode": "force_generic_plan"}} if plan_once else {},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """asyncpg knows at once when the server hung up: no statement per transaction is needed to find out."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server closed this connection while it was idle")


def _loads(value: str | bytes) -> Any:
    return orjson.loads(value)


@lru_cache(maxsize=512)
def _statement(sql: str) -> TextClause:
    """Statements are written once in this code and run thousands of times: they are read once, too."""
    return text(sql)


async def rows(tx: AsyncConnection, sql: str, **params: Any) -> Sequence[Any]:
    """All rows of one statement."""
    return (await tx.execute(_statement(sql), params)).all()


async def run(tx: AsyncConnection, sql: str, **params: Any) -> int:
    """One statement; the number of rows that it changed."""
    return (await tx.execute(_statement(sql), params)).rowcount


async def ring(tx: AsyncConnection, *what: str) -> None:
    """Wake who waits for `what`, once this transaction commits."""
    if what:
        await tx.execute(
            text("select pg_notify(:bell, w) from unnest(cast(:what as text[])) w"),
            {"bell": BELL, "what": sorted(set(what))},
        )


_GHOSTS_END_SOON: Final = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""Of a machine that lost its power the server would believe for hours that it still leads."""


NO_PLACE: Final = 64
"""Of a process that stands nowhere in line, or behind so many that it does not matter where."""


@dataclass(frozen=True, slots=True)
class Listening:
    """The connection on which a process hears the bell, and stands in line with the others. `lost`: it is no more."""

    lost: asyncio.Event
    _connection: asyncpg.Connection

    async def move_up(self, place: int) -> int:
        """The first place that is free before `place`, now ours as long as this connection lasts; else `place`.

        0 leads.
        """
        take = """
            select place from generate_series(0, $2::int - 1) place
            where pg_try_advisory_lock(hashtext($1), place) limit 1"""
        better = await self._connection.fetchval(take, BELL, place)
        if better is None:
            return place
        if place < NO_PLACE:
            await self._connection.execute("select pg_advisory_unlock(hashtext($1), $2)", BELL, place)
        return int(better)


@asynccontextmanager
async def bell(url: str, heard: Callable[[str], None]) -> AsyncIterator[Listening]:
    """Call `heard(what)` at every ring while the context is open."""
    parsed = make_url(url)
    connection = await asyncpg.connect(
        parsed.set(drivername="postgresql").render_as_string(hide_password=False),
        timeout=10,
        server_settings=_GHOSTS_END_SOON,
    )
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _connection: lost.set())
    try:
        await connection.add_listener(BELL, lambda _c, _pid, _channel, payload: heard(str(payload)))
        yield Listening(lost, connection)
    finally:
        await connection.close(timeout=5)


__all__ = ["BELL", "DATABASE_ERRORS", "NO_PLACE", "Listening", "bell", "dumps", "make_engine", "ring", "rows", "run"]
