"""The clocks of the SLA policy on our orders: when one has to be read, what it shows, and what is kept of it.

A move sets `sla_due_at` to when its order has to be read at the earliest (`read_next`, from milestones alone). Reading
an order (`claim_overdue`, `facts_of`, `write_readings`) is exact and sets it to just when the next threshold is. So
finding what is due is one probe of a partial index, and orders that are in time cost nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.case import Case
from ballast.db.engine import dumps, ring, rows, run
from ballast.domain.sla import Breach, Hold, Moment, OrderFacts, Policy, Reading, Return
from ballast.domain.words import State

MILESTONES: Final = {
    "placed_at": Moment.PLACED,
    "paid_at": Moment.PAID,
    "locked_at": Moment.LOCKED,
    "outbound_at": Moment.OUTBOUND,
    "picked_up_at": Moment.FIRST_SCAN,
    "signed_at": Moment.SIGNED,
    "closed_at": Moment.CLOSED,
}
"""Column of the order -> the moment of its clocks."""


def moments(row: Mapping[str, Any]) -> dict[Moment, datetime]:
    """The milestones that were reached."""
    return {moment: row[column] for column, moment in MILESTONES.items() if row.get(column) is not None}


def read_next(case: Case) -> datetime | None:
    """When the clocks of an order that moves have to be read: never too late, exact once they were read.

    When its holds and returns began is not loaded with a case, so their clocks are read at once when it is touched.
    """
    policy = case.waits.sla
    if not case.watched or not policy.clocks:
        return None
    held_before = case.standing.state is State.ON_HOLD and not case.held
    unread = case.head["sla_due_at"] is not None and case.head["sla_due_at"] <= case.now
    if unread or held_before or case.released or any(one.is_timed for one in case.known_returns):
        return case.now
    fresh = [Moment.HELD] * bool(case.held) + [Moment.RETURN_ASKED] * bool(case.returns)
    before, after = moments(case.head), moments({**case.milestones, "placed_at": case.placed_at})
    times = [case.now + wait for each in fresh if (wait := policy.shortest(each)) is not None]
    if (earliest := policy.earliest(case.place, before, after, case.now)) is not None:
        times.append(earliest)
    return min(times, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedOrder:
    """One order whose clocks are read. `waybills`: carrier and number, for people."""

    id: int
    order_no: str
    standing: State  # ON_HOLD included; the facts have the place on its way
    reason: str
    waybills: tuple[str, ...]
    facts: OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBreach:
    """A breach that is new in the books, of an order."""

    order: WatchedOrder
    breach: Breach


async def claim_overdue(tx: AsyncConnection, *, most: int, now: datetime) -> list[int]:
    """Orders whose clocks have to be read, locked until this transaction ends: the cost follows their number."""
    found = await rows(
        tx,
        """
        select id from sales_order where sla_due_at <= :now
        order by sla_due_at limit :most for no key update skip locked""",
        now=now,
        most=most,
    )
    return [row.id for row in found]


_FACTS = """
select o.id, o.order_no, o.state, o.held_from, o.hold_reason, o.channel,
  coalesce(o.receiver ->> 'province', '') as region,
  o.placed_at, o.paid_at, o.locked_at, o.outbound_at, o.picked_up_at, o.signed_at, o.closed_at,
  coalesce((select c.tier from customer c where c.customer_no = o.customer_no), '') as tier,
  (select jsonb_agg(jsonb_build_array(p.carrier, p.waybill) order by p.shipped_at, p.waybill)
   from parcel p where p.order_id = o.id) as parcels,
  (select jsonb_agg(jsonb_build_array(h.held_at, h.acknowledged_at, h.released_at) order by h.id)
   from hold h where h.order_id = o.id) as holds,
  (select jsonb_agg(jsonb_build_array(r.asked_at, r.answered_at, case when r.wants_goods then r.approved_at end,
     coalesce(r.inspected_at, r.closed_at)) order by r.id)
   from return_case r where r.order_id = o.id) as returns,
  (select jsonb_agg(jsonb_build_array(s.starts_at, s.ends_at)) from sla_pause s where s.order_id = o.id) as wishes
