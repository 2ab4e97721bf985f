"""Ask the courier about every order on its way that has gone quiet: a lost push is found here."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.courier import ask_courier


@flow(name="track-transit", flow_run_name="track-transit")
async def track_transit(linger: float = 0.0) -> None:
    """Ask the courier about every order on its way that has gone quiet: a lost push is found here.

    linger: seconds to stay for more work; 0 ends the run when nothing is due.
    """
    await run_step(Step.TRACK_TRANSIT, ask_courier, linger)
