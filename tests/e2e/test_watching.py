"""What demo and chaos run see: an order that is asked about is at rest, and a stopwatch starts after the restart."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ballast.wiring import House
from deployments.rehearsal.disturbances import Disturbance, What
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


class Outside:
    """The faults of a world that counts refused calls: nobody has called yet."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.posted: list[float] = []

    def get(self, _path: str) -> dict[str, Any]:
        return {"done": self.done}

    def post(self, _path: str, *, system: str, outage_seconds: float) -> None:
        assert system == "kdniao"
        self.posted.append(outage_seconds)


def killer(monkeypatch: pytest.MonkeyPatch) -> tuple[Killer, Outside, list[float]]:
    """One in a world of which only the faults answer, and the clock on its wall."""
    wall, outside = [100.0], Outside()
    monkeypatch.setattr("deployments.rehearsal.killer.time", SimpleNamespace(monotonic=lambda: wall[0]))
    stage: Any = SimpleNamespace(outside=outside, console=Console(quiet=True), began=0.0)
    hands: Any = SimpleNamespace(busy=False)
    return Killer(stage, hands), outside, wall


@pytest.mark.parametrize("somebody_calls", [True, False])
def test_an_outage_goes_on_until_somebody_called_in_vain(monkeypatch: pytest.MonkeyPatch, somebody_calls: bool) -> None:
    one, outside, wall = killer(monkeypatch)
    one.disturb(Disturbance(0.0, What.OUTAGE, "kdniao", 10.0), set())
    for wall[0] in (105.0, 111.0):
        one.go_on()
    assert outside.posted == [10.0, 10.0] and not one.done
    if somebody_calls:
        outside.done["kdniao.outage"] = 1
    for wall[0] in (122.0, 133.0, 144.0, 155.0, 166.0):
        one.go_on()
    assert one.done and one.outage == {"system": "kdniao", "seconds": 20.0 if somebody_calls else 50.0}


def test_what_was_done_before_a_restart_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    one, _, wall = killer(monkeypatch)
    one.restarts.append({"mode": "fast"})
    one._restarted_at = 100.0
    for wall[0], work_done in ((100.5, 70), (101.0, 70), (103.2, 71)):
        assert "worked_again_after_s" not in one.restarts[0]
        one.note(work_done, set())
    one.note(90, set())
    assert one.restarts == [{"mode": "fast", "worked_again_after_s": 3.2}]


@pytest.mark.parametrize(
    ("state", "due", "unfinished"),
    [
        ("waiting_for_goods", True, True),
        ("refunded", False, True),
        ("requested", False, False),
        ("closed", False, False),
    ],
)
async def test_an_order_whose_return_goes_on_is_unfinished(
    a_house: House, engine: AsyncEngine, state: str, due: bool, unfinished: bool
) -> None:
    await place(a_house, make_order())
    async with a_house.transaction() as tx:
        await tx.execute(
            text(
                "insert into return_case (order_id, return_no, state, why, asked_by, asked_at, due_at, closed_at) "
                "select id, 'RT-SO-1-1', cast(:state as text), '', 'li', now(), case when :due then now() end, "
                "case when cast(:state as text) = 'closed' then now() end from sales_order"
            ),
            {"state": state, "due": due},
        )
    assert (await what_is_shown(engine, patience=0.1))["SO-1"].unfinished is unfinished
