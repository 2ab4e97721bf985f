"""Up is not ready."""

import pytest
from sqlalchemy import text

from ballast.db.engine import make_engine
from ballast.db.shape import NEWEST
from ballast.db.upgrade import revisions, upgrade
from tests.db.test_migrations import connected, fresh
from tests.web.stage import NOWHERE, Stage, make_house
from web.health import Readiness


async def test_up_and_ready(stage: Stage) -> None:
    for path in ("/health", "/ready"):
        answer = await stage.http.get(path)
        assert answer.status_code == 200 and answer.json()["status"] == "ok"


async def test_up_but_not_ready_without_a_database(stage: Stage) -> None:
    engine, stage.house.engine = stage.house.engine, make_engine(NOWHERE)
    answer = await stage.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "database": "does not take connections (FileNotFoundError)",
        "next": "run `ballast doctor`",
    }
    assert (await stage.http.get("/health")).status_code == 200
    stage.house.engine = engine
    assert (await stage.http.get("/ready")).status_code == 200


async def test_a_database_that_hangs_is_not_waited_for(stage: Stage) -> None:
    ready = Readiness(stage.house, seconds=0.1)
    async with stage.house.transaction() as tx:
        await tx.execute(text("lock table alembic_version in access exclusive mode"))
        assert await ready._in_time(ready._try_database) == "no answer within 0.1 s"
    assert await ready._in_time(ready._try_database) is None


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("drop table alembic_version", "lacks migrations: run `ballast db upgrade`"),
        ("delete from alembic_version", "lacks migrations: run `ballast db upgrade`"),
        ("update alembic_version set version_num = '0006'", "lacks migrations: run `ballast db upgrade`"),
        ("update alembic_version set version_num = '9999'", None),  # the next version is being rolled out
    ],
)
async def test_a_database_without_the_newest_migrations_is_not_ready(
    server_url: str, harm: str, says: str | None
) -> None:
    url = await fresh(server_url, "ballast_behind")
    await upgrade(url)
    async with connected(url) as connection:
        await connection.execute(text(harm))
    house = make_house(url)
    ready = Readiness(house)
    assert await ready._in_time(ready._try_database) == says
    await house.close()


async def test_what_counts_as_newest_is_the_newest_migration(database_url: str) -> None:
    assert (await revisions(database_url))[1] == NEWEST
