"""One embedded PostgreSQL per run, brought to the newest shape as in production; empty tables for every test."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import SQLModel

import ballast.db.tables  # noqa: F401  # registers every table
from ballast.db.embedded import embedded_server
from ballast.db.engine import make_engine
from ballast.db.upgrade import create_database, upgrade
from ballast.settings import Settings
from ballast.wiring import House
from tests.times import SettableClock

settings.register_profile(
    "steady",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("steady")
"""Every run tries the same examples, on a slow machine too: what fails once fails again. Slow tests draw new ones."""

_TABLES = [table.name for table in SQLModel.metadata.sorted_tables]
_EMPTY = f"""
do $$ declare one text; filled boolean; names text := ''; begin
  foreach one in array array{_TABLES} loop
    execute format('select exists (select from %I)', one) into filled;
    if filled then names := names || ', ' || quote_ident(one); end if;
  end loop;
  if names <> '' then execute 'truncate ' || substr(names, 3) || ' restart identity cascade'; end if;
end $$"""
"""Only what has rows: emptying an empty table costs as much as a full one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Storeys with Prefect in them come last: its threads draw from the random numbers that Hypothesis watches."""
    items.sort(key=lambda item: bool({"flows", "crash", "e2e"} & set(item.path.parts)))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The server's own database, for tests that want an empty one beside it."""
    # not pytest's own folder: the path to a socket must stay short, and the server's user must be able to read it
    with (
        tempfile.TemporaryDirectory(prefix="ballast-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "pg") as server,
    ):
        yield server.url("postgres")


@pytest.fixture(scope="session")
async def database_url(server_url: str) -> str:
    """A migrated database of the whole run."""
    url = server_url.replace("/postgres?", "/ballast?")
    await create_database(server_url, "ballast")
    await _forget_the_disk(server_url)
    await upgrade(url)
    return url


async def _forget_the_disk(server_url: str) -> None:
    """No test pulls the plug: without waiting for the disk, emptying tables takes a tenth of the time."""
    server = create_async_engine(server_url, isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.execute(text("alter system set fsync = off"))
        await connection.execute(text("select pg_reload_conf()"))
    await server.dispose()


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections that the tests of a run share."""
    shared = make_engine(database_url)
    yield shared
    await shared.dispose()


@pytest.fixture
async def a_house(engine: AsyncEngine) -> AsyncIterator[House]:
    """A house without outside systems; its clock stands where the test sets it, its tables are empty."""
    async with engine.begin() as tx:
        await tx.execute(text("set local lock_timeout = '10s'"))  # a test left a transaction open
        await tx.execute(text(_EMPTY))
    house = House(Settings(_env_file=None), SettableClock(), engine)
    yield house
    for role in house.roles.values():
        await role.close()


@pytest.fixture
def clock(a_house: House) -> SettableClock:
    """The clock of `a_house`, to be set."""
    assert isinstance(a_house.clock, SettableClock)
    return a_house.clock
