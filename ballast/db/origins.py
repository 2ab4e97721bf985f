"""The facts of orders that risk rules read, windows over other orders of the same address, device or card included.

A window costs one look into an index where nobody else has the same address, device or card, as with most orders.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.engine import rows
from ballast.domain.origin import plain_mobile
from ballast.domain.rules.windows import MOST_NEIGHBOURS, Figure, Neighbour, Subject, Window, measure
from ballast.ports import Order
from ballast.rules.own_facts import OWN_FACTS, customer_facts, own_facts

COLUMNS: Final[Mapping[Subject, str]] = {
    Subject.IP: "ip",
    Subject.DEVICE: "device",
    Subject.PHONE: "mobile",
    Subject.CUSTOMER: "customer_no",
    Subject.CARD: "card",
}
MOST_EARLIER: Final = 1000
"""Earlier orders of a customer that are counted."""

_OF_RETURNS: Final = frozenset({Figure.RETURNS, Figure.RETURN_RATE})
BySubject = Mapping[Subject, tuple[Window, ...]]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


async def read_facts(
    tx: AsyncConnection,
    order_ids: Collection[int],
    windows: Collection[Window] = (),
    names: Collection[str] = OWN_FACTS,
) -> dict[int, dict[str, object]]:
    """Order id -> its facts by name (`facts.FACTS`), and the windows that were asked for. One statement.

    Every fact has a value: what was not told is empty, what does not exist counts nought. `names`: which of `OWN_FACTS`
    are wanted, others are passed over (where a number is from takes large tables to say); all facts of the customer are
    there always.
    """
    by_subject, wanted = subjects_of(windows), OWN_FACTS.intersection(names)
    facts: dict[int, dict[str, object]] = {}
    alone: dict[Any, dict[str, object]] = {}
    for row in await rows(tx, facts_sql(by_subject), ids=list(order_ids), **spans_of(by_subject)):
        has = [getattr(row, f"has_{subject}") for subject in by_subject]
        own = own_facts(row, wanted) | _of_customer(row.customer_no, row)
        facts[row.id] = own | _windows(row, by_subject, has, row.card, alone)
    return facts


async def read_new_facts(
    tx: AsyncConnection,
    orders: Mapping[int, Order],
    windows: Collection[Window],
    names: Collection[str],
    *,
    new_customers: Collection[str] = (),
) -> dict[int, dict[str, object]]:
    """The same facts of orders that this transaction has just written, by id: what they say of themselves is at hand.

    `new_customers`: those whom this transaction wrote down, too: of them nothing else is in the books. One
    statement, and an answer only of orders that are no strangers: whose customer ordered before or has a tier, or that
    have an address, number, device or card in common with another.
    """
    by_subject, wanted = subjects_of(windows), OWN_FACTS.intersection(names)
    asked = asked_of(orders, by_subject, new_customers)
    has_all = [_told(subject, asked) for subject in by_subject]
    known = {row.order_id: row for row in await rows(tx, new_facts_sql(by_subject), **asked)}
    facts: dict[int, dict[str, object]] = {}
    alone: dict[Any, dict[str, object]] = {}
    for place, (order_id, order) in enumerate(orders.items()):
        row = known.get(order_id) or _Stranger(order.placed_at)
        has = [column[place] for column in has_all]
        own = own_facts(_AtHand(order), wanted)
        own |= _of_customer(order.customer_no, row)
        own |= _windows(row, by_subject, has, order.origin.card, alone)
        facts[order_id] = own
    return facts


def subjects_of(windows: Collection[Window]) -> dict[Subject, tuple[Window, ...]]:
    """Windows by whose orders they look at, in one order always: so it is the same statement every time."""
    return {subject: tuple(asked) for subject, asked in groupby(sorted(windows), key=lambda window: window.subject)}


def spans_of(by_subject: BySubject) -> dict[str, timedelta]:
    """Parameters of both statements: the longest window of each subject."""
    return {f"{subject}_span": max(window.span for window in asked) for subject, asked in by_subject.items()}


def _told(subject: Subject, asked: Mapping[str, Any]) -> list[bool]:
    if subject is Subject.CUSTOMER:  # always told, though it is not asked of those who are new
        return [True] * len(asked["ids"])
    return [value is not None for value in asked[COLUMNS[subject]]]


def asked_of(orders: Mapping[int, Order], by_subject: BySubject, new_customers: Collection[str] = ()) -> dict[str, Any]:
    """The parameters of `new_facts_sql`. Nothing is asked of a new customer without a tier who ordered once."""
    times = Counter(order.customer_no for order in orders.values())
    strangers = {
        order.customer_no
        for order in orders.values()
        if not order.customer_tier and times[order.customer_no] == 1 and order.customer_no in new_customers
    }
    return {
        "ids": [*orders],
        "times": [order.placed_at for order in orders.values()],
        **{COLUMNS[subject]: [_IN_COMMON[subject](order) for order in orders.values()] for subject in by_subject},
        "customer_no": [None if one.customer_no in strangers else one.customer_no for one in orders.values()],
        **spans_of(by_subject),
    }


def facts_sql(by_subject: BySubject) -> str:
    """The statement for windows of these subjects, made of this module's own words only."""
    return _FACTS.format(shared=_shared(by_subject, "o", "o.id"))


