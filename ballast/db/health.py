"""The health of customers: scored where the orders lie, kept when something changed, and read again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows, run
from ballast.db.health_formula import EVERYBODY, SOME
from ballast.db.timeline import CONCEALED
from ballast.domain.health import (
    ALERT_BELOW,
    FRESHNESS,
    LONG_HOLD,
    RULES,
    WELL_AGAIN,
    Health,
    Part,
    PartScore,
)
from ballast.domain.money import Money
from ballast.domain.words import HoldReason

DAILY: Final = timedelta(days=90)
"""So long every row of the history stays; of what is older, the last of each week."""

_TODAY: Final = """,
last as (
  select h.* from customer c cross join lateral (
    select * from customer_health h where h.customer_no = c.customer_no order by scored_at desc limit 1) h
  where {which}),
today as (
  select coalesce(f.customer_no, l.customer_no) as customer_no, f.score, f.newer, f.older,
    coalesce(f.orders, 0) as orders, coalesce(f.value, 0) as value, coalesce(f.currency, '') as currency,
    coalesce(f.parts, '{{}}') as parts,
    case when f.score < {below} then coalesce(l.low_since, :now) when f.score < {well} then l.low_since end
      as low_since,
    l.low_since as was_low_since, l.score as was,
    l.customer_no is null or (l.days, l.score, l.newer, l.older, l.orders, l.value, l.currency, l.parts)
      is distinct from (cast(:days as int), f.score, f.newer, f.older, coalesce(f.orders, 0), coalesce(f.value, 0),
        coalesce(f.currency, ''), coalesce(f.parts, '{{}}')) as differs
  from fresh f full join last l using (customer_no)),
kept as (
  insert into customer_health (customer_no, scored_at, days, score, newer, older, orders, value, currency, parts,
    low_since)
  select customer_no, :now, :days, score, newer, older, orders, value, currency, parts, low_since
  from today where differs
  on conflict (customer_no, scored_at) do update set days = excluded.days, score = excluded.score,
    newer = excluded.newer, older = excluded.older, orders = excluded.orders, value = excluded.value,
    currency = excluded.currency, parts = excluded.parts, low_since = excluded.low_since
  returning customer_no)
select (select count(*) from kept) as changed, count(score) as scored, count(*) filter (where score < {below}) as low,
  count(*) filter (where score is null and orders > 0) as no_data,
  coalesce(jsonb_agg(jsonb_build_object('customer_no', customer_no, 'name', c.name, 'owner', c.owner, 'score', score,
    'newer', newer, 'older', older, 'orders', orders, 'value', value, 'currency', currency, 'parts', parts,
    'low_since', low_since, 'was_low_since', was_low_since, 'was', was) order by value desc, customer_no)
    filter (where low_since is distinct from was_low_since), '[]') as crossed
from today join customer c using (customer_no)
"""


def _keeping(scores: str, which: str) -> str:
    return scores + _TODAY.format(which=which, below=ALERT_BELOW, well=WELL_AGAIN)


_KEEP_ALL: Final = _keeping(EVERYBODY, "true")
_KEEP_SOME: Final = _keeping(SOME, "c.customer_no = any(cast(:customers as text[]))")
_ROW: Final = "customer_no, score, newer, older, orders, value, currency, parts"
_NAMED: Final = "select f.*, c.name, c.owner from fresh f join customer c using (customer_no)"
_NUMBER: Final = "[0-9][0-9 -]{9,}[0-9]"
"""What may be a telephone or an account number in a customer's own words: eleven digits or more, grouped or not."""

