"""Sign off every order whose parcels all arrived, and close those whose return window is over."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.closing import sign_off_chunk


@flow(name="sign-off", flow_run_name="sign-off")
async def sign_off(linger: float = 0.0) -> None:
    """Sign off every order whose parcels all arrived, and close those whose return window is over.

    Args:
        linger: Seconds to stay for more work; 0 ends the run when nothing is due. 无事可做后再停留的秒数
    """
    await run_step(Step.SIGN_OFF, sign_off_chunk, linger)
