"""Confirm every order whose charges cover it; ask the provider about those nobody paid."""

from prefect import flow

from ballast.domain.words import Step
from flows.runs import run_step
from tasks.payment import check_charges


@flow(name="confirm-payment", flow_run_name="confirm-payment")
async def confirm_payment(linger: float = 0.0) -> None:
    """Confirm every order whose charges cover it; ask the provider about those nobody paid.

    A lost notice of a payment is found within BALLAST_PATIENCE__UNPAID (half an hour of business time) after the order
    was placed, or after the last time the provider was asked, by the listener's next look (a second), or, where no
    listener runs, by the next sweep (a minute). Before an unpaid order is closed (BALLAST_PATIENCE__UNPAID_CLOSE, a
    day) the provider is asked once more. A charge that comes later, or is the second of its order, shows by its notice
    only.

    Args:
        linger: Seconds to stay for more work; 0 ends the run when nothing is due. 无事可做后再停留的秒数
    """
    await run_step(Step.CONFIRM_PAYMENT, check_charges, linger)
