"""The formula of `ballast/domain/health.py`, said in SQL: made of the tables of that file, in whole numbers.

tests/db/test_health.py holds both to the same figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ballast.domain.health import (
    COMPLAINTS,
    DAMAGE,
    FRESHNESS,
    HOLDS,
    LATE,
    LEAST_ORDERS,
    LEAST_WEIGHT,
    MOST_WEIGHT,
    ORDINARY,
    OUR_HOLD,
    RETURNS,
    RULES,
    WHY_REASONS,
    WHY_WORDS,
    Part,
    Severity,
    Why,
)
from ballast.domain.words import HoldReason


def _cases(of: str, values: Mapping[Any, int], other: int) -> str:
    cases = " ".join(f"when '{word}' then {value}" for word, value in values.items())
    return f"case {of} {cases} else {other} end"


def _why() -> str:
    """The category of a return. The words are constants of ours and hold no quotes."""

    def has(words: Sequence[str]) -> str:
        return "lower(r.why) like any(array[" + ", ".join(f"'%{word}%'" for word in words) + "])"

    words = {why: f"when {has(words)} then '{why}'" for why, words in WHY_WORDS.items()}
    reasons = (f"when r.reason = '{reason}' then '{why}'" for reason, why in WHY_REASONS.items())
    asked = " ".join([words.pop(Why.DAMAGED), *reasons, *words.values()])
    return f"case {asked} else '{Why.UNKNOWN}' end"


_SCOPE: Final = "and o.id in (select order_id from order_origin where customer_no = any(cast(:customers as text[])))"
_OF_CUSTOMERS: Final = "and t.customer_no = any(cast(:customers as text[]))"

_ORDERS: Final = """
select o.id, o.order_no, o.customer_no, o.placed_at, o.total, o.currency,
  cast(floor(extract(epoch from cast(:now as timestamptz) - o.placed_at) / :quarter) as int) as age
from sales_order o
where o.placed_at > :since and o.placed_at <= :now and o.paid_at is not null {scope}
"""
_COMPLAINED: Final = """
select o.id as order_id, t.severity, t.source || ' ' || t.ticket_no as ticket from ticket t
join recent o on o.order_no = t.order_no and o.customer_no = t.customer_no
where t.kind = 'complaint' and t.opened_at <= :now {of_customers}
union all
(select distinct on (t.source, t.ticket_no) o.id, t.severity, t.source || ' ' || t.ticket_no from ticket t
join recent o on o.customer_no = t.customer_no and o.placed_at <= t.opened_at
where t.kind = 'complaint' and t.order_no is null and t.opened_at > :since and t.opened_at <= :now {of_customers}
order by t.source, t.ticket_no, o.placed_at desc, o.id desc)
"""
_FOUND: Final = f"""
select b.order_id, '{Part.LATE}' as part, {_cases("b.level", LATE, 0)} as hurt
from sla_breach b join recent o on o.id = b.order_id
where b.clock = any(cast(:clocks as text[])) and b.due_at <= :now
union all
select h.order_id, '{Part.HELD}', {_cases("h.reason", HOLDS, OUR_HOLD)} from hold h join recent o on o.id = h.order_id
where coalesce(h.released_at, :now) - h.held_at >= cast(:long_hold as interval)
union all
select h.order_id, case h.reason when '{HoldReason.COMPLAINT}' then '{Part.COMPLAINTS}' else '{Part.DAMAGED}' end,
  case h.reason when '{HoldReason.COMPLAINT}' then {COMPLAINTS[Severity.NORMAL]} else {DAMAGE} end
from hold h join recent o on o.id = h.order_id
where h.reason in ('{HoldReason.COMPLAINT}', '{HoldReason.COURIER_DAMAGED}')
union all
select p.order_id, '{Part.DAMAGED}', {DAMAGE} from parcel p join recent o on o.id = p.order_id
where p.trouble = '{HoldReason.COURIER_DAMAGED}'
union all
select r.order_id, part, hurt
from (select r.order_id, {_why()} as why from return_case r join recent o on o.id = r.order_id) r
cross join lateral (values ('{Part.RETURNS}', {_cases("r.why", RETURNS, 0)}),
  ('{Part.DAMAGED}', case r.why when '{Why.DAMAGED}' then {DAMAGE} else 0 end)) v(part, hurt)
