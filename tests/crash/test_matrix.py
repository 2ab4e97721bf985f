"""A worker is killed at every point of everything it does; another one goes on, and in the end nothing shows it."""

from collections.abc import Callable
from signal import SIGKILL
from typing import Any

import pytest

from adapters.wms.qimen.batch import ANSWER
from tests.crash.matrix import CALL_OFF_EFFECTS, CASES, SAMPLE, SENT, STEP_EFFECTS
from tests.crash.picture import differences
from tests.crash.story import Workers, play
from tests.flows.stage import Stage

MakeWorkers = Callable[..., Workers]

SHARED = {"BALLAST_QIMEN__ORDERS_PER_CALL": "20", "BALLAST_PATIENCE__GATHER": "PT0.5S"}
"""What is paid together is handed over together."""

_played: dict[str, dict[str, Any]] = {}


@pytest.fixture
async def undisturbed(stage: Stage, make_workers: MakeWorkers) -> dict[str, Any]:
    """The picture of a run in which nobody dies; played once for all cases."""
    if "alone" not in _played:
        _played["alone"] = await play(stage, make_workers())
    return _played["alone"]


@pytest.fixture
async def undisturbed_sharing(stage: Stage, make_workers: MakeWorkers) -> dict[str, Any]:
    """The same of a run in which two orders are handed over in one call."""
    if "shared" not in _played:
        _played["shared"] = await play(stage, make_workers(**SHARED))
    return _played["shared"]


async def test_every_kind_of_effect_has_its_cases(stage: Stage, undisturbed: dict[str, Any]) -> None:
    found = await stage.rows("select distinct kind from effect")
    assert {row.kind for row in found} == {*STEP_EFFECTS, *CALL_OFF_EFFECTS, *SENT}


async def test_the_story_ends_well(undisturbed: dict[str, Any]) -> None:
    """Else the cases would compare one misfortune with another."""
    states = {row["order_no"]: row["state"] for row in undisturbed["orders"]}
    assert states == {"way": "SIGNED", "twice": "SIGNED", "off": "CLOSED"}
    assert [row for row in undisturbed["messages"] if not row["done"] or row["note"]] == []
    assert {row["state"] for row in undisturbed["effects"]} == {"done"}
    assert {row["state"] for row in undisturbed["refunds"]} == {"done"}
    assert len(undisturbed["refunds"]) == 3
    assert [row["state"] for row in undisturbed["returns"]] == ["closed"]
    assert sum(row["locked"] for row in undisturbed["stock"]) == 0
    assert undisturbed["duplicates"] == {}
    asked_about = {"way-parcel-1": 2}  # quiet for once, so it was subscribed once more
    assert undisturbed["repeatable"] == dict.fromkeys(undisturbed["repeatable"], 1) | asked_about


@pytest.mark.parametrize(
    "crash_at", [pytest.param(case, marks=() if case in SAMPLE else pytest.mark.slow) for case in CASES]
)
async def test_nobody_can_tell_that_a_worker_was_killed(
    stage: Stage, undisturbed: dict[str, Any], make_workers: MakeWorkers, crash_at: str
) -> None:
    workers = make_workers(crash_at)
    found = differences(await play(stage, workers), undisturbed)
    assert found == [], "\n".join(found)
    assert workers.deaths == [-SIGKILL]


@pytest.mark.slow
@pytest.mark.parametrize("crash_at", ["wms.create/written", "wms.create/called", "ship_out/stored"])
async def test_nor_when_orders_shared_the_call(
    stage: Stage, undisturbed_sharing: dict[str, Any], make_workers: MakeWorkers, crash_at: str
) -> None:
    """Two orders are handed over as one, and the warehouse says of each later what became of it."""
    workers = make_workers(crash_at, **SHARED)
    found = differences(await play(stage, workers), undisturbed_sharing)
    assert found == [], "\n".join(found)
    assert workers.deaths == [-SIGKILL]
    answered = await stage.rows("select distinct order_no from inbox where payload->>'_topic' = :topic", topic=ANSWER)
    assert len(answered) == 2


@pytest.mark.slow
async def test_a_dead_workers_orders_move_again_when_its_lease_is_over(
    stage: Stage, undisturbed: dict[str, Any], make_workers: MakeWorkers
) -> None:
    """As in production: nobody tells the next worker; only the time of the lease is shorter here."""
    workers = make_workers("wms.create/called", lease_ends=True, BALLAST_PATIENCE__LEASE="PT5S")
    found = differences(await play(stage, workers), undisturbed)
    assert found == [], "\n".join(found)
    assert workers.deaths == [-SIGKILL]