def new_facts_sql(by_subject: BySubject) -> str:
    """The statement for orders at hand: their columns are its parameters, named as in the table."""
    told = [column for column in dict.fromkeys(COLUMNS[subject] for subject in by_subject) if column != "customer_no"]
    return _NEW_FACTS.format(
        shared=_shared(by_subject, "g", "g.order_id"),
        arrays="".join(f", cast(:{column} as text[])" for column in told),
        columns="".join(f", {column}" for column in told),
        known="".join(f" or {subject}_near is not null" for subject in by_subject),
    )


def _shared(by_subject: BySubject, of: str, number: str) -> str:
    """What both statements ask of the rest of the books: `of` is the order, `number` its id, `g` its origin."""
    near = [
        _NEAR.format(
            name=subject,
            column=COLUMNS[subject],
            returned=_RETURNED if any(window.figure in _OF_RETURNS for window in asked) else "false",
            most=MOST_NEIGHBOURS,
        )
        for subject, asked in by_subject.items()
    ]
    return _EARLIER.format(of=of, number=number, most=MOST_EARLIER) + "".join(near)


_IN_COMMON: Final[Mapping[Subject, Callable[[Order], str | None]]] = {
    Subject.IP: lambda order: order.origin.ip,
    Subject.DEVICE: lambda order: order.origin.device,
    Subject.PHONE: lambda order: plain_mobile(order.receiver.mobile) or None,
    Subject.CUSTOMER: lambda order: order.customer_no,
    Subject.CARD: lambda order: order.origin.card,
}
"""What an order may have in common with others, as `order_origin` keeps it."""


def _of_customer(customer: str, row: Any) -> dict[str, Any]:
    return customer_facts(
        customer, row.tier, first_order_at=row.first_order_at, placed_at=row.placed_at, earlier=row.earlier,
        most=MOST_EARLIER,
    )  # fmt: skip


def _windows(
    row: Any, by_subject: BySubject, has: Sequence[bool], card: str | None, alone: dict[Any, dict[str, object]]
) -> dict[str, object]:
    """The windows of one order. Nought where a subject was not told, or the order has no row of its own: see `has`.

    `alone` keeps what is said of most orders of a chunk: that they have nothing in common with another.
    """
    near = [getattr(row, f"{subject}_near") for subject in by_subject]
    if any(near):
        return _measured(row.placed_at, by_subject, has, card, near)
    key = (*has, bool(card))
    if key not in alone:
        alone[key] = _measured(row.placed_at, by_subject, has, card, near)
    return alone[key]


def _measured(
    placed_at: datetime, by_subject: BySubject, has: Sequence[bool], card: str | None, near: Sequence[str | None]
) -> dict[str, object]:
    at, found = (placed_at - _EPOCH) // _MICROSECOND, dict[str, object]()
    for asked, there, told in zip(by_subject.values(), has, near, strict=True):
        others = [Neighbour._make(one) for one in orjson.loads(told)] if told else []
        found |= {window.name: measure(window, at, card or "", others) if there else 0 for window in asked}
    return found


class _Stranger(NamedTuple):
    """The row of an order of which the statement said nothing."""

    placed_at: datetime
    tier: str = ""
    first_order_at: datetime | None = None
    earlier: int = 0
    ip_near: None = None
    device_near: None = None
    phone_near: None = None
    customer_near: None = None
    card_near: None = None


