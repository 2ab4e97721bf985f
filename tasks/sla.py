"""The clocks of the SLA policy: what they show is kept, and people hear of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prefect import task

from ballast.clock import to_local
from ballast.db import clocks
from ballast.db.alerts import end_alerts, raise_alerts
from ballast.db.clocks import SeenBreach, breach_key
from ballast.db.rules_in_force import take_policy_in_force
from ballast.domain.sla import Level, Policy
from ballast.domain.words import STATE_LABELS
from ballast.points import Point, reached
from ballast.rules.sla import ALERT_LEVEL
from ballast.wiring import House, house
from tasks.chunks import Tally
from tasks.policy import CHUNK

MOST_AT_ONCE: Final = 500
"""Orders whose clocks are read in one transaction."""

PAGE: Final = 5000
"""Orders that are marked to be read again in one transaction, after a change of the policy."""


@dataclass(slots=True)
class Watched:
    """What one sweep saw: how many orders were read, and which breaches are new."""

    read: int = 0
    fresh: list[SeenBreach] = field(default_factory=list)

    @property
    def tally(self) -> Tally:
        words = Counter(f"{seen.breach.level} {seen.breach.clock.name}" for seen in self.fresh)
        return words if words else Tally({"clocks read, all in time": self.read})


@task(name="read clocks", tags=["sla"], **CHUNK)
async def read_clocks() -> Watched:
    """Read the clocks of every order of which one may have run out: breaches and their alerts in one transaction."""
    here, watched = await house(), Watched()
    while not here.stopping:
        if not await read_some(here, watched):
            break
    return watched


async def read_some(here: House, watched: Watched) -> bool:
    """Read up to `MOST_AT_ONCE`; whether there may be more."""
    policy = here.sla.current()
    reached("sla", Point.BEFORE)
    async with here.moving("sla") as tx:
        now = here.clock.now()
        ids = await clocks.claim_overdue(tx, most=MOST_AT_ONCE, now=now)
        readings = [(order, policy.read(order.facts, now)) for order in await clocks.facts_of(tx, ids)]
        fresh, over = await clocks.write_readings(tx, readings, now)
        await end_alerts(tx, now, keys=over)
        await raise_alerts(tx, _breach_alerts(fresh), now)
    watched.read += len(ids)
    watched.fresh += fresh
    return len(ids) == MOST_AT_ONCE


def _breach_alerts(fresh: Sequence[SeenBreach]) -> list[dict[str, Any]]:
    """One per threshold that an order is over now; what has ended meanwhile is in the report and rings nobody."""
    red = {(seen.order.id, seen.breach.clock.name) for seen in fresh if seen.breach.level is Level.RED}
    return [
        {
            "key": breach_key(seen.order.order_no, seen.breach.clock.name, seen.breach.level, seen.breach.started_at),
            "level": ALERT_LEVEL[seen.breach.level],
            "ladder": seen.breach.clock.ladders.get(seen.breach.level, ALERT_LEVEL[seen.breach.level]),
            "order_id": seen.order.id,
            "title": f"{seen.order.order_no} {_COLOURS[seen.breach.level]}: {seen.breach.clock.label}",
            "text": _breach_text(seen),
        }
        for seen in fresh
        if seen.breach.ended_at is None
        and (seen.breach.level is Level.RED or (seen.order.id, seen.breach.clock.name) not in red)
    ]


_COLOURS: Final = {Level.YELLOW: "yellow 黄", Level.RED: "red 红"}


def _breach_text(seen: SeenBreach) -> str:
    """What is late, since when, and where the order stands."""
    order, breach = seen.order, seen.breach
    label = STATE_LABELS[order.standing]
    where = [f"{label.en} {label.zh}{f' ({order.reason})' if order.reason else ''}", *order.waybills[:3]]
    return (
        f"since {to_local(breach.started_at)}, over the limit since {to_local(breach.due_at)}; {', '.join(where)}; "
        f"see `ballast order show {order.order_no}`"
    )


@task(name="take on the SLA policy", tags=["sla"], **CHUNK)
async def take_on_policy() -> Tally:
    """When the policy's file changed, or another is published: have the clocks of orders under way read by the new one.

    One with a mistake is an alert, once per mistake; the policy before it stays in force.
    """
    here = await house()
    async with here.transaction() as tx:
        await take_policy_in_force(tx, here.sla, here.clock.now(), at_once=True)
    policy = here.sla.current()
    await _tell_problem(here, policy)
    async with here.transaction() as tx:
        if await clocks.policy_in_force(tx) == policy.version:
            return Tally()
    after: int | None = 0
    while after is not None:
        async with here.transaction() as tx:
            after = await clocks.read_all_again(tx, after=after, most=PAGE, now=here.clock.now())
    async with here.transaction() as tx:
        new = await clocks.take_policy(tx, policy, here.sla.text, here.clock.now())
    return Tally({"new policy": 1}) if new else Tally()


async def _tell_problem(here: House, policy: Policy) -> None:
    """Of what is wrong with the file, and what it warns of, each once."""
    wrong = [] if here.sla.problem is None else [("sla-policy", "warning", line) for line in here.sla.problem.problems]
    warned = [("sla-calendar", "info", line) for line in policy.warnings]
    alerts = [
        {"key": f"{kind}:{text}"[:300], "level": level, "title": _TITLES[kind], "text": text}
        for kind, level, text in [*wrong[:10], *warned]
    ]
    if alerts:
        async with here.transaction() as tx:
            await raise_alerts(tx, alerts, here.clock.now())


_TITLES: Final = {
    "sla-policy": "the SLA policy was changed and is not usable: the one before stays in force",
    "sla-calendar": "the SLA policy counts working days that are not published yet",
}
