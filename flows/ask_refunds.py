"""Ask the provider about every refund that was asked for and has gone quiet: a lost notice is found here."""

from collections.abc import Sequence

from prefect import flow

from ballast.db.payments import OpenRefund, claim_refunds
from ballast.points import Point, reached
from flows.runs import start
from tasks.refunds import ask_about_refunds


@flow(name="ask-refunds", flow_run_name="ask-refunds")
async def ask_refunds(linger: float = 0.0) -> None:
    """Ask the provider about every refund that was asked for and has gone quiet: a lost notice is found here.

    A notice counts as lost after BALLAST_PATIENCE__REFUND_QUIET (six hours of business time). The refund is then asked
    about by the listener's next look (a second), or, where no listener runs, by the next sweep (five minutes).

    Args:
        linger: Seconds to stay for more refunds; 0 ends the run when there are none. 无事可做后再停留的秒数
    """
    run = await start("ask-refunds", linger)
    here, most = run.house, run.house.settings.chunk

    async def find() -> Sequence[OpenRefund] | None:
        async with here.transaction() as tx:
            claimed = await claim_refunds(tx, most=most, now=here.clock.now(), until=here.lease())
        if not claimed:
            return None
        reached("refunds", Point.BEFORE)
        return claimed

    at_once = here.settings.chunks_at_once
    await run.drain(find, ask_about_refunds, at_once=at_once, is_full=lambda batch: len(batch) == most)
    await run.finish()