class _AtHand:
    """An order as `own_facts` reads it."""

    __slots__ = ("_order",)

    def __init__(self, order: Order) -> None:
        self._order = order

    channel = property(attrgetter("_order.channel"))
    placed_at = property(attrgetter("_order.placed_at"))
    currency = property(attrgetter("_order.total.currency"))
    total = property(attrgetter("_order.total.amount"))
    discount = property(attrgetter("_order.discount.amount"))
    lines = property(lambda self: len(self._order.lines))
    quantity = property(lambda self: sum(line.quantity for line in self._order.lines))
    listed = property(lambda self: sum(line.unit_price * line.quantity for line in self._order.lines))
    goods = property(lambda self: sum(line.amount for line in self._order.lines))
    mobile = property(attrgetter("_order.receiver.mobile"))
    province = property(attrgetter("_order.receiver.province"))
    city = property(attrgetter("_order.receiver.city"))
    district = property(attrgetter("_order.receiver.district"))
    address = property(attrgetter("_order.receiver.address"))
    ip = property(attrgetter("_order.origin.ip"))
    device = property(attrgetter("_order.origin.device"))
    card = property(attrgetter("_order.origin.card"))
    coupons = property(attrgetter("_order.coupons"))


_RETURNED: Final = """(exists (select from return_case c where c.order_id = n.order_id and c.counts)
      or exists (select from hold h where h.order_id = n.order_id
        and h.reason in ('COURIER_REFUSED', 'COURIER_RETURNED'))
      or exists (select from parcel p where p.order_id = n.order_id
        and p.trouble in ('COURIER_REFUSED', 'COURIER_RETURNED'))
      or exists (select from refund f join sales_order s on s.id = f.order_id
        where f.order_id = n.order_id and f.state = 'done' and s.outbound_at is not null))"""
# the look whether there is anybody else comes first: to sort and pack nobody costs five times as much
_NEAR: Final = """,
  case when exists (select from order_origin m where m.{column} = g.{column}
      and m.placed_at >= g.placed_at - cast(:{name}_span as interval)
      and m.placed_at <= g.placed_at + cast(:{name}_span as interval) and m.order_id <> g.order_id) then (
    select cast(jsonb_agg(jsonb_build_array(
        cast(extract(epoch from n.placed_at) * 1000000 as bigint), coalesce(n.card, ''), {returned})
        order by n.placed_at, n.order_id) as text)
    from (
      (select m.order_id, m.placed_at, m.card from order_origin m
       where m.{column} = g.{column} and m.placed_at <= g.placed_at
         and m.placed_at >= g.placed_at - cast(:{name}_span as interval) and m.order_id <> g.order_id
       order by m.placed_at desc limit {most})
      union all
      (select m.order_id, m.placed_at, m.card from order_origin m
       where m.{column} = g.{column} and m.placed_at > g.placed_at
         and m.placed_at <= g.placed_at + cast(:{name}_span as interval)
       order by m.placed_at limit {most})) n) end as {name}_near"""
_EARLIER: Final = """
  (select count(*) from (select from order_origin m
     where m.customer_no = {of}.customer_no and (m.placed_at, m.order_id) < ({of}.placed_at, {number})
     limit {most}) m)
  + (select count(*) from (select from archived_order m
     where m.customer_no = {of}.customer_no and m.placed_at < {of}.placed_at limit {most}) m) as earlier"""
_FACTS: Final = """
select o.id, o.channel, o.placed_at, o.currency, o.total, o.discount, o.customer_no,
  coalesce(o.receiver->>'mobile', '') as mobile, coalesce(o.receiver->>'province', '') as province,
  coalesce(o.receiver->>'city', '') as city, coalesce(o.receiver->>'district', '') as district,
  coalesce(o.receiver->>'address', '') as address,
  l.lines, coalesce(l.quantity, 0) as quantity, coalesce(l.goods, 0) as goods,
  coalesce(l.listed, 0) as listed, g.ip, g.device, g.card, g.coupons,
  g.ip is not null as has_ip, g.device is not null as has_device, g.mobile is not null as has_phone,
  g.order_id is not null as has_customer, g.card is not null as has_card,
  c.tier, c.first_order_at,{shared}
from unnest(cast(:ids as bigint[])) i(id)
join sales_order o on o.id = i.id
left join customer c on c.customer_no = o.customer_no
left join order_origin g on g.order_id = o.id
cross join lateral (
  select count(*) as lines, sum(quantity) as quantity, sum(amount) as goods,
    sum(cast(unit_price as numeric) * quantity) as listed
  from order_line x where x.order_id = o.id) l
"""
_NEW_FACTS: Final = """
with found as materialized (
  select g.order_id, g.placed_at, c.tier, c.first_order_at,{shared}
  from unnest(cast(:ids as bigint[]), cast(:times as timestamptz[]), cast(:customer_no as text[]){arrays})
    g (order_id, placed_at, customer_no{columns})
  left join lateral (
    select tier, first_order_at from customer x where x.customer_no = g.customer_no limit 1) c on true)
select * from found where tier <> '' or first_order_at <> placed_at or earlier > 0{known}
"""
