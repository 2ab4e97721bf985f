"""The ledger: what each order was due, what came, what went back; of a day, a channel, a provider, and of one order.

Orders in the archive are in it, by `archived_money`. Amounts are minor units; sums never mix currencies.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ballast.db.archived_money import PAID_BY_FILE
from ballast.db.engine import rows
from ballast.domain.ledger import Account, Facts, Finding, Pot, account, findings
from ballast.domain.money import Money
from ballast.domain.report import Window
from ballast.domain.words import State

PAGE: Final = 1000
"""Orders that are looked at in one statement."""

_LEFT: Final = """(o.outbound_at is not null or exists (select from parcel w where w.order_id = o.id)
    or exists (select from order_line n where n.order_id = o.id and n.shipped > 0))"""
"""Some goods left: as `cancelling.has_left` sees it. A file may know that, and not when."""

_ENTRIES = f"""
select o.order_no, o.channel, '' as provider, o.currency, 'due' as kind,
  case when o.state = 'CLOSED' and not {_LEFT} then 0 else o.total end as amount
from sales_order o where o.placed_at >= :since and o.placed_at < :until
union all
select o.order_no, o.channel, p.provider, p.currency, 'captured', p.amount
from payment p join sales_order o on o.id = p.order_id where p.paid_at >= :since and p.paid_at < :until
union all
select o.order_no, o.channel, f.provider, f.currency, 'refunded', f.amount
from refund f join sales_order o on o.id = f.order_id
where f.state = 'done' and f.done_at >= :since and f.done_at < :until
union all
select order_no, channel, provider, currency, kind, amount from archived_money where at >= :since and at < :until
"""  # noqa: S608  # made of constants of this file
"""What moved in a time: an order's due when it was placed, a charge when it was paid, a refund when it was done."""

