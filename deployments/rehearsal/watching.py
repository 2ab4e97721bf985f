"""What the database shows while orders are on their way: live bars, and the end of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ballast.db.engine import rows
from ballast.domain.words import STATE_LABELS, State
from deployments.machine import Machine
from deployments.rehearsal.verdict import AT_REST, Shown, Verdict
from deployments.rehearsal.world import World

GLANCE = 60.0
"""Seconds: longer than a lease lasts. What is claimed for longer is no glance at an order, but stuck."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the database shows at one moment: orders per state, and what is still on its way."""

    counts: Mapping[State, int]
    unread: int = 0
    unsent: int = 0
    due: int = 0
    returning: int = 0
    last_signed_at: datetime | None = None

    def at_rest(self, orders: int) -> bool:
        resting = sum(self.counts[state] for state in AT_REST)
        return resting == orders and not (self.unread or self.unsent or self.due or self.returning)


NOTHING = Seen(dict.fromkeys(State, 0))


async def look(tx: AsyncConnection) -> Seen:
    states = {row[0]: row[1] for row in await rows(tx, _SHOPS_OWN)}
    found = await rows(tx, _LOOK.format(goes_on=_GOES_ON))
    now = found[0]
    counts = {state: states.get(state, 0) for state in State}
    return Seen(counts, now.unread, now.unsent, now.due, now.returning, now.last_signed_at)


_GOES_ON = """
c.state <> 'closed' and (c.state not in ('requested', 'inspected') or c.due_at is not null or c.settled_at is not null)
"""
"""A return that has to end by itself. Only what a person has to answer or to judge may stay where it is."""

_LOOK = """
select (select count(*) from inbox where state = 'new') as unread,
       (select count(*) from outbox where due_at is not null) as unsent,
       (select count(*) from sales_order where due_step in ('confirm_payment', 'lock_stock', 'sign_off')
          and lease_owner is not null) as due,
       (select count(*) from return_case c where {goes_on})
         + (select count(*) from sales_order o join return_case c on c.exchange_order_no = o.order_no
             where o.state not in ('SIGNED', 'CLOSED', 'ON_HOLD')) as returning,
       (select max(e.recorded_at) from order_event e where e.to_state = 'SIGNED' and e.moved and not exists (
         select from sales_order o join return_case c on c.exchange_order_no = o.order_no
         where o.id = e.order_id)) as last_signed_at
"""
_SHOWN = """
select o.order_no, o.state, coalesce(h.reason, '') as reason,
  o.lease_owner is not null or exists (
    select from outbox m where m.order_id = o.id and m.due_at is not null)
    or exists (select from return_case c where c.order_id = o.id and {goes_on}) as unfinished,
  coalesce((select jsonb_object_agg(c.return_no, c.state) from return_case c
    where c.order_id = o.id and c.counts), '{{}}') as returns
from sales_order o left join hold h on h.order_id = o.id and h.released_at is null
where not exists (select from return_case c where c.exchange_order_no = o.order_no)
"""
_SHOPS_OWN = """
select state, count(*) from sales_order o
where not exists (select from return_case c where c.exchange_order_no = o.order_no) group by state"""
"""What goods were exchanged for is no order of the shop."""


async def what_is_shown(engine: AsyncEngine, patience: float = GLANCE) -> dict[str, Shown]:
    """What Ballast shows of the shop's orders. Unfinished is one with a message still to be sent, held by a run, or of
    which a return goes on.

    A step that asks about an order on hold claims it for a moment: looks again for up to `patience` seconds, until
    nothing is unfinished.
    """
    began = time.monotonic()
    while True:
        async with engine.connect() as tx:
            shown = await _shown(tx)
        if not any(one.unfinished for one in shown.values()) or time.monotonic() - began > patience:
            return shown
        await asyncio.sleep(0.2)


async def _shown(tx: AsyncConnection) -> dict[str, Shown]:
    found = await rows(tx, _SHOWN.format(goes_on=_GOES_ON))
    return {
        r.order_no: Shown(state=r.state, reason=r.reason, unfinished=r.unfinished, returns=r.returns) for r in found
    }


