"""Let every new message from shop, payment, warehouse and courier act on its order."""

from prefect import flow

from flows.runs import run_messages
from tasks.inbox import read_messages, tell_overdue


@flow(name="read-inbox", flow_run_name="read-inbox")
async def read_inbox(linger: float = 0.0) -> None:
    """Let every new message from shop, payment, warehouse and courier act on its order.

    Args:
        linger: Seconds to stay for more messages; 0 ends the run when there are none. 无事可做后再停留的秒数
    """
    await run_messages("read-inbox", "news", read_messages, linger, after=tell_overdue)
