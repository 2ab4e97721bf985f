"""What a replay came to, read from its books."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.clocks import facts_of
from ballast.db.engine import dumps, rows
from ballast.domain.sla import Level, Policy
from ballast.domain.words import System
from deployments.replay.accounts import Accounts
from deployments.replay.acts import Kind
from deployments.replay.history import History
from deployments.replay.playing import Late, Played

PAGE: Final = 1000
"""Orders that are judged together."""

BUSIEST: Final = 10
"""Hours that a report lists."""

STEPS: Final = (
    ("placed_at", "paid_at"),
    ("paid_at", "locked_at"),
    ("locked_at", "outbound_at"),
    ("outbound_at", "picked_up_at"),
    ("picked_up_at", "signed_at"),
    ("placed_at", "signed_at"),
)
"""From one milestone to the next, and the whole way."""

OUTSIDE: Final = tuple(system for system in System if system not in (System.BALLAST, System.PERSON))
"""Who sends news."""


Breaches = Mapping[str, Mapping[str, int]]
"""Clock -> level -> breaches. Every clock of the policy is there, also one that nothing passed."""


@dataclass(frozen=True, slots=True)
class LeadTime:
    """How long a step took, hours, of the orders that made it. Recorded disorder makes some of them negative."""

    orders: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour: orders placed, messages that came, calls that our side made because of what happened in it."""

    hour: datetime
    orders: int = 0
    messages: int = 0
    calls: int = 0

    @property
    def all(self) -> int:
        return self.orders + self.messages + self.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is shown and written. `hours` is chronological, of hours in which anything happened."""

    history: History
    zone: str
    counts: Mapping[str, int]
    states: Mapping[str, int]
    holds: Mapping[str, Mapping[str, int]]
    lead_times: Mapping[str, LeadTime]
    hours: Sequence[Hour]
    requests: Mapping[str, int]
    accounts: Accounts
    played: Played
    began_at: datetime
    ended_at: datetime
    seconds: float = 0.0
    policy: str = ""
    breaches: Breaches = field(default_factory=dict)
    by_courier: Mapping[str, Breaches] = field(default_factory=dict)
    other_policy: str | None = None
    other_breaches: Breaches = field(default_factory=dict)

    @property
    def busiest(self) -> list[Hour]:
        return sorted(self.hours, key=lambda each: (-each.all, each.hour))[:BUSIEST]

    def by_hour_of_day(self) -> list[dict[str, int]]:
        """24 rows, in the history's zone."""
        sums: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for each in self.hours:
            sums[each.hour.hour].update(orders=each.orders, messages=each.messages, calls=each.calls)
        names = ("orders", "messages", "calls")
        return [{"hour": hour} | {name: sums[hour][name] for name in names} for hour in range(24)]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        history = self.history
        return {
            "file": history.file, "orders": history.total, "played": len(history.orders),
            "rejected": history.rejected, "rejected_rows": history.rejected_rows,
            "rejects": str(history.rejects) if history.rejects else None, "reasons": history.reasons,
            **self.counts, "seconds": round(self.seconds, 1),
            "began_at": self.began_at.isoformat(), "ended_at": self.ended_at.isoformat(), "zone": self.zone,
            "states": self.states, "acts": {kind.value: self.played.acts[kind] for kind in Kind},
            "policy": self.policy, "breaches": self.breaches, "breaches_by_courier": self.by_courier,
            "lead_times": {name: asdict(one) for name, one in self.lead_times.items()},
            **asdict(self.accounts), "holds": self.holds, "released": dict(self.played.released), "load": self._load(),
            "disorder": self.disorder(), "never_happened": self._never(), "notes": self._notes(),
            "compare": self.compare(),
        }  # fmt: skip

    def compare(self) -> dict[str, Any] | None:
        """Both policies side by side: per clock and level, how many breaches each sees in the same history."""
        if self.other_policy is None:
            return None
        return {
            "policies": [self.policy, self.other_policy],
            "breaches": {
                clock: {
                    level: [seen.get(clock, {}).get(level, 0) for seen in (self.breaches, self.other_breaches)]
                    for level in (Level.YELLOW.value, Level.RED.value)
                }
                for clock in dict.fromkeys([*self.breaches, *self.other_breaches])
            },
        }

    def disorder(self) -> list[dict[str, Any]]:
        """Every order whose recorded times run backward, and every act that had to wait, order by order."""
        late: defaultdict[str, list[Late]] = defaultdict(list)
        for one in self.played.late:
            if one.happened_at is not None:
                late[one.order_no].append(one)
        told = {one.order_no: one for one in self.history.disorder()}
        return [
            {
                "order_no": number,
                "where": told[number].where if number in told else "",
                "times": list(told[number].times) if number in told else [],
                "handed_over_before_payment": number in told and told[number].before_payment,
                "waited": [_late(one) for one in late[number]],
            }
            for number in sorted({*told, *late}, key=lambda number: (number not in told, number))
        ]

    def _load(self) -> dict[str, Any]:
        return {
            "busiest_hours": [asdict(each) | {"hour": each.hour.isoformat()} for each in self.busiest],
            "by_hour_of_day": self.by_hour_of_day(),
            "orders_per_hour_most": max((each.orders for each in self.hours), default=0),
            "calls_per_hour_most": max((each.calls for each in self.hours), default=0),
            "orders": sum(each.orders for each in self.hours),
            "messages": sum(each.messages for each in self.hours),
            "calls": sum(each.calls for each in self.hours),
            "requests": dict(self.requests),
        }

    def _never(self) -> list[dict[str, Any]]:
        return [{"order_no": one.order_no, **_late(one)} for one in self.played.late if one.happened_at is None]

    def _notes(self) -> list[dict[str, str]]:
        return [{"kind": kind, "order_no": number, "text": what} for kind, number, what in self.history.notes()]


