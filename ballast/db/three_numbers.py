"""The three hard numbers: status accuracy, minutes from alert to a person acting, interventions per order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.figures import spread
from ballast.domain.report import Accuracy, Agreement, Interventions, Response, Window

BY_PERSON: Final = "(e.actor = 'person' or e.actor like 'person:%')"
"""Who writes history as a person. In just these words the partial index `event_by_person` is used."""

ONE_DEED: Final = timedelta(seconds=1)
"""An action that ends the cause of an alert writes both within this time, in either order."""

EARLIER: Final = timedelta(days=1)
"""Nobody acts on an order before it is placed, but the shop's clock may be ahead of ours."""

_MEASURED = """
select scope, ended_at, figures from reconciliation
where ended_at >= :since and ended_at < :until and scope <> 'orders' order by ended_at desc, id desc limit 1
"""
_NEWEST = """
select scope, ended_at, figures from reconciliation
where ended_at is not null and scope <> 'orders' order by began_at desc, id desc limit 1
"""
_ANSWERS = f"""
with found as (
  select a.raised_at, a.ended_at,
    least(a.acknowledged_at, case when coalesce(a.resolved_by, '') not in ('', 'ballast') then a.resolved_at end,
      (select min(e.recorded_at) from order_event e
       where e.order_id = a.order_id and {BY_PERSON} and e.recorded_at > a.raised_at)) as acted_at
  from alert a where a.raised_at >= :since and a.raised_at < :until and a.level in ('warning', 'urgent')),
judged as (
  select raised_at, ended_at,
    case when acted_at <= coalesce(ended_at + :one_deed, 'infinity') then acted_at end as acted_at
  from found)
select
  coalesce(array_agg(greatest(extract(epoch from acted_at - raised_at), 0)::float8 / 60)
    filter (where acted_at is not null), '{{}}') as minutes,
  count(*) filter (where acted_at is null and ended_at is not null) as ended_alone,
  count(*) filter (where acted_at is null and ended_at is null) as open,
  coalesce(sum(greatest(extract(epoch from cast(:now as timestamptz) - raised_at), 0))
    filter (where acted_at is null and ended_at is null), 0)::float8 / 60 as open_minutes,
  max(greatest(extract(epoch from cast(:now as timestamptz) - raised_at), 0))
    filter (where acted_at is null and ended_at is null)::float8 / 60 as oldest_minutes
from judged
"""  # noqa: S608  # made of constants of this file
ACTIONS: Final = f"""
  select e.order_id, split_part(min(e.cause), ':', 1) as kind, o.channel
  from order_event e join sales_order o on o.id = e.order_id
  where {BY_PERSON} and e.recorded_at >= cast(:since as timestamptz) - interval '1 day'
    and o.placed_at >= :since and o.placed_at < :until
  group by e.order_id, e.actor, e.recorded_at, o.channel
"""  # noqa: S608  # made of constants of this file
"""One row per deed of a person on an order of the window: all that one transaction wrote has one `recorded_at`."""
_INTERVENTIONS = f"""
with action as ({ACTIONS}),
kinds as (select kind, count(*) as actions from action group by kind)
select (select count(*) from sales_order where placed_at >= :since and placed_at < :until) as orders,
  (select count(*) from action) as actions, (select count(distinct order_id) from action) as touched,
  (select coalesce(jsonb_object_agg(kind, actions), '{{}}') from kinds) as kinds
"""  # noqa: S608  # made of constants of this file


async def read_accuracy(tx: AsyncConnection, window: Window | None = None) -> Accuracy:
    """By the newest reconciliation that ended in the window, or the newest of all.

    One of orders that a person named measures nothing: nobody asks about those that are well.
    """
    found = await (rows(tx, _MEASURED, since=window.since, until=window.until) if window else rows(tx, _NEWEST))
    if not found:
        return Accuracy()
    figures: Mapping[str, Any] = found[0].figures
    systems = _mapping(figures.get("systems"))
    return Accuracy(
        measured_at=found[0].ended_at,
        scope=found[0].scope,
        overall=_agreement(figures.get("overall", figures)),
        systems={name: _agreement(one) for name, one in systems.items()},
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _agreement(value: Any) -> Agreement:
    """Nothing was asked where a figure is missing."""
    counts = _mapping(value)
    return Agreement(int(counts.get("asked") or 0), int(counts.get("agreeing") or 0))


async def read_response(tx: AsyncConnection, window: Window, now: datetime) -> Response:
    """Alerts of the window that ask for an answer (warning, urgent), as they stand `now`.

    Answered at the earliest of: acknowledged, resolved by a person, the first thing that a person did to its order
    after it rang. What a person does after the alert has ended by itself is no answer to it.
    """
    [row] = await rows(tx, _ANSWERS, since=window.since, until=window.until, now=now, one_deed=ONE_DEED)
    return Response(spread(row.minutes), row.ended_alone, row.open, row.open_minutes, row.oldest_minutes)


async def read_interventions(tx: AsyncConnection, window: Window) -> Interventions:
    """What people did to the orders that were placed in the window, whenever they did it, by the history alone.

    An intervention is one action of a person that changes an order or asks for something: cancel, hold, release, rerun,
    refund, booked by hand. To look at an order, or to acknowledge its hold or alert, is none.
    """
    [row] = await rows(tx, _INTERVENTIONS, since=window.since, until=window.until)
    return Interventions(row.orders, row.actions, row.touched, row.kinds)
