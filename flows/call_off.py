"""Call off what was cancelled, or refunded before it left: warehouse, ERP, money, then close."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.calling_off import call_off_chunk


@flow(name="call-off", flow_run_name="call-off")
async def call_off(linger: float = 0.0) -> None:
    """Call off what was cancelled, or refunded before it left: warehouse, ERP, money, then close.

    Args:
        linger: Seconds to stay for more work; 0 ends the run when nothing is due. 无事可做后再停留的秒数
    """
    await run_step(Step.CALL_OFF, call_off_chunk, linger)
