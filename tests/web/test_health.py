"""Up is not ready."""

import pytest
from sqlalchemy import text

from ballast.db.engine import make_engine
from tests.web.stage import NOWHERE, Stage
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


async def test_a_database_that_hangs_is_not_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.health.text", lambda _: text("select pg_sleep(5)"))
    ready = Readiness(stage.house, seconds=0.1)
    assert await ready._in_time(ready._try_database) == "no answer within 0.1 s"
