"""Take every return as far as it goes: answered by rule, announced, paid back or exchanged, closed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from prefect import flow

from ballast.db.return_report import step_times
from ballast.db.returns import claim
from ballast.points import Point, reached
from flows.runs import Run, start
from tasks.returns import work_on_returns

LOOKS_BACK: Final = timedelta(days=30)
"""For which returns the artifact of a sweep says how long their steps took."""


@flow(name="handle-returns", flow_run_name="handle-returns")
async def handle_returns(linger: float = 0.0) -> None:
    """Take every return that is due as far as it goes: answered by rule, announced, paid back or exchanged, closed.

    What no rule answers waits for a person: the form `answer-returns`, or `ballast returns answer`. A warehouse that
    has not told what came within BALLAST_PATIENCE__WAREHOUSE_QUIET (twelve hours of business time) is asked, and asked
    again after ever longer times. The artifact of a sweep says how long each step took of the returns of the last 30
    days.

    Args:
        linger: Seconds to stay for more returns; 0 ends the run when there are none. 无事可做后再停留的秒数
    """
    run = await start("handle-returns", linger)
    here, most = run.house, run.house.settings.chunk

    async def find() -> Mapping[str, int] | None:
        async with here.transaction() as tx:
            claimed = await claim(tx, most=most, now=here.clock.now(), until=here.lease())
        if not claimed:
            return None
        reached("returns", Point.BEFORE)
        return claimed

    at_once = here.settings.chunks_at_once
    await run.drain(find, work_on_returns, at_once=at_once, is_full=lambda batch: len(batch) == most)
    if not run.linger:  # the sweep; whoever is woken has no time for it
        run.table = await _times(run)
    await run.finish()


async def _times(run: Run) -> list[dict[str, str]]:
    """How long each step takes, for the artifact."""
    async with run.house.transaction() as tx:
        found = await step_times(tx, since=run.house.clock.now() - LOOKS_BACK)
    return [
        {"step": one.step, "returns": str(one.returns), "hours, half within": f"{one.median:g}",
         "9 of 10 within": f"{one.p90:g}", "longest": f"{one.longest:g}"}
        for one in found
    ]  # fmt: skip