def return_figures(shown: Mapping[str, Shown], outside: World) -> dict[str, Any]:
    """Returns that customers asked for, and where those are that Ballast has (`refused` ones are in no state)."""
    asked = sum(order["wished"]["returns"] for order in outside.truth())
    states = Counter(state for one in shown.values() for state in one.returns.values())
    return {"returns_asked": asked, "returns": dict(sorted(states.items()))}


@contextmanager
def bars(orders: int, console: Console) -> Iterator[Callable[[Seen], None]]:
    """Live bars, one per state; call what is given with every look."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        shown = {
            state: progress.add_task(f"{STATE_LABELS[state].zh} {STATE_LABELS[state].en}", total=orders)
            for state in State
        }

        def show(seen: Seen) -> None:
            for state, bar in shown.items():
                progress.update(bar, completed=seen.counts[state])

        yield show


@dataclass(slots=True)
class Quiet:
    """For how long nothing has changed: neither in the books nor on the wire."""

    since: float = 0.0
    before: str = ""

    def seconds(self, seen: Seen, told: Mapping[str, Any]) -> float:
        now = f"{dict(seen.counts)}{seen.unread}{seen.unsent}{told['requests']}"
        if now != self.before or not self.since:
            self.since, self.before = time.monotonic(), now
        return time.monotonic() - self.since


def speed_figures(orders: int, seen: Seen, outside: World) -> dict[str, float]:
    """Seconds from the first payment to the last signature, and the orders per second that makes."""
    first_payment = outside.get("progress")["first_payment_at_real"]
    last_signed = outside.machine_seconds(seen.last_signed_at) if seen.last_signed_at else None
    seconds = last_signed - first_payment if last_signed and first_payment else 0.0
    return {"seconds": round(seconds, 1), "orders_per_second": round(orders / seconds, 1) if seconds else 0.0}


def state_figures(orders: int, seen: Seen) -> dict[str, int]:
    """Orders at rest by state, and the others."""
    count = seen.counts
    resting = {"signed": count[State.SIGNED], "closed": count[State.CLOSED], "on_hold": count[State.ON_HOLD]}
    return {"orders": orders, **resting, "other": orders - sum(resting.values())}


def count_runs(house: Machine, kind: str, since: datetime) -> int:
    """`kind`: flow_runs or task_runs; those that began after `since`."""
    started: dict[str, Any] = {"start_time": {"after_": since.isoformat()}}
    if kind == "flow_runs":  # runs that are only planned have an expected start, too
        started["state"] = {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}
    body = {kind: started}
    reply = httpx.post(f"{house.prefect_url}/api/{kind}/count", json=body, timeout=30, trust_env=False)
    return int(reply.raise_for_status().json())


def show_figures(figures: Mapping[str, Any], verdict: Verdict, console: Console) -> None:
    """The table at the end, and the orders behind every count that is not 0."""
    table = Table(title="Every order, checked against the truth of the outside world")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        bad = name in verdict.counts and value
        table.add_row(name, f"[red]{value}[/red]" if bad else _said(value))
    console.print(table)
    for order_no, differences in list(verdict.disagreeing.items())[:10]:
        console.print(f"[red]{order_no}[/red]: {'; '.join(differences)}")
    for name, orders in verdict.twice.items():
        for order_no, said in list(orders.items())[:10]:
            console.print(f"[red]{order_no}[/red]: {name}: {'; '.join(said)}")
    named = {"not known": verdict.lost, "not at rest": verdict.stuck, "too much refunded": verdict.overrefunded}
    for what, numbers in named.items():
        for order_no in numbers[:10]:
            console.print(f"[red]{order_no}[/red]: {what}")


def _said(value: Any) -> str:
    """One figure in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(part)}" for name, part in value.items())
    return " · ".join(map(_said, value)) if isinstance(value, list) else str(value)
