"""Tell people what they have to hear of: alerts climb their ladders, and all that is due goes out."""

from prefect import flow

from flows.runs import start
from tasks.alerts import send_digests


@flow(name="send-alerts", flow_run_name="send-alerts")
async def send_alerts(linger: float = 0.0) -> None:
    """Tell people what they have to hear of: alerts climb their ladders, and all that is due goes out.

    An alert that nobody acknowledges or resolves is told again, to others, as the ladder of its kind says
    (rules/sla.yaml). One message per channel holds all of it. A channel that refuses is left for the next one, and that
    is an alert itself.

    linger: not used; one run sends all that is due.
    """
    run = await start("send-alerts")
    run.tally.update(await send_digests())
    await run.finish()
