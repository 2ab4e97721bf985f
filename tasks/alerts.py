"""People: everything that has to be said, in one message."""

from datetime import datetime, timedelta

from prefect import task

from adapters.errors import NotUnderstood, OutcomeUnknown, OutsideError, Refused, Throttled
from ballast.db.alerts import MOST_HEARD, Ringing, claim_alerts, end_alerts, not_heard, put_back, send_slot
from ballast.points import Point, reached
from ballast.ports import Digest, Item
from ballast.wiring import House, house
from tasks.chunks import Tally
from tasks.policy import ALONE

MOST_IN_ONE_DIGEST = 200
ATTEMPTS = 12
MAY_BE_HEARD = (OutcomeUnknown, NotUnderstood)
"""A time-out, or an answer in no known words."""


@task(name="send alert digest", tags=["alerts"], **ALONE)
async def send_digest() -> Tally:
    """Send all due alerts as one message, within the robot's limit over all processes."""
    here = await house()
    dingtalk = here.settings.dingtalk
    if dingtalk is None:
        return Tally()  # alerts stay in the database and in `ballast holds`; `ballast doctor` says so
    reached("alerts", Point.BEFORE)
    async with here.transaction() as tx:
        now = here.clock.now()
        alerts = await claim_alerts(tx, most=MOST_IN_ONE_DIGEST, now=now, until=here.lease())
        if alerts and not await send_slot(tx, "dingtalk", per_minute=dingtalk.per_minute):
            await put_back(tx, alerts, here.clock.after(timedelta(seconds=5)))
            return Tally({"alerts waiting for the robot's next minute": len(alerts)})
    if not alerts:
        return Tally()
    reached("alerts", Point.WRITTEN)
    return await _send(here, alerts)


async def _send(here: House, alerts: list[Ringing]) -> Tally:
    digest = Digest(
        title=f"Ballast: {len(alerts)} alert(s), {alerts[0].title}",
        items=tuple(Item(alert.title, alert.text) for alert in alerts),
    )
    try:
        await here.channels["dingtalk"].send(digest)
    except OutsideError as error:
        async with here.transaction() as tx:
            if not isinstance(error, MAY_BE_HEARD):
                await not_heard(tx, alerts)
            again = [alert for alert in alerts if _may_repeat(alert, error)]
            await end_alerts(tx, again, sent_at=None, due_at=_next_try(here, alerts[0], error))
            await end_alerts(tx, [one for one in alerts if one not in again], sent_at=None, due_at=None)
        if isinstance(error, Refused):
            raise
        return Tally({"alerts again later": len(alerts)})
    reached("alerts", Point.CALLED)
    async with here.moving("alerts") as tx:
        await end_alerts(tx, alerts, sent_at=here.clock.now(), due_at=None)
    return Tally({"alerts sent": len(alerts)})


def _may_repeat(alert: Ringing, error: OutsideError) -> bool:
    return alert.perhaps_sent < MOST_HEARD if isinstance(error, MAY_BE_HEARD) else alert.attempts < ATTEMPTS


def _next_try(here: House, alert: Ringing, error: OutsideError) -> datetime:
    if isinstance(error, Throttled):
        return here.clock.after(timedelta(seconds=error.seconds))
    return here.back_off(alert.attempts)