from sales_order o where o.id = any(cast(:ids as bigint[])) order by o.id
"""


async def facts_of(tx: AsyncConnection, ids: Sequence[int]) -> list[WatchedOrder]:
    """What the clocks of these orders need to know, in one statement."""
    return [_watched(row._mapping) for row in await rows(tx, _FACTS, ids=list(ids))]


def _watched(row: Mapping[str, Any]) -> WatchedOrder:
    parcels = row["parcels"] or ()
    facts = OrderFacts(
        state=State(row["held_from"] or row["state"]),
        channel=row["channel"],
        tier=row["tier"],
        couriers=frozenset(carrier for carrier, _ in parcels),
        region=row["region"],
        milestones=moments(row),
        holds=tuple(
            Hold(held_at=held_at, acknowledged_at=taken_on, released_at=ended)
            for held_at, taken_on, ended in map(_times, row["holds"] or ())
            if held_at is not None
        ),
        returns=tuple(
            Return(asked_at=asked_at, answered_at=answered_at, approved_at=approved_at, back_at=back_at)
            for asked_at, answered_at, approved_at, back_at in map(_times, row["returns"] or ())
            if asked_at is not None
        ),
        wishes=tuple((begins, ends) for begins, ends in map(_times, row["wishes"] or ()) if begins is not None),
    )
    return WatchedOrder(
        id=row["id"],
        order_no=row["order_no"],
        standing=State(row["state"]),
        reason=row["hold_reason"] or "",
        waybills=tuple(f"{carrier} {waybill}" for carrier, waybill in parcels),
        facts=facts,
    )


def _times(texts: Sequence[str | None]) -> list[datetime | None]:
    return [datetime.fromisoformat(text) if text else None for text in texts]


async def write_readings(
    tx: AsyncConnection, readings: Sequence[tuple[WatchedOrder, Reading]], now: datetime
) -> tuple[list[SeenBreach], list[str]]:
    """Keep what was passed, each threshold once; say when to read again. The new breaches, and the keys of alerts that
    are over: their clock has ended, or red took over from yellow.
    """
    known = {
        _identity(order.id, breach.clock.name, breach.started_at, breach.level): SeenBreach(order=order, breach=breach)
        for order, reading in readings
        for breach in reading.breaches
    }
    found = await rows(tx, _INSERT_BREACHES, rows=dumps([_row(seen) for seen in known.values()]), now=now)
    fresh = [known[_identity(r.order_id, r.clock, r.started_at, r.level)] for r in found]
    ended = await rows(
        tx,
        _END_BREACHES,
        rows=dumps([_row(seen) for seen in known.values()]),
        ids=[order.id for order, _ in readings],
        now=now,
    )
    times = [{"id": order.id, "at": reading.next_at} for order, reading in readings]
    await run(
        tx,
        """
        update sales_order o set sla_due_at = r.at
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(id bigint, at timestamptz) where o.id = r.id""",
        rows=dumps(times),
    )
    numbers = {order.id: order.order_no for order, _ in readings}
    over = [breach_key(numbers[r.order_id], r.clock, r.level, r.started_at) for r in ended]
    over += [
        breach_key(seen.order.order_no, seen.breach.clock.name, "yellow", seen.breach.started_at)
        for seen in fresh
        if seen.breach.level == "red"
    ]
    return fresh, over


def breach_key(order_no: str, clock: str, level: str, started_at: datetime) -> str:
    """The key of the alert of a breach: one per threshold and run of the clock."""
    return f"sla:{order_no}:{clock}:{level}:{started_at.isoformat()}"


def _identity(order_id: int, clock: str, started_at: datetime, level: str) -> tuple[int, str, datetime, str]:
    return order_id, clock, started_at, str(level)


def _row(seen: SeenBreach) -> dict[str, Any]:
    breach, facts = seen.breach, seen.order.facts
    return {
        "order_id": seen.order.id,
        "clock": breach.clock.name,
        "level": breach.level,
        "started_at": breach.started_at,
        "due_at": breach.due_at,
        "ended_at": breach.ended_at,
        "channel": facts.channel,
        "courier": ",".join(sorted(facts.couriers)),
    }


_INSERT_BREACHES = """
insert into sla_breach (order_id, clock, level, started_at, due_at, seen_at, ended_at, channel, courier)
select order_id, clock, level, started_at, due_at, cast(:now as timestamptz), ended_at, channel, courier
from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, clock text, level text, started_at timestamptz,
  due_at timestamptz, ended_at timestamptz, channel text, courier text)
on conflict (order_id, clock, started_at, level) do nothing returning order_id, clock, started_at, level
"""
_END_BREACHES = """
with passed as (
  select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(order_id bigint, clock text, level text,
    started_at timestamptz, ended_at timestamptz)),
standing as (
  select b.id, p.ended_at, p.order_id is not null and p.ended_at is null as goes_on
  from sla_breach b left join passed p using (order_id, clock, level, started_at)
  where b.order_id = any(cast(:ids as bigint[])) and b.ended_at is null)
