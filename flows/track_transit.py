"""Ask the courier about every order on its way that has gone quiet: a lost push is found here."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.courier import ask_courier


@flow(name="track-transit", flow_run_name="track-transit")
async def track_transit(linger: float = 0.0) -> None:
    """Ask the courier about every order on its way that has gone quiet: a lost push is found here.

    A lost push, of a scan or of a signature, is found within BALLAST_PATIENCE__COURIER_QUIET (a day of business time)
    after the last news of the order, by the listener's next look (a second), or, where no listener runs, by the next
    sweep (a minute). The parcels that are asked about are subscribed once more. A held order is asked about as long as
    news can end its hold, any other by the rerun that releases it.

    Args:
        linger: Seconds to stay for more work; 0 ends the run when nothing is due. 无事可做后再停留的秒数
    """
    await run_step(Step.TRACK_TRANSIT, ask_courier, linger)