union all
select order_id, '{Part.COMPLAINTS}', {_cases("severity", COMPLAINTS, 0)} from complained
"""  # noqa: S608  # made of constants of the domain
_HURT: Final = ",\n  ".join(f"coalesce(max(hurt) filter (where part = '{part}'), 0) as {part}" for part in Part)
_WEIGHED: Final = f"""
select o.id, o.order_no, o.customer_no, o.placed_at, o.total, o.currency, o.age,
  (array[{", ".join(map(str, FRESHNESS))}])[o.age + 1]
    * least({MOST_WEIGHT}, greatest({LEAST_WEIGHT}, o.total * {ORDINARY} / m.middle)) as weight,
  {", ".join(f"coalesce(h.{part}, 0) as {part}" for part in Part)}
from recent o join ordinary m using (customer_no, currency) left join hurt h on h.order_id = o.id
"""  # noqa: S608  # made of constants of the domain
_SPANS: Final[Mapping[str, str]] = {
    "score": "",
    "newer": f" filter (where age < {len(FRESHNESS) // 2})",
    "older": f" filter (where age >= {len(FRESHNESS) // 2})",
}


def _sums() -> Iterator[str]:
    for span, only in _SPANS.items():
        yield f"count(*){only} as {span}_orders"
        yield f"coalesce(sum(weight){only}, 0) as {span}_weight"
        for part in Part:
            yield f"coalesce(sum(weight * {part}){only}, 0) as {span}_{part}"
    for part in Part:
        yield f"count(*) filter (where {part} > 0) as {part}_orders"


def _lost(part: Part, span: str) -> str:
    rule, whole = RULES[part], f"greatest(s.{span}_weight, 1)"
    points = f"div(2 * {rule.cap} * s.{span}_{part} + {rule.full} * {whole}, 2 * {rule.full} * {whole})"
    return f"cast(least({rule.cap}, {points}) as int)"


def _score(span: str) -> str:
    lost = " + ".join(_lost(part, span) for part in Part)
    return f"case when s.{span}_orders >= {LEAST_ORDERS} then greatest(0, 100 - ({lost})) end as {span}"


def _parts() -> str:
    def one(part: Part) -> str:
        share = f"cast(div(100 * s.score_{part}, greatest(s.score_weight, 1)) as int)"
        return (
            f"'{part}', case when s.{part}_orders > 0 then jsonb_build_object('orders', s.{part}_orders, "
            f"'share', {share}, 'lost', {_lost(part, 'score')}) end"
        )

    return f"jsonb_strip_nulls(jsonb_build_object({', '.join(map(one, Part))}))"


def _scores(scope: str, of_customers: str) -> str:
    """The common part: `recent`, `ordinary`, `hurt`, `weighed` (a row per order) and `fresh` (a row per customer)."""
    return f"""
with recent as materialized ({_ORDERS.format(scope=scope)}),
ordinary as (
  select customer_no, currency, count(*) as orders, cast(sum(total) as bigint) as value,
    greatest(percentile_disc(0.5) within group (order by total), 1) as middle
  from recent group by customer_no, currency),
mainly as (
  select distinct on (customer_no) customer_no, currency, value from ordinary
  order by customer_no, orders desc, currency collate "C"),
complained as ({_COMPLAINED.format(of_customers=of_customers)}),
found as ({_FOUND}),
hurt as (select order_id, {_HURT} from found group by order_id),
weighed as ({_WEIGHED}),
sums as (select customer_no, {", ".join(_sums())} from weighed group by customer_no),
fresh as (
  select s.customer_no, {", ".join(map(_score, _SPANS))}, cast(s.score_orders as int) as orders, m.value, m.currency,
    {_parts()} as parts
  from sums s join mainly m using (customer_no))
"""  # noqa: S608  # made of constants of the domain


EVERYBODY: Final = _scores("", "")
SOME: Final = _scores(_SCOPE, _OF_CUSTOMERS)
"""Of everybody who ordered in the window, and of `:customers`; to be followed by a `select` or by more tables."""
