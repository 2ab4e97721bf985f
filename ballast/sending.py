"""Telling people: alerts climb their ladders, and what is due goes out as one digest per channel.

A notice is written once per rung, then sent within the channel's limit over all processes. A channel that refuses is
left for the next one of the rung, and that is an alert of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.errors import NotUnderstood, OutcomeUnknown, OutsideError, Refused, Throttled
from ballast.clock import to_local
from ballast.db import alerts
from ballast.db.alerts import MOST_HEARD, Climbed, Climbing, Ringing
from ballast.db.rules_in_force import take_policy_in_force
from ballast.domain.sla import Policy, Rung
from ballast.points import Point, reached
from ballast.ports import Alerts, Digest, Item
from ballast.wiring import House

MOST_IN_ONE_DIGEST: Final = 200
ATTEMPTS: Final = 12
"""Of one notice, when no other channel can take it."""
PATIENCE: Final = 5
"""Attempts at a channel that is down, and 2 at one that throttles us, while another could take it."""
MAY_BE_HEARD: Final = (OutcomeUnknown, NotUnderstood)
"""A time-out, or an answer in no known words."""
SLOT_PAUSE: Final = timedelta(seconds=5)


async def send_due(here: House) -> Counter[str]:
    """Climb what is due to climb, then send what is due to be told; what happened, in words for a run's name.

    Raises `Refused` of the last channel when a digest could not be told through any.
    """
    channels = here.channels
    if not channels:
        return Counter()  # alerts stay in the books and in `ballast alerts`; `ballast doctor` says so
    reached("alerts", Point.BEFORE)
    await climb(here, channels)
    await _leave_lost_channels(here, channels)
    ends = await asyncio.gather(*(_send_through(here, name, channels) for name in channels), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return sum((end for end in ends if isinstance(end, Counter)), Counter())


async def climb(here: House, channels: Mapping[str, Alerts]) -> int:
    """Write the notices of every rung that is due; the number of new ones."""
    written = 0
    while True:
        async with here.transaction() as tx:
            now = here.clock.now()
            await take_policy_in_force(tx, here.sla, now)
            policy = here.sla.current()
            climbing = await alerts.claim_climbing(tx, now)
            rungs = [_climb(policy, each, tuple(channels), now) for each in climbing]
            written += await alerts.write_rungs(tx, rungs, now)
        if len(climbing) < alerts.MOST_CLIMBING:
            return written


def _climb(policy: Policy, alert: Climbing, channels: Sequence[str], now: datetime) -> Climbed:
    """The rung that is due; of several that were missed the last, and the people of all of them. An alert that is for
    one person first goes to them instead of to the first rung's roles, as long as the policy knows them.
    """
    ladder = _ladder(policy, alert.ladder, alert.level)
    due = [rung for rung in ladder[alert.rung :] if alert.raised_at + rung.after <= now]
    number = alert.rung + len(due) - 1
    ahead = ladder[number + 1 : number + 2]
    first = () if alert.rung or alert.person not in policy.people else (alert.person,)
    roles = [policy.roles[role] for rung in due[bool(first) :] for role in rung.to]
    return Climbed(
        alert_id=alert.id,
        was=alert.rung,
        rung=number,
        channel=_first(due[-1].through, channels) if due else "",
        people=tuple(dict.fromkeys([*first, *(name for role in roles for name in role.on_duty(now))])),
        next_at=alert.raised_at + ahead[0].after if ahead else None,
    )


def _ladder(policy: Policy, name: str, level: str) -> tuple[Rung, ...]:
    return policy.ladders.get(name) or policy.ladders.get(level) or (_PLAIN,)


_PLAIN: Final = Rung(after=timedelta(0), to=(), through=())
"""Where the policy has no such ladder: said once, through the first channel."""


def _first(through: Sequence[str], channels: Sequence[str]) -> str:
    """The first of these channels that is set up; when none is, the first there is: somebody has to hear of it."""
    return next((name for name in through if name in channels), channels[0])


async def _leave_lost_channels(here: House, channels: Mapping[str, Alerts]) -> None:
    """What was to be told through a channel that is not set up any more goes through the next one."""
    async with here.transaction() as tx:
        lost = await alerts.claim_of_others(tx, tuple(channels), most=MOST_IN_ONE_DIGEST, now=here.clock.now())
        await _leave(here, tx, channels, lost, "this channel is not set up any more")


async def _send_through(here: House, name: str, channels: Mapping[str, Alerts]) -> Counter[str]:
    """One digest of everything that is due to be told through this channel."""
    channel = channels[name]
    async with here.transaction() as tx:
        now = here.clock.now()
        claimed = await alerts.claim_notices(tx, name, most=MOST_IN_ONE_DIGEST, now=now, until=here.lease())
        notices = [notice for notice in claimed if notice.perhaps_sent <= MOST_HEARD]
        await _leave(here, tx, channels, [one for one in claimed if one not in notices], "whoever sent it died, twice")
        if notices and not await alerts.send_slot(tx, name, per_minute=channel.per_minute):
            await alerts.put_back(tx, notices, here.clock.after(SLOT_PAUSE))
            return Counter({"alerts waiting for the robot's next minute": len(notices)})
    if not notices:
        return Counter()
    reached("alerts", Point.WRITTEN)
    try:
        receipt = await channel.send(_digest(here, notices))
    except OutsideError as error:
        return await _failed(here, name, channels, notices, error)
    reached("alerts", Point.CALLED)
    shown = receipt.detail.get("shown", len(notices))  # what had no room was counted, not told
    async with here.moving("alerts") as tx:
        now = here.clock.now()
        await alerts.end_notices(tx, notices[:shown], sent_at=now)
        await alerts.put_back(tx, notices[shown:], now)
    return +Counter({"alerts sent": len(notices[:shown]), "alerts for the next message": len(notices[shown:])})


def _digest(here: House, notices: Sequence[Ringing]) -> Digest:
    """The most urgent first. Whom it rings: everybody on the rungs of what nobody has answered yet."""
    policy = here.sla.current()
    names = dict.fromkeys(name for notice in notices if not notice.over for name in notice.people)
    first = notices[0].title
    return Digest(
        title=f"Ballast: {len(notices)} alerts, {first}" if len(notices) > 1 else f"Ballast: {first}",
        items=tuple(
            Item(
                f"#{notice.alert_id} {notice.title}",  # the number by which it is answered stands where nothing is cut
                f"{notice.text}{_standing(notice)}",
                here.alert_link(notice.alert_id),
            )
            for notice in notices
        ),
        people=tuple(policy.people[name] for name in names if name in policy.people),
    )


def _standing(notice: Ringing) -> str:
    """Where it is on its ladder."""
    if notice.over:
        return " (over, or answered already)"
    return f" (nobody has answered, step {notice.rung + 1})" if notice.rung else ""


async def _failed(
    here: House, name: str, channels: Mapping[str, Alerts], notices: list[Ringing], error: OutsideError
) -> Counter[str]:
    """Each notice once more later, by the channel's rule, or through the next channel, or given up."""
    heard = isinstance(error, MAY_BE_HEARD)
    async with here.transaction() as tx:
        if not heard:
            await alerts.not_heard(tx, notices)
        again = [one for one in notices if _stays(here, one, channels, error)]
        await alerts.end_notices(tx, again, due_at=_next_try(here, notices[0], error))
        left = [one for one in notices if one not in again]
        lost = await _leave(here, tx, channels, left, str(error))
        if left:
            await alerts.raise_alerts(tx, [_channel_alert(here, name, error)], here.clock.now())
    if isinstance(error, Refused) and lost:
        raise error
    return +Counter({"alerts again later": len(again), f"alerts left {name}": len(left)})