_HARDEST: Final = f"""{SOME}
select w.order_no, w.placed_at, w.total, w.currency, {", ".join(f"w.{part}" for part in Part)},
  (select jsonb_agg(jsonb_build_array(part, said) order by part, said) from (
    select '{Part.LATE}' as part, b.clock || ' ' || b.level as said from sla_breach b
    where b.order_id = w.id and b.clock = any(cast(:clocks as text[]))
    union select case h.reason when '{HoldReason.COURIER_DAMAGED}' then '{Part.DAMAGED}'
      when '{HoldReason.COMPLAINT}' then '{Part.COMPLAINTS}' else '{Part.HELD}' end, h.reason
    from hold h where h.order_id = w.id
    union select '{Part.RETURNS}', r.reason || ' ' || regexp_replace(left(r.why, 80), '{_NUMBER}', '{CONCEALED}', 'g')
    from return_case r where r.order_id = w.id
    union select '{Part.COMPLAINTS}', c.ticket from complained c where c.order_id = w.id) said) as evidence
from weighed w
where {" + ".join(f"w.{part}" for part in Part)} > 0
order by w.weight * ({" + ".join(f"w.{part} * {RULES[part].cap}.0 / {RULES[part].full}" for part in Part)}) desc, w.id
limit :most
"""  # noqa: S608  # made of constants of the domain