def _late(one: Late) -> dict[str, Any]:
    return {
        "act": one.act.value,
        "recorded_at": one.recorded_at.isoformat(),
        "happened_at": one.happened_at.isoformat() if one.happened_at else None,
        "why": one.why,
    }


async def read_counts(tx: AsyncConnection, history: History) -> dict[str, int]:
    """The figures that an independent count of the file has to agree with. In transit: first scan to signature.

    An order that was signed for without a recorded hand-over is not among them: its only scan is the signature. One
    that was signed for before it was handed over was in transit for no time, whatever a courier's list of scans says.
    """
    scanned = {past.order.order_no: past.milestones for past in history.orders if "picked_up_at" in past.milestones}
    backward = [
        number for number, at in scanned.items() if at.get("signed_at", at["picked_up_at"]) < at["picked_up_at"]
    ]
    found = await rows(
        tx,
        """
        select count(*) filter (where arrived) as delivered,
          count(*) filter (where arrived and way > interval '48 hours') as over_48,
          count(*) filter (where arrived and way > interval '72 hours') as over_72,
          count(*) filter (where signed_at is not null and not arrived) as unscanned,
          (select count(distinct order_id) from hold) as held,
          (select count(distinct order_id) from hold where released_at is null) as still
        from (select signed_at,
            case when order_no <> all(cast(:backward as text[])) then signed_at - picked_up_at end as way,
            signed_at is not null and picked_up_at is not null and order_no = any(cast(:scanned as text[])) as arrived
          from sales_order) as seen""",
        scanned=list(scanned),
        backward=backward,
    )
    one, disorder = found[0], history.disorder()
    return {
        "delivered": one.delivered,
        "in_transit_over_48h": one.over_48,
        "in_transit_over_72h": one.over_72,
        "out_of_order": len(disorder),
        "handed_over_before_payment": sum(each.before_payment for each in disorder),
        "signed_without_hand_over": one.unscanned,
        "held": one.held,
        "still_held": one.still,
    }


async def read_states(tx: AsyncConnection) -> dict[str, int]:
    """State -> orders."""
    found = await rows(tx, "select state, count(*) as orders from sales_order group by state order by state")
    return {row.state: row.orders for row in found}


async def read_holds(tx: AsyncConnection) -> dict[str, dict[str, int]]:
    """Reason -> orders that were ever held for it, and that still are."""
    found = await rows(
        tx,
        """
        select reason, count(distinct order_id) as orders,
          count(distinct order_id) filter (where released_at is null) as still
        from hold group by reason order by orders desc, reason""",
    )
    return {row.reason: {"orders": row.orders, "still": row.still} for row in found}