def _stays(here: House, notice: Ringing, channels: Mapping[str, Alerts], error: OutsideError) -> bool:
    """Whether this channel gets another try with this notice."""
    if isinstance(error, Refused):
        return False
    if isinstance(error, MAY_BE_HEARD):
        return notice.perhaps_sent < MOST_HEARD
    if _next_channel(here, notice, channels) is None:
        return notice.attempts < ATTEMPTS
    return notice.attempts < (2 if isinstance(error, Throttled) else PATIENCE)


async def _leave(
    here: House, tx: Any, channels: Mapping[str, Alerts], notices: Sequence[Ringing], why: str
) -> list[Ringing]:
    """Give these up here, for that reason, and tell them through the next channel; those for which there is none."""
    if not notices:
        return []
    ended = await alerts.end_notices(tx, notices, note=why)
    onward = [(one, following) for one in notices if (following := _next_channel(here, one, channels))]
    await alerts.tell_through(tx, [(one, channel) for one, channel in onward if one.id in ended], here.clock.now())
    return [one for one in notices if one not in [passed for passed, _ in onward]]


def _next_channel(here: House, notice: Ringing, channels: Mapping[str, Alerts]) -> str | None:
    """After this one, in the rung's order, then in the order of the settings; each is tried once."""
    ladder = _ladder(here.sla.current(), notice.ladder, notice.level)
    through = ladder[min(notice.rung, len(ladder) - 1)].through
    order = [*(name for name in through if name in channels), *(name for name in channels if name not in through)]
    behind = order.index(notice.channel) + 1 if notice.channel in order else 0
    return next(iter(order[behind:]), None)


def _channel_alert(here: House, name: str, error: OutsideError) -> dict[str, Any]:
    """A channel that does not take our alerts is an alert itself: once a day and kind of failure."""
    day = to_local(here.clock.now())[:10]
    return {
        "key": f"channel:{name}:{error.code or type(error).__name__}:{day}",
        "level": "warning",
        "title": f"{name} does not take alerts",
        "text": f"{error}; its alerts go through the next channel, if there is one: mend its settings or the robot",
    }


def _next_try(here: House, notice: Ringing, error: OutsideError) -> datetime:
    if isinstance(error, Throttled):
        return here.clock.after(timedelta(seconds=error.seconds))
    return here.back_off(notice.attempts)