_SUMS = f"""
select currency, channel, provider, count(distinct order_no) as orders,
  sum(amount) filter (where kind = 'due') as due, sum(amount) filter (where kind = 'captured') as captured,
  count(*) filter (where kind = 'captured') as charges, sum(amount) filter (where kind = 'refunded') as refunded,
  count(*) filter (where kind = 'refunded') as refunds
from ({_ENTRIES}) e group by currency, channel, provider order by currency, channel, provider
"""  # noqa: S608  # made of constants of this file
_MOVED = f"""
select order_no, currency, coalesce(sum(amount) filter (where kind = 'due'), 0) as due,
  coalesce(sum(amount) filter (where kind = 'captured'), 0) as captured,
  coalesce(sum(amount) filter (where kind = 'refunded'), 0) as refunded
from ({_ENTRIES}) e where order_no > :after
group by order_no, currency order by order_no, currency fetch first :most rows with ties
"""  # noqa: S608  # made of constants of this file
_CHARGES: Final = """
select o.order_no, p.provider, p.transaction_id, '' as refund_no, p.amount, p.currency, p.state, p.paid_at as at,
  null::timestamptz as done_at, '' as why
from payment p join sales_order o on o.id = p.order_id where p.paid_at >= :since and p.paid_at < :until
union all
select order_no, provider, transaction_id, '', amount, currency, state, at, null, ''
from archived_money where kind = 'captured' and at >= :since and at < :until
order by at, order_no, transaction_id limit :most
"""
_REFUNDS: Final = """
select o.order_no, f.provider, f.transaction_id, f.refund_no, f.amount, f.currency, f.state, f.requested_at as at,
  f.done_at, f.why
from refund f join sales_order o on o.id = f.order_id
where (f.requested_at >= :since and f.requested_at < :until) or (f.done_at >= :since and f.done_at < :until)
union all
select order_no, provider, transaction_id, refund_no, amount, currency, 'done', at, at, ''
from archived_money where kind = 'refunded' and at >= :since and at < :until
order by at, order_no, refund_no limit :most
"""
_STANDING = """
select order_no from (
  select o.order_no from sales_order o
  where o.state in ('PENDING_PAYMENT', 'STOCK_LOCKED', 'OUTBOUND', 'IN_TRANSIT', 'ON_HOLD')
  union select o.order_no from refund f join sales_order o on o.id = f.order_id
  where f.state in ('asked', 'requested', 'by_hand', 'failed')
  union select o.order_no from payment p join sales_order o on o.id = p.order_id
  where p.state = 'surplus' and p.refunding < p.amount
  union select o.order_no from sales_order o
  where o.closed_at >= :since and o.closed_at < :until) t
where order_no > :after order by order_no limit :most
"""
_FACTS = f"""
with head as materialized (
  select o.order_no, o.id, o.channel, o.state, o.held_from, o.currency, o.total, o.placed_at, o.paid_at,
    {_LEFT} as goods_left,
    exists (select from order_event e where e.order_id = o.id and e.cause = '{PAID_BY_FILE}') as recorded
  from sales_order o where o.order_no = any(cast(:nos as text[]))
  union all
  select order_no, null, channel, 'CLOSED', null, currency, amount, at, paid_at, goods_left, state = 'recorded'
  from archived_money where kind = 'due' and order_no = any(cast(:nos as text[]))),
charge as (
  select h.order_no, p.currency, p.provider, lower(p.transaction_id) as number, p.state, p.amount
  from head h join payment p on p.order_id = h.id
  union all
  select order_no, currency, provider, lower(transaction_id), state, amount
  from archived_money where kind = 'captured' and order_no = any(cast(:nos as text[]))),
refunds as (
  select h.order_no, f.currency, f.provider, lower(f.transaction_id) as number, f.state, f.amount, f.requested_at
  from head h join refund f on f.order_id = h.id
  union all
  select order_no, currency, provider, lower(transaction_id), state, amount, at
  from archived_money where kind = 'refunded' and order_no = any(cast(:nos as text[]))),
back as (
  select order_no, currency, provider, number,
    coalesce(sum(amount) filter (where state = 'done'), 0) as done,
    coalesce(sum(amount) filter (where state in ('asked', 'requested', 'by_hand')), 0) as going,
    coalesce(sum(amount) filter (where state = 'by_hand'), 0) as by_hand,
    coalesce(sum(amount) filter (where state = 'failed'), 0) as failed,
    min(requested_at) filter (where state in ('asked', 'requested')) as asked_at
  from refunds group by order_no, currency, provider, number),
each as (
  select order_no, currency,
    case when state is null then 'loose' when state = 'surplus' then 'second' else 'paying' end as pot,
    state, coalesce(amount, 0) as amount, coalesce(done, 0) as done, coalesce(going, 0) as going,
    coalesce(by_hand, 0) as by_hand, coalesce(failed, 0) as failed, asked_at
  from charge full join back using (order_no, currency, provider, number)),
pots as (
  select order_no, currency, pot, sum(amount) as captured, sum(done) as refunded,
    sum(going) as on_its_way, sum(greatest(0, amount - done - going)) as left,
    sum(greatest(0, done + going - amount)) as beyond,
    coalesce(sum(amount) filter (where state = 'counted'), 0) as counted, sum(by_hand) as by_hand,
    sum(failed) as failed, min(asked_at) as asked_at
  from each group by 1, 2, 3)
select h.*, k.currency as counted_in, p.pots
from head h
join (select order_no, currency from head union select order_no, currency from pots) k using (order_no)
left join lateral (
  select jsonb_object_agg(pot, to_jsonb(t)) as pots from pots t
  where t.order_no = h.order_no and t.currency = k.currency) p on true
order by h.order_no, k.currency <> h.currency, k.currency
"""  # noqa: S608  # made of constants of this file


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What moved in a time in one currency, channel and provider; `due` stands where no provider is named."""

    currency: str
    channel: str
    provider: str
    orders: int
    due: int
    captured: int
    charges: int
    refunded: int
    refunds: int

    @property
    def net(self) -> int:
        return self.captured - self.refunded


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMoney:
    """One order in one currency: how it stands now, and what of it moved in the time that was asked about."""

    facts: Facts
    account: Account
    findings: tuple[Finding, ...]
    order_id: int | None  # None: it is in the archive
    moved_due: int = 0
    moved_captured: int = 0
    moved_refunded: int = 0


async def sums(tx: AsyncConnection, window: Window) -> list[Sums]:
    """What moved in a time, by currency, channel and provider."""
    found = await rows(tx, _SUMS, since=window.since, until=window.until)
    return [
        Sums(
            currency=r.currency, channel=r.channel, provider=r.provider, orders=r.orders, due=int(r.due or 0),
            captured=int(r.captured or 0), charges=r.charges, refunded=int(r.refunded or 0), refunds=r.refunds,
        )
        for r in found
    ]  # fmt: skip


async def moved(tx: AsyncConnection, window: Window, now: datetime) -> AsyncIterator[list[OrderMoney]]:
    """Every order of which something moved in a time, by number, a page at a time; their parts add up to `sums`."""
    after: str | None = ""
    while after is not None:
        found = await rows(tx, _MOVED, since=window.since, until=window.until, after=after, most=PAGE)
        parts = {(r.order_no, r.currency): (int(r.due), int(r.captured), int(r.refunded)) for r in found}
        yield [_with_part(one, parts) for one in await money_of(tx, {number for number, _ in parts}, now)]
        after = found[-1].order_no if len(found) >= PAGE else None


def _with_part(one: OrderMoney, parts: dict[tuple[str, str], tuple[int, int, int]]) -> OrderMoney:
    due, captured, refunded = parts.get((one.facts.order_no, one.facts.currency), (0, 0, 0))
    return OrderMoney(
        facts=one.facts, account=one.account, findings=one.findings, order_id=one.order_id,
        moved_due=due, moved_captured=captured, moved_refunded=refunded,
    )  # fmt: skip


async def standing(tx: AsyncConnection, window: Window, now: datetime) -> AsyncIterator[list[OrderMoney]]:
    """Orders that still have something to come (open, money on its way or too much here), and those that closed in a
    time, by number, a page at a time."""
    after: str | None = ""
    while after is not None:
        found = await rows(tx, _STANDING, since=window.since, until=window.until, after=after, most=PAGE)
        yield await money_of(tx, {r.order_no for r in found}, now)
        after = found[-1].order_no if len(found) == PAGE else None


async def money_of(tx: AsyncConnection, order_nos: Collection[str], now: datetime) -> list[OrderMoney]:
    """How the money of these orders stands, by number; a row for each currency. Unknown orders are left out."""
    found = await rows(tx, _FACTS, nos=sorted(order_nos)) if order_nos else ()
    return [_read(row, now) for row in found]


def _read(row: Any, now: datetime) -> OrderMoney:
    pots = row.pots or {}
    own = row.counted_in == row.currency
    asked = [datetime.fromisoformat(pot["asked_at"]) for pot in pots.values() if pot["asked_at"]]
    facts = Facts(
        order_no=row.order_no, channel=row.channel, state=State(row.state),
        held_from=State(row.held_from) if row.held_from else None, currency=row.counted_in, own_currency=own,
        total=row.total if own else 0, placed_at=row.placed_at, paid_at=row.paid_at, left=row.goods_left,
        recorded=row.recorded,
        paying=_pot(pots.get("paying")), second=_pot(pots.get("second")), loose=_pot(pots.get("loose")),
        counted=_sum(pots, "counted"), failed=_sum(pots, "failed"), by_hand=_sum(pots, "by_hand"),
        asked_at=min(asked, default=None),
    )  # fmt: skip
    return OrderMoney(facts=facts, account=account(facts), findings=findings(facts, now), order_id=row.id)


def _pot(found: dict[str, Any] | None) -> Pot:
    return Pot(**{name: int(found[name]) for name in Pot.__slots__}) if found else Pot()


def _sum(pots: dict[str, dict[str, Any]], name: str) -> int:
    return sum(int(pot[name]) for pot in pots.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One charge or refund. Refunds that are under way have no `done_at`."""

    order_no: str
    provider: str
    transaction_id: str
    refund_no: str
    amount: Money
    state: str
    at: datetime  # of a charge: paid; of a refund: asked for
    done_at: datetime | None
    why: str


async def charges(tx: AsyncConnection, window: Window, *, most: int) -> list[Movement]:
    """What was paid in a time, in its order."""
    return [_movement(row) for row in await rows(tx, _CHARGES, since=window.since, until=window.until, most=most)]


async def refunds(tx: AsyncConnection, window: Window, *, most: int) -> list[Movement]:
    """What was asked for, or was done, in a time."""
    return [_movement(row) for row in await rows(tx, _REFUNDS, since=window.since, until=window.until, most=most)]


def _movement(row: Any) -> Movement:
    return Movement(
        order_no=row.order_no, provider=row.provider, transaction_id=row.transaction_id, refund_no=row.refund_no,
        amount=Money(row.amount, row.currency), state=row.state, at=row.at, done_at=row.done_at, why=row.why,
    )  # fmt: skip


def total_of(found: Sequence[OrderMoney]) -> dict[str, Account]:
    """Currency -> the accounts of these orders, added up."""
    totals: dict[str, Account] = {}
    for one in found:
        before = totals.get(one.facts.currency, Account())
        totals[one.facts.currency] = Account(
            **{name: getattr(before, name) + getattr(one.account, name) for name in Account.__slots__}
        )
    return totals
