"""Two orders that warehouses have become one: a worker is killed at every point of that, and nobody sees it."""

from collections.abc import Callable
from signal import SIGKILL
from typing import Any

import pytest

from ballast.points import Point
from tasks.merging import merge_orders
from tests.crash.matrix import MERGING_EFFECTS
from tests.crash.picture import Before, differences, take_picture
from tests.crash.story import Workers, rest, working
from tests.flows.stage import Stage, empty_books
from tests.flows.test_merging import SAME
from tests.flows.test_sourcing import A, B

MakeWorkers = Callable[..., Workers]

CASES = (
    *(f"wms.cancel/{point}" for point in ("before", "written", "called:1", "called:2")),
    *(f"ship_out/{point}:{time}" for point in ("stored", "moved") for time in (2, 3, 4, 5)),
    *(f"{kind}/{point}" for kind in MERGING_EFFECTS for point in Point),
    *(f"erp.change/{point}" for point in ("before", "written", "called")),
    *(f"shop.shipped/{point}" for point in ("written", "called:1", "called:2", "stored")),
)
"""Stopped twice, joined, voided in the ERP, the sale order changed, handed over; then the shop hears of both."""

SAMPLE = frozenset({"erp.void/called", "ship_out/stored:3"})
_undisturbed: list[dict[str, Any]] = []


async def play(stage: Stage, workers: Workers) -> dict[str, Any]:
    await empty_books(stage.house)
    before = await Before.look(stage)
    with working(workers):
        one, two = [
            str((await stage.world.place(lines=[wanted], script="normal", **SAME))["order"]["order_no"])
            for wanted in ({"sku": A, "quantity": 2}, {"sku": B, "quantity": 1})
        ]
        await rest(stage, workers)
        for order_no in (one, two):
            await stage.world.act(order_no, "pay")
        await rest(stage, workers)
        await merge_orders(stage.house, [one, two], by="li")
        await rest(stage, workers)
        await stage.world.act(f"{one}.2", "ship", packages=[{"items": {A: 2, B: 1}}])
        await rest(stage, workers)
        await stage.world.act(one, "sign")
        await rest(stage, workers)
    return await take_picture(stage, {one: "one", two: "two"}, before)


@pytest.fixture
async def undisturbed(stage: Stage, make_workers: MakeWorkers) -> dict[str, Any]:
    if not _undisturbed:
        _undisturbed.append(await play(stage, make_workers()))
    return _undisturbed[0]


@pytest.mark.parametrize(
    "crash_at", [pytest.param(case, marks=() if case in SAMPLE else pytest.mark.slow) for case in CASES]
)
async def test_nobody_can_tell_that_a_worker_was_killed_while_orders_were_merged(
    stage: Stage, undisturbed: dict[str, Any], make_workers: MakeWorkers, crash_at: str
) -> None:
    assert [row["state"] for row in undisturbed["orders"]] == ["SIGNED", "CLOSED"]
    assert undisturbed["duplicates"] == {} and sum(row["locked"] for row in undisturbed["stock"]) == 0
    workers = make_workers(crash_at)
    found = differences(await play(stage, workers), undisturbed)
    assert found == [], "\n".join(found)
    assert workers.deaths == [-SIGKILL]
