"""What demo and chaos run see: an order that is asked about is at rest, and a stopwatch starts after the restart."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.wiring import House
from deployments.rehearsal.killer import Killer
from deployments.rehearsal.watching import what_is_shown
from tests.db.stage import make_order, place


async def claim(house: House, owner: str | None) -> None:
    async with house.transaction() as tx:
        await tx.execute(text("update sales_order set lease_owner = :owner"), {"owner": owner})


async def test_an_order_that_is_asked_about_for_a_moment_is_at_rest(a_house: House, engine: AsyncEngine) -> None:
    await place(a_house, make_order())
    await claim(a_house, "serve-1:1")
    shown = asyncio.create_task(what_is_shown(engine, patience=30))
    await asyncio.sleep(0.5)
    assert not shown.done()
    await claim(a_house, None)
    assert not (await shown)["SO-1"].unfinished


async def test_an_order_that_nobody_lets_go_of_is_unfinished(a_house: House, engine: AsyncEngine) -> None:
    await place(a_house, make_order())
    await claim(a_house, "serve-1:1")
    assert (await what_is_shown(engine, patience=0.5))["SO-1"].unfinished


def killer(monkeypatch: pytest.MonkeyPatch) -> tuple[Killer, list[float]]:
    """One that has just restarted the database, and the clock on its wall."""
    wall = [100.0]
    monkeypatch.setattr("deployments.rehearsal.killer.time", SimpleNamespace(monotonic=lambda: wall[0]))
    stage: Any = None
    one = Killer(stage, stage, restarts=[{"mode": "fast"}])
    one._restarted_at = 100.0
    return one, wall


def test_what_was_done_before_a_restart_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    one, wall = killer(monkeypatch)
    for wall[0], work_done in ((100.5, 70), (101.0, 70), (103.2, 71)):
        assert "worked_again_after_s" not in one.restarts[0]
        one.note(work_done, set())
    one.note(90, set())
    assert one.restarts == [{"mode": "fast", "worked_again_after_s": 3.2}]
