"""Take every return as far as it goes: answered by rule, announced, paid back or exchanged, closed."""

from collections.abc import Mapping

from prefect import flow

from ballast.db.returns import claim
from ballast.points import Point, reached
from flows.runs import start
from tasks.returns import work_on_returns


@flow(name="handle-returns", flow_run_name="handle-returns")
async def handle_returns(linger: float = 0.0) -> None:
    """Take every return that is due as far as it goes: answered by rule, announced, paid back or exchanged, closed.

    What no rule answers waits for a person: the form `answer-returns`, or `ballast returns answer`.

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
    await run.finish()
