"""What people and schedules start is killed at every point, too; it is started again where nothing of it is seen."""

import subprocess
import sys
from collections.abc import Callable
from signal import SIGKILL
from typing import Any

import pytest

from ballast.points import VARIABLE
from deployments.serve import ANSWERS
from flows.close_runs import FLOWS
from tests.crash.matrix import BY_HAND, CASES_BY_HAND, CHANGE_NO_ORDER, SAMPLE_BY_HAND
from tests.crash.picture import Before, differences, take_picture
from tests.crash.story import END_OF_LEASES, Workers, place, rest, working
from tests.flows.stage import LINES, Stage, empty_books

MakeWorkers = Callable[..., Workers]

SHORT = frozenset({"rerun-orders", "sync-inventory"})
"""What is for orders that wait for goods; the other forms are for one that is with the warehouse."""

_undisturbed: dict[str, dict[str, Any]] = {}


def test_every_flow_has_its_cases_here_or_in_the_matrix() -> None:
    answered = {flow.name for flow in ANSWERS.values()}  # type: ignore[attr-defined]  # a Prefect flow
    assert {*FLOWS} == answered | BY_HAND.keys() | CHANGE_NO_ORDER
    assert len(FLOWS) == len(answered) + len(BY_HAND) + len(CHANGE_NO_ORDER), "each once"


async def play(stage: Stage, make_workers: MakeWorkers, flow: str, crash_at: str = "") -> dict[str, Any]:
    """One order, up to where the form is for it; the form, killed there; then everybody goes on."""
    await empty_books(stage.house)
    before = await Before.look(stage)
    if flow in SHORT:
        await stage.put_on_shelf({LINES[0][0]: 0})
    with working(make_workers()) as workers:
        order_no = await place(stage)
        await rest(stage, workers)
        await stage.world.act(order_no, "pay")
        await rest(stage, workers)
        if flow == "answer-returns":
            await ask_for_a_return(stage, workers, order_no)
    if flow == "rerun-orders":
        await stage.put_on_shelf({LINES[0][0]: 1000})
    if flow == "reconcile":  # it left, and nobody told us
        await stage.world.faults(system="qimen", webhook_lost=1.0)
        await stage.ship(order_no)
        await stage.world.calm()
    if crash_at:
        assert start(workers, flow, order_no, crash_at) == -SIGKILL, f"{crash_at} was not reached, see {workers.home}"
        for sql in END_OF_LEASES:
            await stage.rows(sql)
    if not crash_at or not await is_seen(stage):
        assert start(workers, flow, order_no) == 0, f"see {workers.home}"
    with working(make_workers()) as workers:
        await rest(stage, workers)
    return await take_picture(stage, {order_no: "one"}, before)


async def ask_for_a_return(stage: Stage, workers: Workers, order_no: str) -> None:
    """Delivered, and wanted back for a reason that no rule answers."""
    for act in (stage.ship(order_no), stage.world.act(order_no, "scan", state_ex="204")):
        await act
        await rest(stage, workers)
    await stage.world.act(order_no, "sign")
    await rest(stage, workers)
    await stage.world.post(f"orders/{order_no}/ask-return", {"reason": "other"})
    await rest(stage, workers)


def start(workers: Workers, flow: str, order_no: str, crash_at: str = "") -> int:
    """Start a flow as a process and wait for its end: its exit code."""
    env = dict(workers.env) | ({VARIABLE: crash_at} if crash_at else {})
    command = [sys.executable, "-m", "tests.crash.person", flow, order_no]
    with (workers.home / "person.log").open("ab") as log:
        return subprocess.run(command, cwd=workers.home, env=env, stdout=log, stderr=log, timeout=90).returncode


async def is_seen(stage: Stage) -> bool:
    """Whether the order shows what was asked for: nobody asks for it again. A schedule comes again by itself."""
    return bool(await stage.rows("select 1 from order_event where actor = 'person:li'"))


async def undisturbed(stage: Stage, make_workers: MakeWorkers, flow: str) -> dict[str, Any]:
    if flow not in _undisturbed:
        _undisturbed[flow] = await play(stage, make_workers, flow)
    return _undisturbed[flow]


ENDS = {
    "cancel-orders": ("CLOSED", None),
    "hold-orders": ("ON_HOLD", "BY_HAND"),
    "edit-orders": ("STOCK_LOCKED", None),
    "answer-returns": ("SIGNED", None),
    "rerun-orders": ("STOCK_LOCKED", None),
    "reconcile": ("OUTBOUND", None),
    "sync-inventory": ("STOCK_LOCKED", None),
}


@pytest.mark.parametrize(
    ("flow", "crash_at"),
    [pytest.param(*case, marks=() if case[1] in SAMPLE_BY_HAND else pytest.mark.slow) for case in CASES_BY_HAND],
)
async def test_nobody_can_tell_that_it_was_killed(
    stage: Stage, make_workers: MakeWorkers, flow: str, crash_at: str
) -> None:
    expected = await undisturbed(stage, make_workers, flow)
    assert [(row["state"], row["hold_reason"]) for row in expected["orders"]] == [ENDS[flow]]
    found = differences(await play(stage, make_workers, flow, crash_at), expected)
    assert found == [], "\n".join(found)
