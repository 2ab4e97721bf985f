"""The health of customers: scored, kept, and told to whose account it is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from prefect import task
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db import health
from ballast.db.alerts import end_alerts, raise_alerts
from ballast.db.customers import find_customer
from ballast.db.health import Crossing, CustomerScore, HurtOrder, Past, Scored, Window
from ballast.db.rules_in_force import take_policy_in_force
from ballast.domain.health import ALERT_BELOW, DAYS, Health, delivery_clocks
from ballast.rules.sla import ACCOUNT_OWNER
from ballast.wiring import House, house
from tasks.health_words import HealthWords
from tasks.policy import ALONE
from tasks.window import NoWindow

MOST_ALERTS: Final = 20
"""Customers of one owner that ring by themselves in one run, those who order for most; the others ring together."""
MOST_SHOWN: Final = 200
"""Customers in the artifact of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What a run did. `worst`: customers below the limit, who order for most first."""

    days: int
    scored: Scored
    worst: list[CustomerScore]
    archived: int  # orders of the window that count for nothing, for they are in the archive
    alerts: int


def window_days(here: House, days: int = 0) -> int:
    """How far back a score looks; 0: `DAYS`, or what the books hold when that is less.

    Raises `NoWindow`: orders that closed more than `BALLAST_RETENTION` ago are in the archive.
    """
    kept = here.settings.retention.days
    if not days:
        return min(DAYS, kept)
    if not 1 <= days <= kept:
        raise NoWindow(f"{days} days are no window: say 1 to {kept}, for older orders are in the archive "
                       f"(BALLAST_RETENTION is {kept} days)")  # fmt: skip
    return days


async def open_window(here: House, tx: AsyncConnection, days: int = 0) -> Window:
    """The window that ends now, with the clocks of the policy in force."""
    now = here.clock.now()
    await take_policy_in_force(tx, here.sla, now)
    return Window(now=now, days=window_days(here, days), clocks=delivery_clocks(here.sla.current()))


@task(name="score customers", tags=["customers"], **ALONE)
async def score(customers: Sequence[str] = ()) -> Scoring:
    """Score these customers or all, see `score_now`."""
    return await score_now(await house(), customers)


async def score_now(here: House, customers: Sequence[str] = ()) -> Scoring:
    """Score, keep what changed, ring for who fell below the limit, end what is well again: one transaction."""
    async with here.transaction() as tx:
        window = await open_window(here, tx)
        found = await health.score_customers(tx, window, customers)
        fell = [one for one in found.crossed if one.low_since is not None]
        alerts = await raise_alerts(tx, alerts_of(fell, here.settings.language, window.now), window.now)
        over = [
            health_key(one.customer_no, one.was_low_since) for one in found.crossed if one.was_low_since is not None
        ]
        await end_alerts(tx, window.now, keys=over)
        await health.thin_history(tx, window.now)
        return Scoring(
            days=window.days,
            scored=found,
            worst=await health.dearest_low(tx, most=MOST_SHOWN),
            archived=await health.count_archived(tx, window, customers),
            alerts=alerts,
        )


@task(name="look at customers", tags=["customers"], **ALONE)
async def look(customers: Sequence[str], days: int) -> list[CustomerScore]:
    """The same over another window: nothing is kept, and nobody is told."""
    here = await house()
    async with here.transaction() as tx:
        found = await health.look_at(tx, await open_window(here, tx, days), customers)
    low = [one for one in found if customers or (one.health.score is not None and one.health.score < ALERT_BELOW)]
    return sorted(low, key=_dearest)[:MOST_SHOWN]


def _dearest(one: CustomerScore) -> tuple[int, str]:
    return -(one.health.value.amount if one.health.value else 0), one.customer_no


def health_key(customer_no: str, low_since: datetime) -> str:
    """The key of the alert of one crossing."""
    return f"health:{customer_no}:{low_since.isoformat()}"


def alerts_of(fell: Sequence[Crossing], language: str, now: datetime) -> list[dict[str, Any]]:
    """One alert per customer, for the account's owner; above `MOST_ALERTS` of an owner one for all the others."""
    by_owner: dict[str, list[Crossing]] = defaultdict(list)
    for one in sorted(fell, key=_dearest):
        by_owner[one.owner].append(one)
    words, alerts = HealthWords(language), []
    for owner, theirs in by_owner.items():
        alerts += [_alert(one, words) for one in theirs[:MOST_ALERTS]]
        if others := theirs[MOST_ALERTS:]:
            alerts.append(_alert_of_others(owner, others, now))
    return alerts


def _alert(one: Crossing, words: HealthWords) -> dict[str, Any]:
    assert one.low_since is not None
    before = "" if one.was is None else f", {one.was} before"
    return {
        "key": health_key(one.customer_no, one.low_since),
        "level": "warning",
        "ladder": ACCOUNT_OWNER,
        "person": one.owner,
        "title": f"{one.customer_no} {one.name}: fulfilment health {one.health.score} of 100{before} 履约健康分",
        "text": f"{words.lost(one.health)}; {one.health.orders} orders, {words.value(one.health.value)}. "
        f"Talk to them before they leave; `ballast customer health {one.customer_no}` names the orders",
    }


def _alert_of_others(owner: str, others: Sequence[Crossing], now: datetime) -> dict[str, Any]:
    return {
        "key": f"health-others:{owner}:{now.isoformat()}",
        "level": "warning",
        "ladder": ACCOUNT_OWNER,
        "person": owner,
        "title": f"{len(others)} more customers fell below a health of {ALERT_BELOW} 履约健康分",
        "text": f"{', '.join(one.customer_no for one in others[:50])}{' ...' if len(others) > 50 else ''}; "
        f"`ballast customer health --worst {len(others)}` shows them",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One customer as they are now, with what is behind it and what was before."""

    days: int
    customer: CustomerScore
    hardest: list[HurtOrder]
    history: list[Past]
    archived: int
    sees_late: bool  # the SLA policy has a clock that a delivery can be late by

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            **self.customer.as_dict(),
            "days": self.days,
            "archived_orders": self.archived,
            "sees_late": self.sees_late,
            "hardest_orders": [one.as_dict() for one in self.hardest],
            "history": [{"scored_at": one.scored_at, **one.health.as_dict()} for one in self.history],
        }


async def see(here: House, tx: AsyncConnection, customer_no: str, days: int) -> Seen | None:
    """Worked out this moment, and the history as it was kept. None: nobody knows this customer."""
    known = await find_customer(tx, customer_no)
    if known is None:
        return None
    window = await open_window(here, tx, days)
    found = await health.look_at(tx, window, [customer_no])
    nothing = CustomerScore(customer_no=customer_no, name=known.name, owner=known.owner, health=Health())
    return Seen(
        days=window.days,
        customer=found[0] if found else nothing,
        hardest=await health.hardest_orders(tx, window, customer_no),
        history=await health.history(tx, customer_no),
        archived=await health.count_archived(tx, window, [customer_no]),
        sees_late=bool(window.clocks),
    )
