"""An order of two warehouses, one of which refuses: a worker is killed at every point of that, and nobody sees it."""

from collections.abc import Callable
from signal import SIGKILL
from typing import Any

import pytest

from tests.crash.picture import Before, differences, take_picture
from tests.crash.story import Workers, rest, working
from tests.flows.stage import Stage, empty_books
from tests.flows.test_sourcing import A, B, rows_in_force, shelf

MakeWorkers = Callable[..., Workers]

CASES = (
    "lock_stock/stored",
    "erp.reserve/called",
    *(f"wms.create/{point}" for point in ("written:2", "called:2", "called:3")),
    *(f"{kind}/{point}" for kind in ("wms.cancel", "erp.change") for point in ("before", "written", "called")),
    *(f"ship_out/{point}:{time}" for point in ("stored", "moved") for time in (2, 3, 4, 5, 6)),
)
"""Handed over twice, stopped, sourced again, the sale order changed, handed over: each pass stores once."""

SAMPLE = "erp.change/called"
_undisturbed: list[dict[str, Any]] = []


async def play(stage: Stage, workers: Workers) -> dict[str, Any]:
    """CK002 refuses its part; CK001, where more has come meanwhile, ships it too."""
    await empty_books(stage.house)
    await rows_in_force(stage, split=True, reroute=True)
    await shelf(stage, {(A, "CK001"): 1, (A, "CK002"): 5, (B, "CK001"): 5})
    before = await Before.look(stage)
    with working(workers):
        placed = await stage.world.place(lines=[{"sku": A, "quantity": 2}, {"sku": B, "quantity": 1}], script="normal")
        order_no = str(placed["order"]["order_no"])
        await rest(stage, workers)
        await stage.world.act(order_no, "pay")
        await rest(stage, workers)
        await shelf(stage, {(A, "CK001"): 9})
        await stage.world.act(f"{order_no}.2", "report", status="REJECT")
        await rest(stage, workers)
        for code, items in ((f"{order_no}.3", {A: 1}), (order_no, {A: 1, B: 1})):
            await stage.world.act(code, "ship", packages=[{"items": items}])
            await rest(stage, workers)
        await stage.world.act(order_no, "sign")
        await rest(stage, workers)
    return await take_picture(stage, {order_no: "one"}, before)


@pytest.fixture
async def undisturbed(stage: Stage, make_workers: MakeWorkers) -> dict[str, Any]:
    if not _undisturbed:
        _undisturbed.append(await play(stage, make_workers()))
    return _undisturbed[0]


@pytest.mark.parametrize(
    "crash_at", [pytest.param(case, marks=() if case == SAMPLE else pytest.mark.slow) for case in CASES]
)
async def test_nobody_can_tell_that_a_worker_was_killed_while_an_order_was_sourced(
    stage: Stage, undisturbed: dict[str, Any], make_workers: MakeWorkers, crash_at: str
) -> None:
    assert [row["state"] for row in undisturbed["orders"]] == ["SIGNED"]
    assert [(row["code"], row["warehouse"], row["state"]) for row in undisturbed["deliveries"]] == [
        ("one", "CK001", "left"), ("one.2", "CK002", "ended"), ("one.3", "CK001", "left"),
    ]  # fmt: skip
    assert undisturbed["duplicates"] == {} and sum(row["locked"] for row in undisturbed["stock"]) == 0
    workers = make_workers(crash_at)
    found = differences(await play(stage, workers), undisturbed)
    assert found == [], "\n".join(found)
    assert workers.deaths == [-SIGKILL]
