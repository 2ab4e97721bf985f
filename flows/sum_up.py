"""One page that says how things are: the landing page of the control room."""

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from flows.runs import start
from tasks.chunks import Tally
from tasks.overview import look_around

PAGE = "control-room"
"""Key of the artifact: Prefect UI, Artifacts."""


@flow(name="sum-up", flow_run_name="sum-up")
async def sum_up() -> None:
    """Write the page `control-room` (Artifacts): orders per state, holds by reason, open alerts, each with its link.

    It reads and changes nothing. Earlier versions of the page stay under its key, so that a day can be read back.
    """
    run = await start("sum-up")
    room = await look_around()
    seen = room.seen
    await acreate_markdown_artifact(room.page, key=PAGE, description=f"**{PAGE}**")
    held = sum(count for count, _ in seen.held.values())
    run.tally.update(Tally({"under way": seen.under_way, "on hold": held, "open alerts": seen.open_alerts}))
    await run.finish()