# -- asking ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`days` up to `now`; `clocks`: those of the SLA policy that a delivery can be late by."""

    now: datetime
    days: int
    clocks: tuple[str, ...]

    @property
    def since(self) -> datetime:
        return self.now - timedelta(days=self.days)

    def asked(self) -> dict[str, Any]:
        return {
            "now": self.now,
            "since": self.since,
            "quarter": self.days * 86400 // len(FRESHNESS),
            "clocks": list(self.clocks),
            "long_hold": LONG_HOLD,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerScore:
    """A customer's health. `owner`: a key of the SLA policy's people, or empty."""

    customer_no: str
    name: str
    owner: str
    health: Health

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {"customer_no": self.customer_no, "name": self.name, "owner": self.owner, **self.health.as_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing(CustomerScore):
    """`low_since` and `was_low_since`: exactly one of them is set, by which way it crossed. `was`: the score before."""

    low_since: datetime | None
    was_low_since: datetime | None
    was: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a scoring came to. changed: rows that the history has more; no_data: customers with too few orders."""

    scored: int
    changed: int
    low: int
    no_data: int
    crossed: tuple[Crossing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HurtOrder:
    """An order that cost points. `evidence`: clocks, hold reasons, words of returns and tickets, by their part."""

    order_no: str
    placed_at: datetime
    total: Money
    hurts: Mapping[Part, int]
    evidence: Mapping[Part, tuple[str, ...]]

    def as_dict(self) -> dict[str, Any]:
        """For scripts: the total in minor units, how much it was hurt in per cent."""
        return {
            "order_no": self.order_no,
            "placed_at": self.placed_at,
            "total": self.total.amount,
            "currency": self.total.currency,
            "hurts": {str(part): per_cent for part, per_cent in self.hurts.items()},
            "evidence": {str(part): list(said) for part, said in self.evidence.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A row of a customer's history."""

    scored_at: datetime
    health: Health


async def score_customers(tx: AsyncConnection, window: Window, customers: Sequence[str] = ()) -> Scored:
    """Score these customers, or all, and keep what differs from their last row: one statement.

    Two who score at the same time take turns: each crossing is one.
    """
    await run(tx, "lock table customer_health in share row exclusive mode")
    some: dict[str, Any] = {"customers": list(customers)} if customers else {}
    [found] = await rows(tx, _KEEP_SOME if customers else _KEEP_ALL, days=window.days, **window.asked(), **some)
    return Scored(
        scored=found.scored,
        changed=found.changed,
        low=found.low,
        no_data=found.no_data,
        crossed=tuple(map(_crossing, found.crossed)),
    )


async def look_at(tx: AsyncConnection, window: Window, customers: Sequence[str] = ()) -> list[CustomerScore]:
    """How these customers are now, or all who ordered in the window, without keeping it."""
    some: dict[str, Any] = {"customers": list(customers)} if customers else {}
    found = await rows(tx, (SOME if customers else EVERYBODY) + _NAMED, **window.asked(), **some)
    return [_scored(row._mapping) for row in found]


async def hardest_orders(tx: AsyncConnection, window: Window, customer_no: str, *, most: int = 10) -> list[HurtOrder]:
    """The orders that cost this customer's score the most."""
    found = await rows(tx, _HARDEST, customers=[customer_no], most=most, **window.asked())
    return [
        HurtOrder(
            order_no=row.order_no,
            placed_at=row.placed_at,
            total=Money(row.total, row.currency),
            hurts={part: row._mapping[part] for part in Part if row._mapping[part]},
            evidence={
                part: said
                for part in Part
                if row._mapping[part] and (said := tuple(text for of, text in row.evidence or () if of == part))
            },
        )
        for row in found
    ]


async def worst_customers(tx: AsyncConnection, *, most: int) -> list[CustomerScore]:
    """By their last row: the lowest score first, of the same score who orders for more."""
    return await _last_rows(tx, "score, value desc", below=101, most=most)


async def dearest_low(tx: AsyncConnection, *, most: int) -> list[CustomerScore]:
    """Customers below the limit by their last row, who orders for most first."""
    return await _last_rows(tx, "value desc, score", below=ALERT_BELOW, most=most)


async def _last_rows(tx: AsyncConnection, order: str, *, below: int, most: int) -> list[CustomerScore]:
    """One probe of the index per customer."""
    found = await rows(
        tx,
        f"""
        select c.name, c.owner, h.* from customer c cross join lateral (
          select {_ROW} from customer_health h where h.customer_no = c.customer_no order by scored_at desc limit 1) h
        where h.score < :below order by {order}, customer_no limit :most""",  # noqa: S608  # constants of this file
        below=below,
        most=most,
    )
    return [_scored(row._mapping) for row in found]


async def history(tx: AsyncConnection, customer_no: str, *, most: int = 12) -> list[Past]:
    """A customer's last rows, the oldest of them first."""
    found = await rows(
        tx,
        f"""
        select scored_at, {_ROW} from customer_health where customer_no = :customer_no
        order by scored_at desc limit :most""",  # noqa: S608  # a constant of this file
        customer_no=customer_no,
        most=most,
    )
    return [Past(scored_at=row.scored_at, health=_health(row._mapping)) for row in reversed(found)]


async def count_archived(tx: AsyncConnection, window: Window, customers: Sequence[str] = ()) -> int:
    """Orders of the window that are in the archive, and so count for nothing: somebody put them away early."""
    found = await rows(
        tx,
        """
        select count(*) from archived_order where placed_at > :since
          and (cardinality(cast(:customers as text[])) = 0 or customer_no = any(cast(:customers as text[])))""",
        since=window.since,
        customers=list(customers),
    )
    return int(found[0][0])


async def thin_history(tx: AsyncConnection, now: datetime) -> int:
    """Of rows older than `DAILY` the last of each week stays; how many went. A customer's last row always stays."""
    return await run(
        tx,
        """
        delete from customer_health h where scored_at < :before and exists (
          select from customer_health l where l.customer_no = h.customer_no and l.scored_at > h.scored_at
            and date_trunc('week', l.scored_at, 'Asia/Shanghai') = date_trunc('week', h.scored_at, 'Asia/Shanghai'))""",
        before=now - DAILY,
    )


def _crossing(row: Mapping[str, Any]) -> Crossing:
    one = _scored(row)
    low_since, was_low_since = (
        datetime.fromisoformat(text) if (text := row[name]) else None for name in ("low_since", "was_low_since")
    )
    return Crossing(
        customer_no=one.customer_no,
        name=one.name,
        owner=one.owner,
        health=one.health,
        low_since=low_since,
        was_low_since=was_low_since,
        was=row["was"],
    )


def _scored(row: Mapping[str, Any]) -> CustomerScore:
    return CustomerScore(customer_no=row["customer_no"], name=row["name"], owner=row["owner"], health=_health(row))


def _health(row: Mapping[str, Any]) -> Health:
    return Health(
        orders=row["orders"],
        value=Money(row["value"], row["currency"]) if row["currency"] else None,
        score=row["score"],
        newer=row["newer"],
        older=row["older"],
        parts={part: PartScore(**row["parts"][part]) for part in Part if part in row["parts"]},
    )
