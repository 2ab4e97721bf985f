"""Take every pushed order into the books."""

from prefect import flow

from flows.runs import run_messages
from tasks.orders import take_in


@flow(name="take-orders", flow_run_name="take-orders")
async def take_orders(linger: float = 0.0) -> None:
    """Take every pushed order into the books.

    Args:
        linger: Seconds to stay for more orders; 0 ends the run when there are none. 无事可做后再停留的秒数
    """
    await run_messages("take-orders", "order", take_in, linger)
