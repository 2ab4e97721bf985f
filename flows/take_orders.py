"""Take every pushed order into the books."""

from prefect import flow

from ballast.db.inbox import count_new
from flows.runs import LETTERS_PER_CHUNK, start
from tasks.orders import take_in


@flow(name="take-orders", flow_run_name="take-orders")
async def take_orders(linger: float = 0.0) -> None:
    """Take every pushed order into the books.

    linger: seconds to stay for more orders; 0 ends the run when there are none.
    """
    run = await start("take-orders", linger)

    most = run.house.settings.chunk * LETTERS_PER_CHUNK

    async def find() -> int | None:
        async with run.house.transaction() as tx:
            return await count_new(tx, "order", most) or None

    await run.drain(find, take_in, at_once=1, is_full=lambda found: found == most)
    await run.finish()