update sla_breach b set ended_at = coalesce(s.ended_at, cast(:now as timestamptz))
from standing s where b.id = s.id and not s.goes_on
returning b.order_id, b.clock, b.level, b.started_at
"""
"""Also those of which the policy knows nothing any more: they end now."""


async def policy_in_force(tx: AsyncConnection) -> str:
    """The version of the policy that all orders were last read by; empty: none yet."""
    found = await rows(tx, "select digest from sla_policy_version order by version desc limit 1")
    return str(found[0].digest) if found else ""


async def read_all_again(tx: AsyncConnection, *, after: int, most: int, now: datetime) -> int | None:
    """Have the clocks of the next `most` orders read again, by their ids; the last id, None when there are no more.

    Only those that are under way: what is signed or closed was read when it got there.
    """
    found = await rows(
        tx,
        """
        with page as (select id, state from sales_order where id > :after order by id limit :most),
        again as (
          update sales_order o set sla_due_at = :now from page
          where o.id = page.id and (page.state not in ('SIGNED', 'CLOSED') or o.sla_due_at is not null
            or exists (select from return_case r where r.order_id = o.id
              and r.state in ('requested', 'approved', 'waiting_for_goods', 'received'))
            or exists (select from sla_breach b where b.order_id = o.id and b.ended_at is null))
            and (o.due_step is not null or o.state = 'ON_HOLD' or o.sla_due_at is not null))
        select max(id) as last from page""",
        after=after,
        most=most,
        now=now,
    )
    last = found[0].last
    return int(last) if last is not None else None


async def take_policy(tx: AsyncConnection, policy: Policy, document: str, now: datetime) -> bool:
    """Note that this policy is in force; False when it was noted already."""
    return bool(
        await run(
            tx,
            """
            insert into sla_policy_version (version, digest, document, since)
            select coalesce(max(version), 0) + 1, cast(:digest as text), cast(:document as text),
              cast(:now as timestamptz)
            from sla_policy_version having coalesce((
              select v.digest from sla_policy_version v order by v.version desc limit 1), '') <> :digest
            on conflict do nothing""",
            digest=policy.version,
            document=document,
            now=now,
        )
    )


async def wish(tx: AsyncConnection, order_no: str, *, until: datetime, by: str, note: str, now: datetime) -> bool:
    """The customer wants it later: clocks that pause for a wish do not count until then. False: no such order."""
    found = await rows(
        tx,
        """
        with wished as (
          insert into sla_pause (order_id, starts_at, ends_at, asked_by, note)
          select id, cast(:now as timestamptz), cast(:until as timestamptz), cast(:by as text), cast(:note as text)
          from sales_order where order_no = :order_no returning order_id)
        update sales_order o set sla_due_at = :now from wished w where o.id = w.order_id returning o.id""",
        order_no=order_no,
        until=until,
        by=by,
        note=note,
        now=now,
    )
    if found:
        await ring(tx, "sla")
    return bool(found)


async def set_tier(tx: AsyncConnection, customer_no: str, tier: str, *, now: datetime) -> int | None:
    """Which tier a customer is of; how many orders are read by it again. None: no such customer."""
    if not await run(
        tx, "update customer set tier = :tier where customer_no = :customer_no", tier=tier, customer_no=customer_no
    ):
        return None
    return await run(
        tx,
        """
        update sales_order set sla_due_at = :now
        where customer_no = :customer_no and state not in ('SIGNED', 'CLOSED') and (due_at is not null
          or state = 'ON_HOLD' or sla_due_at is not null)""",
        now=now,
        customer_no=customer_no,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LateOrder:
    """An order that is over a limit now."""

    order_no: str
    state: State
    clock: str
    level: str
    started_at: datetime
    due_at: datetime
    courier: str


async def late_orders(tx: AsyncConnection, *, clock: str = "", most: int = 1000) -> list[LateOrder]:
    """What runs over a limit at this moment, of one clock or of all; of each the worst level, the longest first."""
    found = await rows(
        tx,
        """
        select o.order_no, o.state, b.clock, b.level, b.started_at, b.due_at, b.courier
        from sla_breach b join sales_order o on o.id = b.order_id
        where b.ended_at is null and (:clock = '' or b.clock = :clock)
          and not (b.level = 'yellow' and exists (
            select from sla_breach r where r.order_id = b.order_id and r.clock = b.clock and r.level = 'red'
              and r.started_at = b.started_at and r.ended_at is null))
        order by b.level, b.due_at, b.id limit :most""",
        clock=clock,
        most=most,
    )
    return [LateOrder(**{**row._mapping, "state": State(row.state)}) for row in found]
