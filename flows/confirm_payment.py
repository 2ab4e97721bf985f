"""Confirm every order whose charges cover it; ask the provider about those nobody paid."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.payment import check_charges


@flow(name="confirm-payment", flow_run_name="confirm-payment")
async def confirm_payment(linger: float = 0.0) -> None:
    """Confirm every order whose charges cover it; ask the provider about those nobody paid.

    linger: seconds to stay for more work; 0 ends the run when nothing is due.
    """
    await run_step(Step.CONFIRM_PAYMENT, check_charges, linger)
