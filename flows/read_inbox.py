"""Let every new message from shop, payment, warehouse and courier act on its order."""

from prefect import flow

from ballast.db.inbox import count_new
from flows.runs import LETTERS_PER_CHUNK, start
from tasks.inbox import read_messages


@flow(name="read-inbox", flow_run_name="read-inbox")
async def read_inbox(linger: float = 0.0) -> None:
    """Let every new message from shop, payment, warehouse and courier act on its order.

    linger: seconds to stay for more messages; 0 ends the run when there are none.
    """
    run = await start("read-inbox", linger)

    most = run.house.settings.chunk * LETTERS_PER_CHUNK

    async def find() -> int | None:
        async with run.house.transaction() as tx:
            return await count_new(tx, "news", most) or None

    await run.drain(find, read_messages, at_once=1, is_full=lambda found: found == most)
    await run.finish()
