"""People: what they have to hear of, sent."""

from prefect import task

from ballast.sending import send_due
from ballast.wiring import house
from tasks.chunks import Tally
from tasks.policy import ALONE


@task(name="send alert digests", tags=["alerts"], **ALONE)
async def send_digests() -> Tally:
    """Every alert climbs as far as it is time, and all that is due goes out: one message per channel."""
    return await send_due(await house())