async def read_lead_times(tx: AsyncConnection) -> dict[str, LeadTime]:
    """`placed_to_paid` and so on, of every step that an order made."""
    found = await rows(
        tx,
        """
        select since, until, count(*) as orders,
          percentile_cont(array[0.5, 0.95]) within group (order by hours) as parts
        from (select s.since, s.until,
            extract(epoch from cast(o.seen ->> s.until as timestamptz)
              - cast(o.seen ->> s.since as timestamptz)) / 3600 as hours
          from jsonb_to_recordset(cast(:steps as jsonb)) as s(since text, until text),
            (select to_jsonb(row) as seen from sales_order row) as o) as steps
        where hours is not null group by since, until""",
        steps=dumps([{"since": since, "until": until} for since, until in STEPS]),
    )
    made = {(row.since, row.until): _lead_time(row.orders, row.parts) for row in found}
    return {f"{since[:-3]}_to_{until[:-3]}": made[since, until] for since, until in STEPS if (since, until) in made}


def _lead_time(orders: int, parts: Sequence[float]) -> LeadTime:
    p50, p95 = (round(float(part), 2) for part in parts)
    return LeadTime(orders, p50, p95)


async def read_hours(tx: AsyncConnection, zone: str) -> list[Hour]:
    """Load per hour of the history's zone. A call counts in the hour of the milestone that makes it necessary."""
    found = await rows(
        tx,
        """
        with calls as (
          select case
              when e.kind in ('erp.reserve', 'wms.create') then o.locked_at
              when e.kind in ('courier.subscribe', 'shop.shipped', 'erp.outbound')
                then greatest(o.outbound_at, o.locked_at)
              when e.kind in ('shop.received', 'erp.receipt') then o.signed_at end as at, e.begun_at
          from effect e join sales_order o on o.id = e.order_id),
        happened as (
          select placed_at as at, 'order' as what from sales_order
          union all select happened_at, 'message' from order_event where actor = any(cast(:outside as text[]))
          union all select coalesce(at, begun_at), 'call' from calls)
        select date_trunc('hour', at, :zone) as hour, count(*) filter (where what = 'order') as orders,
          count(*) filter (where what = 'message') as messages, count(*) filter (where what = 'call') as calls
        from happened group by 1 order by 1""",
        outside=[system.value for system in OUTSIDE],
        zone=zone,
    )
    there = ZoneInfo(zone)
    return [Hour(row.hour.astimezone(there), row.orders, row.messages, row.calls) for row in found]


async def read_breaches(tx: AsyncConnection, policy: Policy) -> Breaches:
    """What the run itself saw and kept."""
    found = await rows(tx, "select clock, level, count(*) as breaches from sla_breach group by clock, level")
    return _table(policy, Counter({(row.clock, row.level): row.breaches for row in found}))


async def read_breaches_by_courier(tx: AsyncConnection, policy: Policy) -> dict[str, Breaches]:
    """The same for each courier whose parcels were late; an order without a parcel yet has none."""
    found = await rows(
        tx,
        """
        select courier, clock, level, count(*) as breaches from sla_breach where courier <> ''
        group by courier, clock, level order by courier""",
    )
    seen: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in found:
        seen[row.courier][row.clock, row.level] = row.breaches
    return {
        courier: {clock: levels for clock, levels in _table(policy, counts).items() if any(levels.values())}
        for courier, counts in seen.items()
    }


async def judge_again(tx: AsyncConnection, policy: Policy, at: datetime) -> Breaches:
    """What another policy would have seen until `at` in the history that these books now hold."""
    counts: Counter[tuple[str, str]] = Counter()
    ids = [row.id for row in await rows(tx, "select id from sales_order order by id")]
    for first in range(0, len(ids), PAGE):
        for order in await facts_of(tx, ids[first : first + PAGE]):
            reading = policy.read(order.facts, at)
            counts.update((breach.clock.name, breach.level.value) for breach in reading.breaches)
    return _table(policy, counts)


def _table(policy: Policy, counts: Mapping[tuple[str, str], int]) -> Breaches:
    return {
        clock.name: {level.value: counts.get((clock.name, level.value), 0) for level in Level}
        for clock in policy.clocks
    }
